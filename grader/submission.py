"""What a student handed in: found, read with care, and digested."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.box.box import Source
from grader.errors import SubmissionError

SIZE_LIMIT = 1 << 20
"""Bytes of one file; a hand-written backward pass is a few thousand."""

FILES_LIMIT = 100
"""Python files of one submission."""


@dataclass(frozen=True)
class HandedIn:
    """A submission's file for one exercise: readable, or a problem in words."""

    filename: str
    source: Source | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Submission:
    """One student's work.

    Args:
        name: the folder's name, or the file's without its ending.
        path: where it is.
        digest: SHA-256 over the names and bytes of its Python files, as hexadecimal digits.
        files: what was handed in, by exercise id; an exercise that is not in here was not handed in.
    """

    name: str
    path: Path
    digest: str
    files: Mapping[str, HandedIn] = field(repr=False)


def find(paths: Sequence[Path], exercise_ids: Sequence[str], only: Sequence[str] = ()) -> tuple[Path, ...]:
    """The submissions at some paths.

    Args:
        paths: each a Python file, a submission's folder, or a folder of submissions.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty; a file that is named after no exercise is taken for the
            one that is wanted.

    Returns:
        One path per submission, each once, in the order given; those inside a folder by name.

    Raises:
        SubmissionError: a path that does not exist, or where nothing can be graded, or a lone file and no way
            to tell which exercise it is for.
    """
    found = [one for path in paths for one in _find(path, exercise_ids, only)]
    return tuple(dict.fromkeys(found))


def _find(path: Path, exercise_ids: Sequence[str], only: Sequence[str]) -> Iterator[Path]:
    if not os.path.lexists(path):
        raise SubmissionError(f"{path}: no such file or folder")
    if not path.is_dir():
        if path.suffix != ".py":
            raise SubmissionError(f"{path}: expected a folder or a .py file")
        _exercise_of(path, exercise_ids, only)
        yield path
        return
    if _is_submission(path, exercise_ids):
        yield path
        return
    try:
        inside = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
    except OSError as error:
        raise SubmissionError(f"{path}: cannot be read: {error.strerror}") from error
    submissions = [p for p in inside if _is_submission(p, exercise_ids) or any(p.glob("*.py"))]
    if not submissions:
        names = ", ".join(f"{name}.py" for name in exercise_ids)
        raise SubmissionError(f"{path}: expected a submission with {names} (or a folder of them), found none")
    yield from submissions


def _is_submission(folder: Path, exercise_ids: Sequence[str]) -> bool:
    return any(os.path.lexists(folder / f"{name}.py") for name in exercise_ids)


def read(path: Path, exercise_ids: Sequence[str], only: Sequence[str] = ()) -> Submission:
    """Read one submission, whatever is in it.

    Args:
        path: as :func:`find` gives it.
        exercise_ids: all exercises of the course.
        only: as :func:`find` was given it.
    """
    if path.is_dir():
        modules = _modules(path)
        files = {name: _handed_in(f"{name}.py", modules) for name in exercise_ids if f"{name}.py" in modules}
        return Submission(name_of(path), path, _digest(modules), files)
    modules = {path.name: _bytes(path)}
    files = {_exercise_of(path, exercise_ids, only): _handed_in(path.name, modules)}
    return Submission(name_of(path), path, _digest(modules), files)


def name_of(path: Path) -> str:
    """A submission's name: its folder's, or its file's without its ending; always valid Unicode."""
    name = path.resolve().name if path.is_dir() else path.stem
    return os.fsencode(name).decode("utf-8", "replace")


def _exercise_of(path: Path, exercise_ids: Sequence[str], only: Sequence[str]) -> str:
    named = [name for name in exercise_ids if name in path.stem] or list(only)
    if len(named) != 1:
        raise SubmissionError(
            f"{path}: expected a name that says which exercise it is, such as {exercise_ids[0]}.py, or --exercise"
        )
    return named[0]


def _modules(folder: Path) -> dict[str, bytes | str]:
    """The Python files of a folder by name: their bytes, or what is wrong with them."""
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".py")
    return {path.name: _bytes(path) for path in paths[:FILES_LIMIT]}


def _handed_in(filename: str, modules: Mapping[str, bytes | str]) -> HandedIn:
    content = modules[filename]
    if isinstance(content, str):
        return HandedIn(filename, problem=content)
    helpers = {name: code for name, code in modules.items() if name != filename and isinstance(code, bytes)}
    return HandedIn(filename, Source(filename, content, helpers))


def _bytes(path: Path) -> bytes | str:
    """A file's bytes, or in words why they are not taken.

    Nothing but a regular file is opened: a link could lead to the reference, a FIFO would never end.
    """
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            return f"expected a regular file, found a {_kind(mode)}"
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if len(content) > SIZE_LIMIT:
        return f"expected at most {SIZE_LIMIT} bytes, found more"
    return content


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "symbolic link", stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _digest(modules: Mapping[str, bytes | str]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(modules.items()):
        data = content.encode() if isinstance(content, str) else content
        for part in (os.fsencode(name), data):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
