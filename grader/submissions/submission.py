"""What a student handed in: found, read with care, and digested."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from grader.errors import SubmissionError
from grader.submissions import collect
from grader.submissions.files import (
    Contents,
    FoundFile,
    InMemory,
    OnDisk,
    cannot_read,
    choose_first,
    content_of,
    contents_of,
    file_at,
    files_in,
)
from grader.submissions.limits import (
    FILES_LIMIT,
    HELPERS_LIMIT,
    NOTEBOOK,
    PYTHON,
    SIZE_LIMIT,
    Budget,
)
from grader.submissions.source import HandedIn, Source, Unreadable

__all__ = [
    "FILES_LIMIT",
    "NOTEBOOK",
    "PYTHON",
    "SIZE_LIMIT",
    "Asking",
    "HandedIn",
    "Submission",
    "Unreadable",
    "find",
    "is_submission",
    "name_of",
    "read",
]


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
        path: where it was read, None where it came as bytes or from several places; no part of what it is.
        digest: SHA-256 over the names and bytes of its Python files and notebooks, as hexadecimal digits.
        files: what was handed in, by exercise id; an exercise that is not in here was not handed in.
        unreadable: the files that could not be taken, and why.
    """

    name: str
    path: Path | None = field(compare=False)
    digest: str
    files: Mapping[str, HandedIn] = field(repr=False)
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def from_path(cls, path: Path, course: Asking, only: Sequence[str] = ()) -> Submission:
        """Read a submission from a file or a folder.

        Args:
            path: a Python file, a notebook, a zip, or a student's folder, in which the work may lie deeper.
            course: the course it was handed in for.
            only: ids of the exercises wanted, all where empty.

        Returns:
            The submission; what cannot be taken of it is a problem of the exercises that it would have answered.

        Raises:
            SubmissionError: there is nothing at the path.
        """
        if not os.path.lexists(path):
            raise SubmissionError(f"{path}: no such file or folder")
        wanted = only or course.ids
        if path.is_symlink() or _has_all(path, wanted):
            return read(path, course.ids, only)
        files = files_in(path) if path.is_dir() else [file_at(path)]
        if collect.is_plain(files, wanted):
            return read(path, course.ids, only)
        return replace(collected(name_of(path), files, course.ids, only), path=path)

    @classmethod
    def from_files(
        cls, name: str, files: Mapping[str, bytes], course: Asking, only: Sequence[str] = ()
    ) -> Submission:
        """Take a submission that came as bytes, such as an upload; no file is written for it.

        Args:
            name: what to call it.
            files: the bytes of each file, by its name, which may have folders in it; a zip is unpacked.
            course: the course it was handed in for.
            only: ids of the exercises wanted, all where empty.

        Returns:
            The submission, the same as :meth:`from_path` reads from a folder of that name with those files.
        """
        found = [FoundFile(PurePosixPath(place), InMemory(content)) for place, content in files.items()]
        inside = [one for one in found if not one.place.is_absolute() and ".." not in one.place.parts]
        if collect.is_plain(inside, only or course.ids):
            made = _plain(name, inside, course.ids, only)
        else:
            made = collected(name, inside, course.ids, only)
        for one in found:
            if one not in inside:
                problem = "expected the name of a file inside the submission, found one that leads out of it"
                made = made.lacking(only or course.ids, Unreadable(str(one.place), problem))
        return made

    def lacking(self, exercise_ids: Sequence[str], unreadable: Unreadable) -> Submission:
        """The same, with what could not be taken in place of each of these exercises that is not there."""
        lost = HandedIn.lost(unreadable)
        files = {**{name: lost for name in exercise_ids if name not in self.files}, **self.files}
        told = "\0".join((self.digest, unreadable.filename, unreadable.problem))
        digest = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
        return replace(self, digest=digest, files=files, unreadable=(*self.unreadable, unreadable))


def collected(
    name: str, files: Sequence[FoundFile], exercise_ids: Sequence[str], only: Sequence[str] = ()
) -> Submission:
    """The submission that one student's files make, wherever among them the work lies.

    Args:
        name: what to call it.
        files: the files, by their places in the student's work.
        exercise_ids: all exercises of the course.
        only: the exercises wanted, all where empty.
    """
    contents, lost = collect.take(files, exercise_ids, only or exercise_ids)
    made = _made(name, None, contents, exercise_ids, only)
    for one in lost:
        made = made.lacking(only or exercise_ids, one)
    return made


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
    name = name_of(path)
    if path.is_symlink():
        # Where it leads to is not the student's: another's work, or the reference.
        found = HandedIn(path.name, problem="expected a folder or a file, found a symbolic link")
        return Submission(name, path, _digest({}), dict.fromkeys(exercise_ids, found))
    try:
        files = (
            [FoundFile(PurePosixPath(p.name), OnDisk(p)) for p in path.iterdir()] if path.is_dir() else None
        )
    except OSError as error:
        unreadable = Unreadable(path.name, cannot_read(error), is_ours=True)
        return Submission(name, path, "", {}).lacking(only or exercise_ids, unreadable)
    if files is None:
        content = content_of(path.name, file_at(path), Budget())
        return _made(name, path, {path.name: content}, exercise_ids, only)
    return replace(_plain(name, files, exercise_ids, only), path=path)


def _has_all(folder: Path, wanted: Sequence[str]) -> bool:
    """Whether a folder has a file for each exercise, so that nothing that lies deeper in it is wanted."""
    return all(os.path.lexists(folder / f"{one}{PYTHON}") for one in wanted)


def _plain(
    name: str, files: Sequence[FoundFile], exercise_ids: Sequence[str], only: Sequence[str]
) -> Submission:
    """The submission that the files in one folder make, each under its own name."""
    at_top = {
        one.place.name: one for one in files if one.is_at_top and one.place.suffix in (PYTHON, NOTEBOOK)
    }
    first = choose_first(at_top, exercise_ids, FILES_LIMIT)
    contents = contents_of({one: at_top[one] for one in first}, Budget())
    return _made(name, None, contents, exercise_ids, only)


def _made(
    name: str, path: Path | None, contents: Contents, exercise_ids: Sequence[str], only: Sequence[str]
) -> Submission:
    in_order = dict(sorted(contents.items()))
    files = dict(_files(in_order, exercise_ids, only))
    lost = tuple(one for one in in_order.values() if isinstance(one, Unreadable))
    return Submission(name, path, _digest(in_order), files, lost)


def _files(
    modules: Contents, exercise_ids: Sequence[str], only: Sequence[str]
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


def _script(filename: str, modules: Contents) -> HandedIn:
    content = modules[filename]
    return HandedIn.lost(content) if isinstance(content, Unreadable) else HandedIn(filename, script=content)


def _handed_in(filename: str, modules: Contents) -> HandedIn:
    content = modules[filename]
    if isinstance(content, Unreadable):
        return HandedIn.lost(content)
    helpers = {
        name: code
        for name, code in modules.items()
        if name != filename and name.endswith(PYTHON) and isinstance(code, bytes)
    }
    beside = sum(map(len, helpers.values()))
    if beside > HELPERS_LIMIT:
        problem = (
            f"expected at most {HELPERS_LIMIT >> 20} MiB ({HELPERS_LIMIT} bytes) of Python files beside it, "
            f"found {beside} bytes: leave out what it does not import"
        )
        return HandedIn(filename, problem=problem)
    return HandedIn(filename, Source(filename, content, helpers))


def _digest(modules: Contents) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(modules.items()):
        data = content.problem.encode("utf-8", "replace") if isinstance(content, Unreadable) else content
        for part in (_encoded(name), data):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _encoded(name: str) -> bytes:
    """A file's name as bytes, the same on every system; one in no encoding comes back as its own bytes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")
