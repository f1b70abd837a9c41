"""One run of the grader: a course, openers of boxes and judges, and the submissions they are for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader.batch.cpus import CpuPin, seats
from grader.errors import UsageError
from grader.grading.workshop import Workshop, uncollected
from grader.sandbox.open import Isolated, opener
from grader.submissions import submission

if TYPE_CHECKING:
    from grader.grading.fingerprint import RunFingerprint
    from grader.batch.pool import WorkerPool
    from grader.batch.store import ResultStore
    from grader.batch.worker import TaskResult
    from grader.grading.judge import Judge
    from grader.sandbox.process import Opener
    from grader.scorecard.model import Scorecard


@dataclass(frozen=True)
class Run:
    """One submission, and the judge who is to grade it in this process."""

    judge: Judge
    path: Path
    workshop: Workshop

    def grade(self) -> Scorecard:
        """Its scorecard.

        Raises:
            IsolationError: no box can be opened.
        """
        return self.judge.grade(self.workshop.read(self.path))


@dataclass(frozen=True)
class ClassRun:
    """Many submissions: those whose results are kept in the store, and those that a crew is to grade."""

    store: ResultStore
    kept: tuple[Path, ...]
    todo: tuple[Path, ...]
    crew: WorkerPool | None

    def __len__(self) -> int:
        return len(self.kept) + len(self.todo)

    def __iter__(self) -> Iterator[TaskResult]:
        """What became of each submission, as it comes.

        Raises:
            IsolationError: no box can be opened.
            UsageError: the results cannot be written.
            InternalError: the grader's own processes keep dying.
        """
        from grader.batch.worker import TaskResult

        for path in self.kept:
            yield TaskResult.of(path, self.store.load(submission.name_of(path)), kept=True)
        if self.crew is not None:
            yield from self.crew.grade(self.todo)


@contextmanager
def open_run(path: Path, workshop: Workshop, *, isolation: str) -> Iterator[Run]:
    """Prepare to grade one submission in this process.

    Args:
        path: the submission, as :func:`grader.submissions.submission.find` gives it.
        workshop: the course and the settings.
        isolation: which isolation layers must be in force.

    Raises:
        UsageError: an id or the course is not as it should be; nothing has been graded.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """
    # The boxes' parent imports torch while we do.
    with opener(workshop.course.hidden, Isolated(isolation)) as boxes:
        with uncollected():
            run = Run(workshop.judge(boxes), path, workshop)
        yield run


@contextmanager
def open_class(
    paths: Sequence[Path],
    workshop: Workshop,
    store: ResultStore,
    *,
    isolation: str,
    jobs: int,
    regrade: bool = False,
) -> Iterator[ClassRun]:
    """Prepare to grade a class in processes of its own.

    Args:
        paths: submissions, as :func:`grader.submissions.submission.find` gives them.
        workshop: the course and the settings.
        store: where results go, and where they may be kept.
        isolation: which isolation layers must be in force.
        jobs: how many submissions are graded at a time.
        regrade: whether to grade also what is kept.

    Raises:
        UsageError: a path, an id, the course or the store is not as it should be; nothing has been graded.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """
    _one_of_each_name(paths)
    store.open()
    jobs = min(jobs, len(paths))
    with ExitStack() as stack:
        # The boxes' parents, one for each worker, import torch while we do.
        hidden = workshop.course.hidden
        places = seats(jobs)
        boxes = [stack.enter_context(_seated(seat, hidden, isolation)) for seat in places]
        from grader.grading.fingerprint import RunFingerprint
        from grader.batch.pool import WorkerPool, can_inherit
        from grader.batch.worker import WorkerConfig

        exercises = workshop.exercises
        if can_inherit() and (regrade or not all(map(store.knows, map(submission.name_of, paths)))):
            _ = workshop.suites  # while the first boxes' parent still is at it
        terms = RunFingerprint.of(workshop.course, exercises, workshop.settings, boxes[0].isolation)
        kept = () if regrade else tuple(path for path in paths if _is_kept(path, workshop, store, terms))
        settled = set(kept)
        todo = tuple(path for path in paths if path not in settled)
        job = WorkerConfig(workshop, store, terms, Isolated(isolation), regrade)
        if todo and can_inherit():
            _ = workshop.suites
        yield ClassRun(store, kept, todo, WorkerPool(job, boxes, places, jobs) if todo else None)


@contextmanager
def _seated(seat: CpuPin, hidden: Sequence[Path], isolation: str) -> Iterator[Opener]:
    """An opener of boxes that keeps to a processor."""
    with ExitStack() as stack:
        with seat.lent():
            boxes = stack.enter_context(opener(hidden, Isolated(isolation)))
        yield boxes


def _is_kept(path: Path, workshop: Workshop, store: ResultStore, terms: RunFingerprint) -> bool:
    handed_in = workshop.read(path)
    return store.is_kept(handed_in.name, terms.key(handed_in))


def _one_of_each_name(paths: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in paths:
        name = submission.name_of(path)
        if name in names:
            raise UsageError(f"{path}: expected one submission named {name}, found {names[name]}, too")
        names[name] = path
