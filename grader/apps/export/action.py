"""``grade export action DIR``: the workflows and the action for a repository in which students hand in.

DIR is the repository's root. The grader itself goes to ``.github/backprop-grader``, so that the repository
needs no other one, and a pull request is graded by the copy on its base branch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.apps.export import kit
from grader.course.course import Course
from grader.errors import UsageError

HOME = ".github/backprop-grader"
WORKFLOWS = ("grade.yml", "grade-comment.yml")


def export(
    folder: Path, course: Course, only: Sequence[str] = (), *, reference: bool = False
) -> tuple[Path, ...]:
    """Write the folders.

    Args:
        folder: the root of the classroom's repository.
        course: whose exercises.
        only: the ids of the exercises to grade, all where empty.
        reference: whether the instructor's solutions come along; students can read the repository.

    Returns:
        What there is to look at: the workflows and the grader's home.

    Raises:
        UsageError: there is no such exercise, or the folder cannot be written.
    """
    members = list(contents(course, only, reference=reference))
    try:
        kit.clear(folder / HOME)
        kit.write(folder, iter(members))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    return (*(folder / ".github" / "workflows" / name for name in WORKFLOWS), folder / HOME)


def contents(
    course: Course, only: Sequence[str] = (), *, reference: bool = False
) -> Iterator[tuple[str, bytes]]:
    """The files: path below the repository's root, and content."""
    chosen = " ".join(exercise.id for exercise in course.select(tuple(only))) if only else ""
    for name in WORKFLOWS:
        yield f".github/workflows/{name}", workflow(name, f"base/{HOME}", chosen).encode()
    yield f"{HOME}/action.yml", kit.template("action.yml").encode()
    for name, content in kit.files(course, reference=reference):
        yield f"{HOME}/{name}", content


def workflow(name: str, home: str, exercises: str = "") -> str:
    """A workflow for a repository that has the grader in a folder of the checked-out base branch."""
    text = kit.template(name)
    for old, new in (
        ("uses: ./base\n", f"uses: ./{home}\n"),
        ("GRADER: base\n", f"GRADER: {home}\n"),
        ('exercise: ""\n', f'exercise: "{exercises}"\n'),
    ):
        text = text.replace(old, new)
    return text
