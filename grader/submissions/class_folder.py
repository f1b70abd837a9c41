"""What in a class's folder is a student's, and what to say of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from grader.errors import SubmissionError
from grader.submissions.collect import exercise_of
from grader.submissions.files import files_in, is_junk
from grader.submissions.limits import NOTEBOOK, PYTHON, ZIP

RECORDS = ".grade"
"""The folder in which an output folder's results are recorded."""

ARCHIVES = (".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
"""Endings of archives that are not unpacked."""

NO_WORK = (".md", ".csv", ".toml", ".yml", ".yaml", ".json", ".html", ".cfg", ".ini", ".log")
"""Endings of what instructors keep beside a class's work."""

OUTPUT = "holds results that the grader wrote, and no work: not taken for a student's"
"""What to say of a folder of results."""


def students_in(folder: Path, ids: Sequence[str]) -> list[Path]:
    """What may be students' in a class's folder."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SubmissionError(f"{folder}: cannot be read: {error.strerror}") from error
    return [path for path in paths if _is_students(path) and not is_hidden(path, ids)]


def _is_students(path: Path) -> bool:
    """Whether something in a class's folder is a student's."""
    if path.is_dir():
        return path.is_symlink() or not is_output(path)
    ending = path.suffix.lower()
    return ending in (NOTEBOOK, *ARCHIVES) or is_zip(path) or (path.is_symlink() and not path.exists())


def is_hidden(path: Path, ids: Sequence[str]) -> bool:
    """Whether something in a class's folder is kept out of sight by a tool, and holds no exercise."""
    if is_junk(PurePosixPath(path.name)):
        return True
    return path.name.startswith((".", "__")) and not (path.is_dir() and holds(path, ids))


def left_out(folder: Path, inside: Sequence[Path], ids: Sequence[str]) -> list[str]:
    """What to say of all that lies in a class's folder and is no student's."""
    notices, others = [], []
    for path in sorted(folder.iterdir()):
        if path in inside or is_hidden(path, ids):
            continue
        if path.is_dir():
            notices.append(f"{folder}: {path.name}: {OUTPUT}")
        elif path.suffix.lower() == PYTHON:
            notices.append(f"{folder}: {path.name}: nothing tells whose it is")
        elif path.suffix.lower() not in NO_WORK:
            others.append(path.name)
    if others:
        notices.append(f"{folder}: not graded, and nobody's: {some_of(others)}")
    return notices


def is_output(folder: Path) -> bool:
    """Whether a folder is what the grader itself has written, records or scorecards in both forms, and no more."""
    names = names_in(folder)
    cards = (name for name in names if name.endswith(".json"))
    written = RECORDS in names or any(f"{name.removesuffix('.json')}.html" in names for name in cards)
    return written and not any(file.is_work for file in files_in(folder))


def is_zip(path: Path) -> bool:
    """Whether there is a zip at a path."""
    return path.suffix.lower() == ZIP and path.is_file()


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, links left out."""
    return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def holds(folder: Path, ids: Sequence[str]) -> bool:
    """Whether there is an exercise or a notebook in a folder."""
    return any(exercise_of(name, ids) or name.endswith(NOTEBOOK) for name in names_in(folder))


def names_in(folder: Path) -> set[str]:
    """The names in a folder; none where it cannot be looked into: the one who reads it next will say so."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def some_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
