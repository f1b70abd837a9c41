"""A desk: boxes and a judge kept warm, to grade one person's work again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grader.batch.run import uncollected
from grader.course.course import Course
from grader.course.settings import Settings
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
        return tuple(bench.exercise.id for bench in self.judge.benches)

    def grade(self, work: Submission, ids: Sequence[str]) -> Scorecard:
        """The scorecard of some exercises of one submission.

        Args:
            work: the submission.
            ids: which exercises, a selection of :attr:`ids`; the others are not run.

        Raises:
            IsolationError: no box can be opened.
        """
        benches = tuple(bench for bench in self.judge.benches if bench.exercise.id in ids)
        return replace(self.judge, benches=benches).grade(work)


@contextmanager
def open_desk(course: Course, ids: Sequence[str], settings: Settings) -> Iterator[Desk]:
    """Open a desk for some exercises of a course, all where none is given.

    Raises:
        OperatorError: an id, the course or the word list is not as it should be.
        IsolationError: no box can be opened.
    """
    # The boxes' parent imports torch while we do.
    with opener(course.hidden, Isolated.AUTO) as boxes:
        from grader.grading.incremental import Memory
        from grader.grading.judge import Judge, prepare_benches

        with uncollected():
            exercises = course.select(tuple(ids))
            benches = prepare_benches(course, exercises, settings)
        yield Desk(Judge(boxes, benches, settings, exercises=course.exercises, memory=Memory()))
