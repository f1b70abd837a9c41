"""A course made ready to grade with: its exercises, and a suite of checks for each, made once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.settings import Settings
from grader.grading.fingerprint import files_of

if TYPE_CHECKING:
    from grader.checks.suite import ExerciseSuite

Stamp = tuple[tuple[str, int, int] | None, ...]
"""Of each file of a course: its path, when it was changed, and its size; None for one that is not there."""


@dataclass(frozen=True)
class PreparedCourse:
    """A course, the exercises wanted of it, and the settings it is graded with.

    Everything else is worked out when it is first needed, and kept. What is pickled is the three fields alone.

    Args:
        course: the course.
        only: ids of the exercises to grade, all of them where empty.
        settings: what the operator chose.
    """

    course: Course
    only: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """The exercises that are graded.

        Raises:
            UsageError, CourseError: one that is asked for is not there, or the course is broken.
        """
        return self.course.select(self.only)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the exercises that are graded, in the course's order."""
        return tuple(exercise.id for exercise in self.exercises)

    @cached_property
    def suites(self) -> tuple[ExerciseSuite, ...]:
        """The checks of each exercise, with the cases drawn and their expected gradients worked out."""
        from grader.grading.suites import prepare_suites

        with one_thread():
            return prepare_suites(self.course, self.exercises, self.settings)

    def work_out(self) -> None:
        """Work out everything that depends on no submission, so that processes forked now need not."""
        with one_thread():
            for suite in self.suites:
                for ask in suite.exercise.asks:
                    suite.fault(ask)

    def stamp(self) -> Stamp:
        """What tells whether a file of the course was edited since."""
        words = [self.settings.words] if self.settings.words else []
        files = [path for exercise in self.exercises for path in files_of(self.course, exercise)]
        return tuple(map(_stat, dict.fromkeys([*files, *words])))

    def afresh(self) -> PreparedCourse:
        """The same with nothing worked out, as small as what is pickled."""
        return PreparedCourse(Course(self.course.root), self.only, self.settings)

    def __reduce__(self) -> tuple[Any, ...]:
        return PreparedCourse, (Course(self.course.root), self.only, self.settings)


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one thread, as in a box, and give back what was set before.

    More threads add up in another order: the last digits would depend on the machine.
    """
    import torch

    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _stat(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size
