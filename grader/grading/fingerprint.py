"""What a result depends on beside the submission, as one digest: when it is the same, so is the scorecard."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import grader
from grader.course.course import REFERENCE, SHIPPED, Course
from grader.course.exercise import SETTINGS, Exercise
from grader.course.settings import Settings
from grader.scorecard.model import Isolation
from grader.submissions.submission import Submission

PARTS_OF_A_PACKAGE = (".py", ".json", ".jinja", ".js", ".css")


@dataclass(frozen=True)
class RunFingerprint:
    """All that results depend on beside the submissions: course, grader, versions, settings, isolation."""

    digest: str

    @classmethod
    def of(
        cls, course: Course, exercises: Iterable[Exercise], settings: Settings, isolation: Isolation
    ) -> RunFingerprint:
        """The fingerprint of a run that grades these exercises.

        Args:
            course: where the reference solutions are.
            exercises: what is graded.
            settings: what the operator chose; every field of it counts.
            isolation: the layers in force and missing, which scorecards tell of.
        """
        told = {
            "exercises": [_of_exercise(course, exercise) for exercise in exercises],
            "grader": [grader.__version__, package_digest()],
            "python": platform.python_version(),
            "torch": version("torch"),
            "settings": {name: str(value) for name, value in asdict(settings).items()},
            "words": _of_files([settings.words] if settings.words else []),
            "isolation": asdict(isolation),
        }
        return cls(_digest(json.dumps(told, sort_keys=True).encode()))

    def key(self, submission: Submission) -> str:
        """The digest under which the result of a submission is kept."""
        return _digest("\0".join((self.digest, submission.digest, submission.name)).encode())


def files_of(course: Course, exercise: Exercise) -> tuple[Path, ...]:
    """The files that an exercise's grades depend on, whether or not each is there."""
    home = exercise.forward.path.parent
    words = [exercise.words] if exercise.words else []
    reference = course.root / REFERENCE / f"{exercise.id}.py"
    return (exercise.folder / SETTINGS, home / SETTINGS, exercise.forward.path, *words, reference)


def _of_exercise(course: Course, exercise: Exercise) -> list[str]:
    return [exercise.id, _of_files(files_of(course, exercise))]


@cache
def package_digest() -> str:
    """A digest of this package's own sources: a grader under development keeps its version for long."""
    root = Path(grader.__file__).parent
    parts = (path for path in sorted(root.rglob("*")) if path.suffix in PARTS_OF_A_PACKAGE)
    # The course that travels in the wheel is not part of the program.
    return _of_files(path for path in parts if path.relative_to(root).parts[0] != SHIPPED)


def _of_files(paths: Iterable[Path]) -> str:
    return _digest(b"".join(_framed(paths)))


def _framed(paths: Iterable[Path]) -> Iterator[bytes]:
    """Each file as its length and its bytes; one that is not there is told apart from an empty one."""
    for path in paths:
        content = path.read_bytes() if path.is_file() else None
        yield b"-" if content is None else len(content).to_bytes(8, "little") + content


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
