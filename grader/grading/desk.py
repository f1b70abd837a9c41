"""A desk: boxes and a judge kept warm, to grade one person's work again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.workshop import uncollected
from grader.sandbox.open import Isolated, opener

if TYPE_CHECKING:
    from grader.grading.judge import Judge
    from grader.scorecard.model import Scorecard
    from grader.submissions.submission import Submission


@dataclass(frozen=True)
class Desk:
    """A judge whose truths are computed once and whose boxes are forked from a running zygote."""

    judge: Judge

    @property
    def ids(self) -> tuple[str, ...]:
        """The exercises that can be graded here, in the course's order."""
        return tuple(suite.exercise.id for suite in self.judge.suites)

    def grade(self, work: Submission, ids: Sequence[str]) -> Scorecard:
        """The scorecard of some exercises of one submission.

        Args:
            work: the submission.
            ids: which exercises, a selection of :attr:`ids`; the others are not run.

        Raises:
            IsolationError: no box can be opened.
        """
        suites = tuple(suite for suite in self.judge.suites if suite.exercise.id in ids)
        return replace(self.judge, suites=suites).grade(work)


@contextmanager
def open_desk(course: Course, ids: Sequence[str], settings: Settings) -> Iterator[Desk]:
    """Open a desk for some exercises of a course, all where none is given.

    Raises:
        UsageError: an id, the course or the word list is not as it should be.
        IsolationError: no box can be opened.
    """
    # The boxes' parent imports torch while we do.
    with opener(course.hidden, Isolated.AUTO) as boxes:
        from grader.grading.incremental import FunctionCache
        from grader.grading.judge import Judge, prepare_suites

        with uncollected():
            exercises = course.select(tuple(ids))
            suites = prepare_suites(course, exercises, settings)
        yield Desk(Judge(boxes, suites, settings, exercises=course.exercises, memory=FunctionCache()))
