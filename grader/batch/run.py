"""The run of a class: take over earlier results if nothing they depend on has changed, and grade the rest."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.batch.executors import DEFAULT, open_executor
from grader.batch.store import Claim, ResultStore
from grader.batch.task import Executor, Task, TaskResult, WorkerConfig
from grader.errors import SubmissionError, UsageError
from grader.grading.fingerprint import RunFingerprint
from grader.grading.prepared import PreparedCourse
from grader.sandbox.open import Isolated
from grader.submissions.discover import Found
from grader.submissions.submission import Submission, name_of

HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of a whole disk: whatever else is graded could not be written either."""

SAID = 5
"""How many results that could not be written are named."""

HELD_S = 0.2
"""How often a run looks again for results that another run is working at."""


@dataclass(frozen=True)
class Item:
    """A submission of a class: its name, and a way to read it when its turn has come.

    Args:
        name: the submission's.
        path: where it is, None where it came as bytes.
        read: reads it.
    """

    name: str
    path: Path | None
    read: Callable[[], Submission] = field(repr=False)

    @classmethod
    def of(cls, one: Submission | Found | Path | str, prepared: PreparedCourse) -> Item:
        """The item that somebody's submission makes, in whatever form it is there.

        Raises:
            SubmissionError: there is nothing at the path.
        """
        if isinstance(one, Submission):
            return cls(one.name, one.path, lambda: one)
        if isinstance(one, Found):
            # Read late: to know the exercises takes an import of torch, which boxes should be at already.
            return cls(one.name, one.path, lambda: one.read(prepared.course.ids, prepared.ids))
        path = Path(one)
        if not os.path.lexists(path):
            raise SubmissionError(f"{path}: no such file or folder")
        return cls(name_of(path), path, lambda: Submission.from_path(path, prepared.course, prepared.ids))


@dataclass
class ClassRun:
    """Results as they come: first those that were kept, then those graded now. It is iterated over once.

    Args:
        items: the submissions.
        executor: grades them; started.
        store: where results are kept, None where they are not.
        fingerprint: what results depend on beside the submissions.
        regrade: whether those that are kept are graded anew.
        unwritten: what could not be written of results, and why; one such result does not end the run.
    """

    items: Sequence[Item]
    executor: Executor
    store: ResultStore | None
    fingerprint: RunFingerprint
    regrade: bool = False
    unwritten: list[str] = field(default_factory=list)
    _claims: dict[str, Claim] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _held: list[Item] = field(default_factory=list)
    _found: list[TaskResult] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[TaskResult]:
        """The result of each submission.

        Raises:
            IsolationError: no box can be opened.
            UsageError: no result can be written any more, because the disk is full, say.
            InternalError: workers keep dying.
        """
        try:
            todo = []
            for item in self.items:
                kept = None if self.regrade else self._kept(item)
                if kept is None:
                    todo.append(item)
                else:
                    yield kept
            while todo:
                yield from self._graded(todo)
                todo, self._held = self._held, []
                if todo:
                    time.sleep(HELD_S)
        finally:
            for claim in self._claims.values():
                claim.release()

    def _graded(self, items: Sequence[Item]) -> Iterator[TaskResult]:
        for result in self.executor.map(self._tasks(items)):
            yield from self._others()
            self._keep(result)
            yield result
        yield from self._others()

    def _others(self) -> Iterator[TaskResult]:
        """Yield results that another run has finished meanwhile."""
        while self._found:
            yield self._found.pop()

    def _tasks(self, items: Sequence[Item]) -> Iterator[Task]:
        """Yield a task for each item that no other run is grading; put the others back for later."""
        for item in items:
            if self.store is None:
                yield Task(item.read())
                continue
            claim = self.store.take(item.name)
            if claim is None:
                self._held.append(item)
                continue
            self._claims[item.name] = claim
            # Another run may have graded it since this one looked.
            kept = None if self.regrade else self._kept(item)
            if kept is not None:
                self._claims.pop(item.name).release()
                self._found.append(kept)
                continue
            submission = item.read()
            self._keys[item.name] = self.fingerprint.key(submission)
            yield Task(submission)

    def _kept(self, item: Item) -> TaskResult | None:
        """Return an earlier run's result of a submission; None if there is none or something has changed."""
        if self.store is None or not self.store.knows(item.name):
            return None
        result = self.store.kept(item.name, self.fingerprint.key(item.read()))
        return None if result is None else replace(result, path=item.path)

    def _keep(self, result: TaskResult) -> None:
        if self.store is None:
            return
        key = self._keys.pop(result.name)
        try:
            self.store.write(result.name, result.files, None if result.at_fault else key)
        except UsageError as error:
            if getattr(error.__cause__, "errno", None) in HOPELESS:
                raise
            self.unwritten.append(str(error))
        finally:
            self._claims.pop(result.name).release()

    def check_written(self) -> None:
        """Report what could not be written, once everything else is done.

        Raises:
            UsageError: something could not.
        """
        if self.unwritten:
            more = f" and {len(self.unwritten) - SAID} more" if len(self.unwritten) > SAID else ""
            raise UsageError("; ".join(self.unwritten[:SAID]) + more)


@contextmanager
def open_class(
    submissions: Sequence[Submission | Found | Path | str],
    prepared: PreparedCourse,
    *,
    isolation: str = "auto",
    executor: Executor | None = None,
    store: ResultStore | None = None,
    jobs: int | None = None,
    regrade: bool = False,
) -> Iterator[ClassRun]:
    """Prepare to grade a class.

    Args:
        submissions: submissions, or the paths of such.
        prepared: the course and the settings.
        isolation: which isolation layers must be in force.
        executor: where to grade; None for processes of this machine.
        store: where results go, and where earlier ones may be; None to keep nothing.
        jobs: how many submissions are graded at a time, where no executor is given.
        regrade: whether to grade also what is kept.

    Raises:
        UsageError: a path, an id, the course or the store is not as it should be; nothing has been graded.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """
    items = [Item.of(one, prepared) for one in submissions]
    _one_of_each_name(items)
    if store is not None:
        store.open()
    with ExitStack() as stack:
        at = executor or stack.enter_context(open_executor(DEFAULT, jobs))
        some_are_new = regrade or store is None or not all(store.knows(item.name) for item in items)
        config = WorkerConfig(prepared, Isolated(isolation), prepared.stamp())
        at.start(config, len(items) if some_are_new else 0)
        fingerprint = RunFingerprint.of(
            prepared.course, prepared.exercises, prepared.settings, at.isolation()
        )
        yield ClassRun(items, at, store, fingerprint, regrade)


def _one_of_each_name(items: Sequence[Item]) -> None:
    names: dict[str, Item] = {}
    for item in items:
        other = names.setdefault(item.name, item)
        if other is not item:
            found = other.path or "another of that name"
            raise UsageError(
                f"{item.path or item.name}: expected one submission named {item.name}, found {found}, too"
            )
