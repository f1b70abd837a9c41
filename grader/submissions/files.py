"""Files that were found, in a folder, in a zip or as bytes, before anything of them is read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.submissions.limits import NOTEBOOK, PYTHON, ZIP, Budget, Readable, TooLarge, Untakeable, limit_of
from grader.submissions.source import Unreadable

JUNK = ("__MACOSX", "__pycache__", ".ipynb_checkpoints")
"""Folders that a system or a tool makes."""

NAME_BYTES = 150
"""Of a name; file systems take some more."""

Contents = Mapping[str, bytes | Unreadable]
"""The bytes of files by name, or why one cannot be taken."""


@dataclass(frozen=True)
class FoundFile:
    """A file that was found.

    Args:
        place: where, among the files of its student or of all.
        content: what its bytes can be had from.
    """

    place: PurePosixPath
    content: Readable = field(repr=False)

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case."""
        return self.place.suffix.lower()

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return self.suffix == NOTEBOOK

    @property
    def is_gradable(self) -> bool:
        """Whether it is Python or a notebook."""
        return self.suffix in (PYTHON, NOTEBOOK)

    @property
    def is_work(self) -> bool:
        """Whether it can be graded, or may hold what can."""
        return self.is_gradable or self.suffix == ZIP

    @property
    def is_refused(self) -> bool:
        """Whether it is a folder that the system does not let us look into."""
        return isinstance(self.content, Refused)

    @property
    def is_at_top(self) -> bool:
        """Whether it lies in no folder."""
        return len(self.place.parts) == 1

    def check(self) -> Unreadable | None:
        """What keeps it from being taken, as far as can be seen without reading it."""
        try:
            self.content.check(limit_of(self.place.name))
        except (Untakeable, OSError) as error:
            return unreadable(str(self.place), error)
        return None


@dataclass(frozen=True)
class OnDisk:
    """A file in a folder. Only a regular file is opened: a link could lead to the reference, a FIFO never end."""

    path: Path

    def check(self, limit: int) -> None:
        """Refuse what is no regular file."""
        mode = self.path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise Untakeable(f"expected a regular file, found a {_kind(mode)}")

    def read(self, limit: int) -> bytes:
        """Read it; what it was replaced by meanwhile is not followed."""
        self.check(limit)
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(self.path, flags), "rb") as file:
            return file.read(limit + 1)


@dataclass(frozen=True)
class InMemory:
    """A file that came as bytes."""

    content: bytes = field(repr=False)

    def check(self, limit: int) -> None:
        """Refuse nothing: its size is told once it is read."""

    def read(self, limit: int) -> bytes:
        """Return its bytes."""
        return self.content[: limit + 1]


@dataclass(frozen=True)
class Refused:
    """A folder that the system does not let us look into."""

    error: OSError

    def check(self, limit: int) -> None:
        """Say what the system said."""
        raise self.error

    def read(self, limit: int) -> bytes:
        """Say what the system said."""
        raise self.error


def files_in(folder: Path) -> list[FoundFile]:
    """Every file below a folder, by its place in it.

    Links to folders are not followed, and count as files; so does a folder that may not be looked into.
    """
    refused: list[OSError] = []
    found: dict[PurePosixPath, Readable] = {}
    for at, folders, names in os.walk(folder, onerror=refused.append):
        links = (one for one in folders if os.path.islink(os.path.join(at, one)))
        for name in (*names, *links):
            found[_place(Path(at, name), folder)] = OnDisk(Path(at, name))
    for error in refused:
        found[_place(Path(os.fsdecode(error.filename)), folder)] = Refused(error)
    return [FoundFile(place, found[place]) for place in sorted(found) if not is_junk(place)]


def _place(path: Path, folder: Path) -> PurePosixPath:
    """A path's place in a folder, or the folder's own name for itself."""
    return PurePosixPath(path.relative_to(folder).as_posix() if path != folder else folder.name or ".")


def file_at(path: Path) -> FoundFile:
    """One file, by its name alone."""
    return FoundFile(PurePosixPath(path.name), OnDisk(path))


def is_junk(place: PurePosixPath) -> bool:
    """Whether a file was put there by a system or a tool, not by a student."""
    return any(part in JUNK or part.startswith("._") for part in place.parts)


def safe(name: str) -> str:
    """A name as a name of one file on any system: no separators, nothing hidden, not too long."""
    flat = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(" .") or "_"
    return flat.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")


def contents_of(files: Mapping[str, FoundFile], budget: Budget) -> dict[str, bytes | Unreadable]:
    """Read files, in their order, as far as a budget goes.

    Args:
        files: the files, by the names they are to have.
        budget: what may be read; it is used up.
    """
    return {name: content_of(name, file, budget) for name, file in files.items()}


def content_of(name: str, file: FoundFile, budget: Budget) -> bytes | Unreadable:
    """Read a file.

    Args:
        name: the name it is to have.
        file: the file.
        budget: what may be read; it is used up.
    """
    try:
        return budget.read(name, file.content)
    except TooLarge as error:
        return Unreadable(name, str(error))
    except (Untakeable, OSError) as error:
        return unreadable(str(file.place) if not file.is_at_top else name, error)


def unreadable(filename: str, error: Untakeable | OSError) -> Unreadable:
    """What to say of a file that was not read: a student is not to blame for what the system refuses us."""
    if isinstance(error, Untakeable):
        return Unreadable(filename, str(error))
    return Unreadable(filename, cannot_read(error), is_ours=True)


def cannot_read(error: OSError) -> str:
    """What the operator can do about a file or folder that the system refuses to read."""
    reason = error.strerror or type(error).__name__
    return (
        f"cannot be read: {reason}. Whoever runs the grader needs the right to read it; then grade it again"
    )


def choose_first(names: Iterable[str], exercise_ids: Iterable[str], limit: int) -> list[str]:
    """So many names of files: those of exercises before others, then in order of the alphabet."""
    own = {f"{one}{PYTHON}" for one in exercise_ids}
    return sorted(names, key=lambda name: (name not in own, name))[:limit]


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "symbolic link",
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
    }
    return kinds.get(stat.S_IFMT(mode), "device")
