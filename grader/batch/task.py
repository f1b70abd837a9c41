"""What goes to a worker and comes back: tasks, results, and the interface of whatever carries them.

A task carries a submission's bytes and a result the scorecard's, so that nothing here needs a shared disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from grader.grading.prepared import PreparedCourse, Stamp
from grader.reports import files as file_reports
from grader.reports.book import Entry
from grader.reports.table import Row
from grader.sandbox.open import Isolated
from grader.scorecard.model import Isolation, Scorecard
from grader.submissions.submission import Submission


@dataclass(frozen=True)
class WorkerConfig:
    """What all workers of a run have in common; it travels to them whole.

    Args:
        prepared: the course, the exercises wanted and the settings.
        isolation: which layers must be in force where a worker grades.
        stamp: tells an edited course from what it was, to a worker that outlasts a run.
    """

    prepared: PreparedCourse
    isolation: Isolated = Isolated.AUTO
    stamp: Stamp = ()


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Args:
        submission: its bytes.
        deaths: how many workers have died over it.
    """

    submission: Submission
    deaths: int = 0


@dataclass(frozen=True)
class TaskResult:
    """The result of one submission.

    Args:
        name: the submission's.
        path: where it was read, None where it came as bytes.
        files: its scorecard in each format that is kept, as bytes by the file's ending: ``.json``, ``.html``.
        row: its line in the table.
        entry: its line in the gradebook.
        kept: whether an earlier run had graded it.
    """

    name: str
    path: Path | None
    files: Mapping[str, bytes] = field(repr=False)
    row: Row = field(repr=False)
    entry: Entry = field(repr=False)
    kept: bool = False

    @classmethod
    def of(cls, submission: Submission, scorecard: Scorecard) -> TaskResult:
        """The result that a scorecard makes."""
        return cls(
            submission.name, submission.path, rendered(scorecard), Row.of(scorecard), Entry.of(scorecard)
        )

    @cached_property
    def scorecard(self) -> Scorecard:
        """The scorecard itself."""
        return Scorecard.from_json(self.files[".json"].decode("utf-8"))

    @property
    def at_fault(self) -> bool:
        """Whether the grader failed on some of it: such a result is not kept for the next run."""
        return self.entry.score is None


class Executor(Protocol):
    """Carries tasks to where they are graded, and results back.

    A class calls :meth:`start` once, then the others. Whoever made the executor closes it.
    """

    def start(self, config: WorkerConfig, expected: int) -> None:
        """Get workers going, without waiting for them.

        Args:
            config: what they need.
            expected: how many submissions there will be to grade at most.

        Raises:
            IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
        """

    def isolation(self) -> Isolation:
        """The isolation layers in force where the workers grade; waits until one of them can tell."""
        ...

    def map(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """Grade submissions.

        Args:
            tasks: taken one by one, a few more than there are workers at a time.

        Yields:
            The result of each, in whatever order.

        Raises:
            IsolationError: no box can be opened.
            InternalError: workers keep dying.
        """
        ...

    def close(self) -> None:
        """End the workers, whatever they are doing."""


def rendered(scorecard: Scorecard) -> dict[str, bytes]:
    """A scorecard in each format that is kept, by the file's ending."""
    return {suffix: render(scorecard).encode("utf-8", "replace") for suffix, render in file_reports().items()}
