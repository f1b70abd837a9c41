"""What runs on a worker of a Dask cluster: an engine for one run, opened by a plugin.

:mod:`grader.batch.cluster` has the theory of operation.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from distributed import Worker, WorkerPlugin, get_worker

from grader import __version__
from grader.batch.task import Task, TaskResult, WorkerConfig
from grader.batch.worker import WorkerEngine
from grader.course.bundle import CourseBundle
from grader.errors import InternalError, UsageError
from grader.grading.fingerprint import package_digest
from grader.grading.prepared import PreparedCourse
from grader.sandbox.open import Isolated
from grader.scorecard.model import Isolation

PREFIX = "backprop-grader-"
"""In front of the name of each run's plugin; the client's id follows."""

WEAKER = "GRADER_WORKER_ISOLATION"
"""Set to ``auto`` where a worker is started, it lets that worker grade without strict isolation."""


@dataclass(frozen=True)
class WorkerKind:
    """What must be the same wherever results of one run come from, so that they are the same bytes."""

    grader: str
    python: str
    torch: str
    machine: str
    processor: str

    @classmethod
    def here(cls) -> WorkerKind:
        """This process's."""
        import torch

        return cls(
            f"{__version__} ({package_digest()[:12]})",
            platform.python_version(),
            version("torch"),
            platform.machine(),
            torch.backends.cpu.get_cpu_capability(),
        )

    def differs(self, other: WorkerKind) -> str:
        """What of another kind is different, for people."""
        names = self.__dataclass_fields__
        pairs = zip(names, astuple(self), astuple(other), strict=True)
        return ", ".join(
            f"{name} {theirs} instead of {ours}" for name, ours, theirs in pairs if ours != theirs
        )


@dataclass(frozen=True)
class RemoteRun:
    """All that a worker needs to know, as bytes.

    Args:
        bundle: the course.
        config: the exercises, the settings and the isolation; its course is replaced by the bundle's.
        words: the bytes of the word list that was chosen, if any.
        kind: what the worker must be.
    """

    bundle: CourseBundle = field(repr=False)
    config: WorkerConfig
    words: bytes | None = field(repr=False)
    kind: WorkerKind

    @classmethod
    def of(cls, config: WorkerConfig, kind: WorkerKind) -> RemoteRun:
        """The run that a configuration makes; reads the course and the word list.

        Raises:
            UsageError: one of them cannot be read.
        """
        chosen = config.prepared.settings.words
        try:
            words = chosen.read_bytes() if chosen else None
        except OSError as error:
            raise UsageError(f"{chosen}: cannot be read: {error.strerror}", setting="words") from error
        return cls(CourseBundle.of(config.prepared.course), config, words, kind)

    def laid_out(self, folder: Path) -> WorkerConfig:
        """The configuration on a worker, with course and word list in a folder there.

        Raises:
            CourseError: the files make no course.
        """
        prepared = self.config.prepared
        course, settings = self.bundle.unpack(folder / "course"), prepared.settings
        if self.words is not None:
            (folder / "words.txt").write_bytes(self.words)
            settings = replace(settings, words=folder / "words.txt")
        return WorkerConfig(PreparedCourse(course, prepared.only, settings), _isolated())


def _isolated() -> Isolated:
    """What a worker asks for: strict, because nobody looks at its machine, unless it was told otherwise there."""
    return Isolated(os.environ.get(WEAKER, Isolated.STRICT))


class GradingPlugin(WorkerPlugin):
    """An engine on a worker, for one run.

    Args:
        name: of the plugin, and of the resource that it offers once it can grade.
        run: what it grades.
    """

    def __init__(self, name: str, run: RemoteRun) -> None:
        self.name = name
        self._run = run

    async def setup(self, worker: Worker) -> None:
        """Open the engine, then offer the resource.

        Raises:
            UsageError: this worker's versions are not those of the run.
            IsolationError: not isolated well enough.
        """
        self._turn, self._is_closed = threading.Lock(), False
        await asyncio.to_thread(self._open)
        await worker.set_resources(**{self.name: 1})

    async def teardown(self, worker: Worker) -> None:
        """Take the resource back and close the engine, after the submission that is being graded."""
        self._is_closed = True
        with suppress(Exception):  # a worker that shuts down may have lost its scheduler
            await worker.set_resources(**{self.name: 0})
        await asyncio.to_thread(self._close)

    @property
    def isolation(self) -> Isolation:
        """The isolation layers in force on this worker."""
        return self._engine.isolation

    def results(self, tasks: Iterable[Task]) -> list[TaskResult]:
        """The result of each task.

        Raises:
            InternalError: the run has ended meanwhile.
            IsolationError: no box can be opened any more.
        """
        return [self._result(task) for task in tasks]

    def _result(self, task: Task) -> TaskResult:
        with self._turn:
            if self._is_closed:
                raise InternalError("the run that sent this submission has ended")
            return self._engine.do(task)

    def _open(self) -> None:
        here = WorkerKind.here()
        if here != self._run.kind:
            raise UsageError(f"a worker has {self._run.kind.differs(here)}: install the same there")
        # Owner-only, as mkdtemp makes it: the reference solutions are in there.
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._engine = WorkerEngine(self._run.laid_out(self._folder))
        _ = self._engine.isolation

    def _close(self) -> None:
        with self._turn:
            if hasattr(self, "_engine"):
                self._engine.close()
            if hasattr(self, "_folder"):
                shutil.rmtree(self._folder, ignore_errors=True)


def results_of(name: str, tasks: tuple[Task, ...]) -> list[TaskResult]:
    """Grade a batch, in a worker."""
    return _plugin(get_worker(), name).results(tasks)


def isolation_on(name: str, dask_worker: Worker) -> Isolation:
    """The isolation layers in force in a worker."""
    return _plugin(dask_worker, name).isolation


def _plugin(worker: Worker, name: str) -> GradingPlugin:
    plugin = worker.plugins[name]
    assert isinstance(plugin, GradingPlugin)
    return plugin
