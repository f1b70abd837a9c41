"""A worker of a class's run: what it is given, and where it grades."""

from __future__ import annotations

import gc
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Self

from grader.batch.cpus import ANYWHERE, CpuPin
from grader.grading.fingerprint import RunFingerprint
from grader.batch.store import ResultStore
from grader.errors import GraderError, IsolationError, UsageError
from grader.grading.workshop import Workshop
from grader.reports.book import Entry
from grader.reports.table import Row
from grader.sandbox.open import Isolated, opener

if TYPE_CHECKING:
    from grader.grading.judge import Judge
    from grader.sandbox.process import Opener
    from grader.scorecard.model import Scorecard
    from grader.submissions.submission import Submission

DEATHS = 2
"""Workers that one submission may cost before it is given up."""

TRIES = 2
"""Openers of boxes that may fail on one submission before it is given up."""

GARBAGE = 50_000
"""Objects a worker may make before the collector looks at them; a scorecard is some thousands."""

LOST = "the grader's own process died over this submission, twice"


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Args:
        path: where it is.
        deaths: how many workers have died over it.
        wait: whether to wait where another run holds it.
    """

    path: Path
    deaths: int = 0
    wait: bool = False


@dataclass(frozen=True)
class TaskResult:
    """What became of a submission: its lines in table and gradebook, None where another run holds it."""

    path: Path
    row: Row | None = None
    entry: Entry | None = None
    kept: bool = False

    @classmethod
    def of(cls, path: Path, scorecard: Scorecard, *, kept: bool = False) -> TaskResult:
        """What there is to tell of a scorecard."""
        return cls(path, Row.of(scorecard), Entry.of(scorecard), kept)


@dataclass(frozen=True)
class WorkerConfig:
    """What all workers of a run have in common; it travels to them whole.

    Args:
        workshop: the course and what it is graded with.
        store: where results go.
        terms: what results depend on.
        isolation: which layers must be in force.
        regrade: whether results that are kept are graded anew.
    """

    workshop: Workshop
    store: ResultStore
    terms: RunFingerprint
    isolation: Isolated
    regrade: bool


@dataclass(frozen=True)
class Inherited:
    """What a forked worker finds open: its own opener of boxes and where both work, and what belongs to others."""

    boxes: Opener | None = None
    seat: CpuPin = ANYWHERE
    openers: Sequence[Opener] = ()
    connections: Sequence[Connection] = ()

    def renounce(self) -> None:
        """Close what belongs to others: while it is open here, nobody could tell that its owner has gone."""
        for connection in self.connections:
            connection.close()
        for boxes in self.openers:
            boxes.hand_over()


def work(connection: Connection, job: WorkerConfig, legacy: Inherited) -> None:
    """Be a worker: grade what comes until the parent closes the connection."""
    # The terminal's Ctrl-C goes to the whole group; the parent decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    legacy.renounce()
    legacy.seat.take()
    gc.set_threshold(GARBAGE)
    with WorkerEngine(job, legacy.boxes) as place:
        for task in _tasks(connection):
            try:
                answer: TaskResult | GraderError = place.do(task)
            except GraderError as error:
                answer = error
            with suppress(OSError):  # where the parent has gone, nobody wants to know
                connection.send(answer)
            if isinstance(answer, GraderError):
                return


def _tasks(connection: Connection) -> Iterator[Task]:
    """The submissions the parent deals, until it closes the connection or is gone."""
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        yield task


class WorkerEngine:
    """Where one worker grades: a judge, and an opener of boxes that is replaced when it fails."""

    def __init__(self, job: WorkerConfig, boxes: Opener | None) -> None:
        self._job = job
        self._closing = ExitStack()
        self._judge = self._appoint(boxes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def do(self, task: Task) -> TaskResult:
        """Grade a submission, unless its result is kept or another run is at it.

        Raises:
            IsolationError: no box can be opened.
            UsageError: the result cannot be written.
        """
        handed_in = self._job.workshop.read(task.path)
        store, key = self._job.store, self._job.terms.key(handed_in)
        with store.claim(handed_in.name, wait=task.wait) as is_ours:
            if not is_ours:
                return TaskResult(task.path)
            # Another run may have graded it since this one looked.
            if not self._job.regrade and store.is_kept(handed_in.name, key):
                return TaskResult.of(task.path, store.load(handed_in.name), kept=True)
            scorecard = self._grade(handed_in, task)
            store.keep(scorecard, None if scorecard.at_fault else key)
            return TaskResult.of(task.path, scorecard)

    def _grade(self, handed_in: Submission, task: Task) -> Scorecard:
        """The scorecard of a submission; where the grader fails on it, one that says so."""
        if task.deaths >= DEATHS:
            return replace(self._judge, fault=LOST).grade(handed_in)
        for _ in range(TRIES):
            try:
                return self._judge.grade(handed_in)
            except IsolationError as error:
                self._judge = self._appoint()
                _ = self._judge.opener.isolation  # if not even this can be told, the run is over
                excuse = str(error)
            except UsageError:
                raise
            except Exception as error:
                # A bug of ours; the other submissions need not suffer for it.
                traceback.print_exc()
                excuse = f"{type(error).__name__}: {error}"
                break
        return replace(self._judge, fault=excuse).grade(handed_in)

    def _appoint(self, boxes: Opener | None = None) -> Judge:
        """A judge, with an opener of boxes that was handed over or a new one."""
        self._closing.close()
        if boxes is None:
            hidden = self._job.workshop.course.hidden
            boxes = self._closing.enter_context(opener(hidden, self._job.isolation))
        else:
            self._closing.callback(boxes.close)
        return self._job.workshop.judge(boxes)
