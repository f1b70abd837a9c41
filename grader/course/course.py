"""A course: ``exercises/``, ``reference/`` and ``submissions/`` in one folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import grader
from grader.course.exercise import SETTINGS, Exercise, ExerciseFiles
from grader.course.forward import did_you_mean
from grader.errors import CourseError, UsageError

EXERCISES = "exercises"
REFERENCE = "reference"
SUBMISSIONS = "submissions"

SHIPPED = "_shipped_course"
"""The folder of the package that holds the course in a wheel."""


@dataclass(frozen=True)
class Course:
    """A folder that holds exercises, and perhaps the instructor's reference solutions."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Course:
        """The course in a folder.

        Raises:
            CourseError: it holds no exercises.
        """
        if not is_course(root):
            raise CourseError(f"{root}: expected a course ({EXERCISES}/<id>/{SETTINGS}), found none")
        return cls(root.absolute())

    @classmethod
    def around(cls, path: Path) -> Course:
        """The course a submission belongs to.

        A submission lies below a course's ``submissions`` folder; anywhere else it is graded by the course
        that comes with the package. A folder named ``exercises`` *inside* a submission is never looked at:
        a course is code the judge runs.

        Raises:
            CourseError: the package's course is wanted, and is not there.
        """
        path = path.absolute()
        for folder in path.parents:
            if folder.name == SUBMISSIONS and is_course(folder.parent):
                return cls(folder.parent)
        if path.name == SUBMISSIONS and is_course(path.parent):
            return cls(path.parent)
        return cls.shipped()

    @classmethod
    def shipped(cls) -> Course:
        """The course in the wheel or, in a checkout, the one beside the package.

        Raises:
            CourseError: neither is there.
        """
        package = Path(grader.__file__).parent
        for root in (package / SHIPPED, package.parent):
            if is_course(root):
                return cls(root)
        raise CourseError(f"{package / SHIPPED}: expected the course that comes with the package, found none")

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all exercises, in order; nothing is loaded for it."""
        return tuple(sorted(path.parent.name for path in (self.root / EXERCISES).glob(f"*/{SETTINGS}")))

    @cached_property
    def _files(self) -> ExerciseFiles:
        return ExerciseFiles()

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """Every exercise, by id.

        Raises:
            CourseError: one of them breaks its contract.
        """
        return self.select(())

    def select(self, ids: Sequence[str]) -> tuple[Exercise, ...]:
        """The exercises with these ids, or all where none is given.

        Raises:
            UsageError: there is no exercise of that id.
            CourseError: one of them breaks its contract.
        """
        self.check(ids)
        return tuple(
            Exercise.load(self.root / EXERCISES / name, self._files)
            for name in self.ids
            if not ids or name in ids
        )

    def check(self, ids: Sequence[str]) -> None:
        """Refuse ids that no exercise has.

        Raises:
            UsageError: names them.
        """
        for name in ids:
            if name not in self.ids:
                near = did_you_mean(name, list(self.ids))
                raise UsageError(
                    f"expected one of {', '.join(self.ids)}, found {name!r}{near}", setting="exercise"
                )

    def reference(self, exercise: Exercise) -> Mapping[str, Callable[..., Any]] | None:
        """The instructor's solution of an exercise, by stub name; None where the course has none.

        Raises:
            CourseError: it cannot be run.
        """
        path = self.root / REFERENCE / f"{exercise.id}.py"
        if not path.exists():
            return None
        spec = importlib.util.spec_from_file_location(f"reference_{exercise.id}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise CourseError(f"{path}: cannot be run: {type(error).__name__}: {error}") from error
        return {name: getattr(module, name) for name in exercise.stubs if hasattr(module, name)}

    @property
    def hidden(self) -> tuple[Path, ...]:
        """What a submission must not be able to read: the whole course."""
        names = (EXERCISES, REFERENCE, SUBMISSIONS, "tests")
        return tuple(path for path in (self.root / name for name in names) if path.exists())


def is_course(root: Path) -> bool:
    """Whether a folder holds exercises."""
    return any((root / EXERCISES).glob(f"*/{SETTINGS}"))
