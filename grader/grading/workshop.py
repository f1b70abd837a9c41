"""Where a course's submissions are graded: its exercises, and a bench for each, made once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.settings import Settings
from grader.submissions import submission
from grader.submissions.submission import Submission, Unreadable

if TYPE_CHECKING:
    from grader.checks.suite import ExerciseSuite
    from grader.grading.judge import Judge
    from grader.sandbox.process import Opener


@dataclass(frozen=True)
class Workshop:
    """A course and the settings it is graded with.

    Args:
        course: the course.
        only: ids of the exercises to grade, all of them where empty.
        settings: what the operator chose.
        troubles: what was handed in and cannot be taken, by the submission's path.
    """

    course: Course
    only: tuple[str, ...]
    settings: Settings
    unreadable: Mapping[Path, Unreadable] = field(default_factory=dict)

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """The exercises that are graded.

        Raises:
            UsageError, CourseError: one that is asked for is not there, or the course is broken.
        """
        return self.course.select(self.only)

    @cached_property
    def suites(self) -> tuple[ExerciseSuite, ...]:
        """A bench for each exercise, with all that does not hang on a submission worked out."""
        from grader.grading.judge import prepare_suites

        suites = prepare_suites(self.course, self.exercises, self.settings)
        for suite in suites:
            for ask in suite.exercise.asks:
                suite.fault(ask)
        return suites

    def judge(self, boxes: Opener) -> Judge:
        """A judge who has boxes opened by this opener."""
        from grader.grading.judge import Judge

        return Judge(boxes, self.suites, self.settings, exercises=self.course.exercises)

    def read(self, path: Path) -> Submission:
        """Read a submission; what cannot be read is a problem of its own, not of the run."""
        ids = self.course.ids
        wanted = tuple(exercise.id for exercise in self.exercises)
        try:
            found = submission.read(path, ids, wanted)
        except OSError as error:
            unreadable = Unreadable(path.name, f"cannot be read: {error.strerror}")
            return Submission(submission.name_of(path), path, "", {}).lacking(wanted, unreadable)
        lacks = self.unreadable.get(path)
        return found if lacks is None else found.lacking(wanted, lacks)

    def bare(self) -> Workshop:
        """The same workshop with nothing made yet, small enough to be sent to another process."""
        return Workshop(Course(self.course.root), self.only, self.settings, self.unreadable)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector out of a start, which makes no garbage worth the tenth of its time it takes."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
