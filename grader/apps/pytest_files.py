"""Decide which of the files that pytest comes across belong to a submission; saying no is quick.

* A Python file named after an exercise of the course in force is that exercise's.
* A notebook, or a script in the lecture's style, answers the exercises that have no such file beside it. It is
  told by its text: it names at least half of the gradients that are asked for, as the lecture's own notebook
  does before a line of it is filled. One with names of its own assigns a gradient to as many values; it is then
  read, and is a submission if the exercise's forward pass is in it.

A course's own folders hold no submissions, and a Python file with tests in it is somebody's tests.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.course.course import EXERCISES, REFERENCE, Course, is_course
from grader.course.exercise import DESCENT, LOSSES, PARAMETERS, SETTINGS
from grader.errors import GraderError
from grader.submissions.recognise import holds_tests, names_most, pairs

if TYPE_CHECKING:
    from grader.submissions.submission import Submission

PYTHON, NOTEBOOK = ".py", ".ipynb"
LARGEST = 20 << 20
"""Bytes of a file that is looked into; a submission's may have no more."""


@dataclass(frozen=True)
class PytestSubmission:
    """A file that is a submission's.

    Args:
        path: the file.
        course: what it is graded by.
        exercises: the ids of the exercises it answers.
        whole: what is handed in with it: the folder of a file named after an exercise, else the file itself.
    """

    path: Path
    course: Course
    exercises: tuple[str, ...]
    whole: Path

    @property
    def is_named(self) -> bool:
        """Whether the file is named after its one exercise."""
        return self.exercises == (self.path.stem,)

    def read(self) -> Submission:
        """The submission as it is now."""
        from grader.submissions import submission

        return submission.read(self.whole, self.course.ids)


@dataclass(frozen=True)
class Requested:
    """What pytest was asked for.

    Args:
        file: this very file, and nobody else knows what to do with it.
        folder: the folder it lies in, so that no more than this folder's files are looked into.
    """

    file: bool = False
    folder: bool = False


def claim(path: Path, wish: Requested = Requested()) -> PytestSubmission | None:
    """The claim to a file, None where it is not a submission's."""
    if path.suffix not in (PYTHON, NOTEBOOK) or (course := _course_in(path.parent)) is None:
        return None
    if path.suffix == PYTHON and path.stem in course.ids:
        return PytestSubmission(path, course, (path.stem,), path.parent)
    ids = _unanswered(path, course, wish)
    return PytestSubmission(path, course, ids, path) if ids and _is_work(path, course, wish) else None


def is_submission(folder: Path) -> bool:
    """Whether a submission's file lies in a folder."""
    files = [path for path in folder.iterdir() if path.suffix in (PYTHON, NOTEBOOK)]
    # What can be told by the name alone comes first.
    return any(_is_named(path) for path in files) or any(claim(path) is not None for path in files)


def _is_named(path: Path) -> bool:
    course = _course_in(path.parent)
    return course is not None and path.suffix == PYTHON and path.stem in course.ids


@cache
def _course_in(folder: Path) -> Course | None:
    """The course in force for submissions in a folder, None where no submission can lie."""
    for inside in (folder, *folder.parents):
        if inside.name in (EXERCISES, REFERENCE, "tests") and is_course(inside.parent):
            return None
    try:
        return Course.around(folder / "any.py")
    except GraderError:
        return None  # an incomplete installation must not stop other people's tests


def _unanswered(path: Path, course: Course, wish: Requested) -> tuple[str, ...]:
    """The exercises that a notebook or a script answers: where it was asked for, all of them."""
    if wish.file:
        return course.ids
    beside = [name for name in course.ids if (path.parent / f"{name}{PYTHON}").exists()]
    if beside and path.suffix == PYTHON:
        return ()  # a module that they import
    return tuple(name for name in course.ids if name not in beside)


def _is_work(path: Path, course: Course, wish: Requested) -> bool:
    """Whether gradients of a course are derived in a file, or are to be."""
    content = _content(path)
    if content is None or (path.suffix == PYTHON and holds_tests(content)):
        return False
    gradients = {ask for asks in _by_gradient(course).values() for ask in asks}
    if names_most(content, gradients):
        return True
    if path.suffix == PYTHON and not (wish.file or wish.folder):
        return False  # there are too many of them
    any_will_do = path.suffix == NOTEBOOK and wish.file
    return _has_names_of_its_own(path, content, course, 0 if any_will_do else len(gradients) // 2)


def _has_names_of_its_own(path: Path, content: bytes, course: Course, enough: int) -> bool:
    """Whether a file derives gradients of an exercise's forward pass under names of its own.

    Args:
        path: the file.
        content: what is in it.
        course: whose exercises.
        enough: how many values must have a gradient for the file to be read.
    """
    if enough and pairs(content) < enough:
        return False
    from grader.submissions.notebooks import ScriptError, is_script
    from grader.submissions.notebooks.reader import NotebookError, cells_of

    try:
        return is_script(cells_of(path.name, content), course.exercises)
    except (NotebookError, ScriptError, GraderError):
        return False


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST else None
    except OSError:
        return None


@cache
def _by_gradient(course: Course) -> Mapping[str, tuple[str, ...]]:
    """The exercises that ask for gradients one by one, whose names tell a script, and what they ask for."""
    found = {}
    for name in course.ids:
        try:
            functions = functions_of(course, name)
        except GraderError:
            continue  # said when a file of that name is collected
        if all(ask == function for ask, function in functions.items()):
            found[name] = tuple(functions)
    return found


def functions_of(course: Course, exercise_id: str) -> Mapping[str, str]:
    """What an exercise asks for, in its order, and the function that each is asked of.

    Read from the settings alone where they can be: to load an exercise is to import torch.

    Raises:
        CourseError: the settings are broken.
    """
    try:
        settings = tomllib.loads((course.root / EXERCISES / exercise_id / SETTINGS).read_text("utf-8"))
        owners = {
            ask: name
            for name, about in settings.get("functions", {}).items()
            for ask in _names(about.get("returns", [LOSSES, PARAMETERS, DESCENT]))
        }
        return {ask: owners.get(ask, ask) for ask in settings["asks"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        (exercise,) = course.select((exercise_id,))  # says what is wrong with them
        return {ask: exercise.function_of(ask).name for ask in exercise.asks}


def _names(tree: Iterable[Any]) -> Iterator[str]:
    """Every name in a tree of names."""
    for item in tree:
        yield from (item,) if isinstance(item, str) else _names(item)
