"""What a student handed in: found, read with care, and digested."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from grader.errors import SubmissionError
from grader.submissions.source import Source

SIZE_LIMIT = 1 << 20
"""Bytes of one file; a hand-written backward pass is a few thousand."""

HELPERS_LIMIT = 4 << 20
"""Bytes of the modules beside it, which travel into its box with it."""

NOTEBOOK_LIMIT = 20 << 20
"""Bytes of a notebook, whose plots are in it."""

FILES_LIMIT = 100
"""Python files of one submission."""

PYTHON, NOTEBOOK = ".py", ".ipynb"


@dataclass(frozen=True)
class HandedIn:
    """A submission's file for one exercise.

    Exactly one of these is there: ``source``, the stubs as they are; ``script``, a notebook or a script in the
    lecture's style, still to be read for its stubs; or ``problem``, why it cannot be taken, in words.
    ``is_ours`` says that the problem is a fault of the grader's, for which a student loses no point.
    """

    filename: str
    source: Source | None = None
    script: bytes | None = field(default=None, repr=False)
    problem: str | None = None
    is_ours: bool = False


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be taken, and why."""

    filename: str
    problem: str


class Asking(Protocol):
    """What asks for work: a course, by the ids of its exercises."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all exercises, in order."""
        ...


@dataclass(frozen=True)
class Submission:
    """One student's work, as bytes: it can be pickled and graded on a machine that has none of the files.

    Args:
        name: the folder's name, or the file's without its ending.
        path: where it was read, None where it came as bytes; no part of what it is.
        digest: SHA-256 over the names and bytes of its Python files and notebooks, as hexadecimal digits.
        files: what was handed in, by exercise id; an exercise that is not in here was not handed in.
    """

    name: str
    path: Path | None = field(compare=False)
    digest: str
    files: Mapping[str, HandedIn] = field(repr=False)

    @classmethod
    def from_path(cls, path: Path, course: Asking, only: Sequence[str] = ()) -> Submission:
        """Read a submission from a file or a folder.

        Args:
            path: a Python file, a notebook, or a student's folder.
            course: the course it was handed in for.
            only: ids of the exercises wanted, all where empty.

        Returns:
            The submission; what cannot be taken of it is a problem of the exercises that it would have answered.
        """
        return read(path, course.ids, only)

    @classmethod
    def from_files(
        cls, name: str, files: Mapping[str, bytes], course: Asking, only: Sequence[str] = ()
    ) -> Submission:
        """Take a submission that came as bytes, such as an upload; no file is written for it.

        Args:
            name: what to call it.
            files: the bytes of each file, by its name.
            course: the course it was handed in for.
            only: ids of the exercises wanted, all where empty.

        Returns:
            The submission, the same as :meth:`from_path` reads from a folder of that name with those files.
        """
        first = _first([name for name in files if _is_taken(name)], course.ids)
        modules = {one: _within_limit(one, files[one]) for one in first}
        return cls(name, None, _digest(modules), dict(_files(modules, course.ids, only)))

    def lacking(self, exercise_ids: Sequence[str], unreadable: Unreadable) -> Submission:
        """The same, with what could not be taken in place of each of these exercises that is not there."""
        lost = HandedIn(unreadable.filename, problem=unreadable.problem)
        files = {**{name: lost for name in exercise_ids if name not in self.files}, **self.files}
        told = "\0".join((self.digest, unreadable.filename, unreadable.problem))
        return replace(self, digest=hashlib.sha256(told.encode("utf-8", "replace")).hexdigest(), files=files)


def find(paths: Sequence[Path], exercise_ids: Sequence[str], only: Sequence[str] = ()) -> tuple[Path, ...]:
    """The submissions at some paths.

    Args:
        paths: each a Python file, a notebook, a submission's folder, or a folder of submissions.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty; a Python file that is named after no exercise is taken for
            the one that is wanted, or read as a script where that is not one.

    Returns:
        One path per submission, each once, in the order given; those inside a folder by name.

    Raises:
        SubmissionError: a path that does not exist, or where nothing can be graded.
    """
    found = [one for path in paths for one in _find(path, exercise_ids, only)]
    return tuple(dict.fromkeys(found))


def _find(path: Path, exercise_ids: Sequence[str], only: Sequence[str]) -> Iterator[Path]:
    if not os.path.lexists(path):
        raise SubmissionError(f"{path}: no such file or folder")
    if not path.is_dir():
        if path.suffix not in (PYTHON, NOTEBOOK):
            raise SubmissionError(f"{path}: expected a folder, a .py or an .ipynb file")
        yield path
        return
    if is_submission(path, exercise_ids):
        yield path
        return
    try:
        inside = sorted(p for p in path.iterdir() if _may_be_one(p))
    except OSError as error:
        raise SubmissionError(f"{path}: cannot be read: {error.strerror}") from error
    if not inside:
        names = ", ".join(f"{name}.py" for name in exercise_ids)
        raise SubmissionError(
            f"{path}: expected a submission with {names} or a notebook (or a folder of them), found none"
        )
    yield from inside


def is_submission(folder: Path, exercise_ids: Sequence[str]) -> bool:
    """Whether a folder is one student's work: it has a file named after an exercise, or one notebook."""
    named = any(os.path.lexists(folder / f"{name}{PYTHON}") for name in exercise_ids)
    return named or len(list(folder.glob(f"*{NOTEBOOK}"))) == 1


def _may_be_one(path: Path) -> bool:
    """Whether something in a folder of submissions is one: a notebook, or a folder with work in it."""
    if path.name.startswith((".", "__")):
        return False
    if path.is_dir():
        return any(any(path.glob(f"*{ending}")) for ending in (PYTHON, NOTEBOOK))
    return path.suffix == NOTEBOOK


def read(path: Path, exercise_ids: Sequence[str], only: Sequence[str] = ()) -> Submission:
    """Read one submission, whatever is in it; what cannot be read is a problem of its exercises.

    Args:
        path: as :func:`find` gives it.
        exercise_ids: all exercises of the course.
        only: as :func:`find` was given it.
    """
    if path.is_symlink():
        # Where it leads to is not the student's: another's work, or the reference.
        found = HandedIn(path.name, problem="expected a folder or a file, found a symbolic link")
        return Submission(name_of(path), path, _digest({}), dict.fromkeys(exercise_ids, found))
    try:
        modules = _modules(path, exercise_ids) if path.is_dir() else {path.name: _bytes(path)}
    except OSError as error:
        unreadable = Unreadable(path.name, f"cannot be read: {error.strerror}")
        return Submission(name_of(path), path, "", {}).lacking(only or exercise_ids, unreadable)
    files = dict(_files(modules, exercise_ids, only))
    return Submission(name_of(path), path, _digest(modules), files)


def _files(
    modules: Mapping[str, bytes | str], exercise_ids: Sequence[str], only: Sequence[str]
) -> Iterator[tuple[str, HandedIn]]:
    """What was handed in for each exercise: the file named after it, else the one notebook or script there is."""
    for name in exercise_ids:
        named = [file for file in modules if file.endswith(PYTHON) and name in file]
        exact = [file for file in named if file == f"{name}{PYTHON}"]
        if exact or (named and len(modules) == 1):
            yield name, _handed_in((exact or named)[0], modules)
    taken = [file for file in modules if any(name in file for name in exercise_ids) and file.endswith(PYTHON)]
    notebooks = [file for file in modules if file.endswith(NOTEBOOK)]
    rest = [name for name in exercise_ids if f"{name}{PYTHON}" not in modules]
    if len(notebooks) == 1:
        yield from ((name, _script(notebooks[0], modules)) for name in rest)
    elif notebooks:
        found = HandedIn(notebooks[0], problem=f"expected one notebook, found {', '.join(notebooks)}")
        yield from ((name, found) for name in rest)
    elif not taken and len(modules) == 1:
        (file,) = modules
        if len(only) == 1:
            yield only[0], _handed_in(file, modules)
        else:
            yield from ((name, _script(file, modules)) for name in rest)


def name_of(path: Path) -> str:
    """A submission's name: its folder's, or its file's without its ending; always valid Unicode."""
    whole = path if path.name not in ("", "..") else path.resolve()
    name = whole.name if whole.is_dir() else whole.stem
    return os.fsencode(name).decode("utf-8", "replace")


def limit_of(filename: str) -> int:
    """How many bytes a file of that name may have."""
    return NOTEBOOK_LIMIT if filename.endswith(NOTEBOOK) else SIZE_LIMIT


def _modules(folder: Path, exercise_ids: Sequence[str]) -> dict[str, bytes | str]:
    """The Python files and notebooks of a folder by name: their bytes, or what is wrong with them."""
    names = [path.name for path in folder.iterdir() if _is_taken(path.name)]
    return {name: _bytes(folder / name) for name in _first(names, exercise_ids)}


def _is_taken(name: str) -> bool:
    """Whether a file of that name is read: it lies in no folder, and is Python or a notebook."""
    return PurePosixPath(name).name == name and PurePosixPath(name).suffix in (PYTHON, NOTEBOOK)


def _first(names: Sequence[str], exercise_ids: Sequence[str]) -> list[str]:
    """The names of the files to read; of too many, those that are named after exercises come first."""
    by_need = sorted(names, key=lambda name: (PurePosixPath(name).stem not in exercise_ids, name))
    return sorted(by_need[:FILES_LIMIT])


def _script(filename: str, modules: Mapping[str, bytes | str]) -> HandedIn:
    content = modules[filename]
    return (
        HandedIn(filename, problem=content)
        if isinstance(content, str)
        else HandedIn(filename, script=content)
    )


def _handed_in(filename: str, modules: Mapping[str, bytes | str]) -> HandedIn:
    content = modules[filename]
    if isinstance(content, str):
        return HandedIn(filename, problem=content)
    helpers = {
        name: code
        for name, code in modules.items()
        if name != filename and name.endswith(PYTHON) and isinstance(code, bytes)
    }
    if sum(map(len, helpers.values())) > HELPERS_LIMIT:
        return HandedIn(filename, problem=f"expected at most {HELPERS_LIMIT} bytes beside it, found more")
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
            limit = limit_of(path.name)
            content = file.read(limit + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _within_limit(path.name, content)


def _within_limit(filename: str, content: bytes) -> bytes | str:
    limit = limit_of(filename)
    return content if len(content) <= limit else f"expected at most {limit} bytes, found more"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "symbolic link",
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
    }
    return kinds.get(stat.S_IFMT(mode), "device")


def _digest(modules: Mapping[str, bytes | str]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(modules.items()):
        data = content.encode() if isinstance(content, str) else content
        for part in (_encoded(name), data):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _encoded(name: str) -> bytes:
    """A file's name as bytes, the same on every system; one in no encoding comes back as its own bytes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")
