"""A course: ``exercises/``, ``reference/`` and ``submissions/`` in one folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grader.errors import CourseError, OperatorError
from grader.exercise import SETTINGS, Exercise
from grader.forward import did_you_mean

EXERCISES = "exercises"
REFERENCE = "reference"
SUBMISSIONS = "submissions"


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
        return cls(root)

    @classmethod
    def around(cls, path: Path) -> Course:
        """The course a submission belongs to.

        A submission lies below a course's ``submissions`` folder; anywhere else it is graded by the course
        that comes with the package. A folder named ``exercises`` *inside* a submission is never looked at:
        a course is code the judge runs.
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
        """The course in the wheel or, in a checkout, the one beside the package."""
        package = Path(__file__).parent
        for root in (package / "course", package.parent):
            if is_course(root):
                return cls(root)
        raise CourseError(f"{package / 'course'}: expected the course that comes with the package, found none")

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """Every exercise, by id."""
        folders = sorted(path.parent for path in (self.root / EXERCISES).glob(f"*/{SETTINGS}"))
        if not folders:
            raise CourseError(f"{self.root / EXERCISES}: expected exercises (folders with {SETTINGS}), found none")
        return tuple(Exercise.load(folder) for folder in folders)

    def select(self, ids: tuple[str, ...]) -> tuple[Exercise, ...]:
        """The exercises with these ids, or all where none is given.

        Raises:
            OperatorError: there is no exercise of that id.
        """
        known = [exercise.id for exercise in self.exercises]
        for name in ids:
            if name not in known:
                near = did_you_mean(name, known)
                raise OperatorError(f"--exercise: expected one of {', '.join(known)}, found {name!r}{near}")
        return tuple(exercise for exercise in self.exercises if not ids or exercise.id in ids)

    def reference(self, exercise: Exercise) -> Mapping[str, Callable[..., Any]] | None:
        """The instructor's solution of an exercise, by stub name; None where the course has none."""
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
        return {ask: getattr(module, ask) for ask in exercise.asks if hasattr(module, ask)}

    @property
    def hidden(self) -> tuple[Path, ...]:
        """What a submission must not be able to read: the whole course."""
        names = (EXERCISES, REFERENCE, SUBMISSIONS, "tests")
        return tuple(path for path in (self.root / name for name in names) if path.exists())


def is_course(root: Path) -> bool:
    """Whether a folder holds exercises."""
    return any((root / EXERCISES).glob(f"*/{SETTINGS}"))
