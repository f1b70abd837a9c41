"""One student's files, however they were handed in, as a folder of those that can be graded.

They may lie in folders, in a zip, be copies with a number added, or have the student's name before the exercise's.
Only files that could be graded are taken, under names of our own making: no name in an archive becomes a path.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.errors import UsageError
from grader.submissions import archive, submission
from grader.submissions.submission import Unreadable

ZIP = ".zip"
SUFFIXES = (submission.PYTHON, submission.NOTEBOOK)
"""Endings of files that can be graded."""

COPY = re.compile(r"(?:[-_ ]?\((?P<a>\d+)\)|-(?P<b>\d+))$")
"""What is added to the name of a file that was handed in, or downloaded, more than once."""

JUNK = ("__MACOSX", "__pycache__", ".ipynb_checkpoints")

ZIP_LIMIT = 16 << 20
FILES_LIMIT = submission.FILES_LIMIT
"""Bytes of a zip that a student hands in, and files of one student that are taken out."""

NAME_BYTES = 150
"""Of a name; file systems take some more."""


@dataclass(frozen=True)
class FoundFile:
    """A file that was found.

    Args:
        place: where, among the files of its student or of all.
        read: gets at most so many bytes of it and one more.
    """

    place: PurePosixPath
    read: Callable[[int], bytes] = field(repr=False)

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case."""
        return self.place.suffix.lower()

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return self.suffix == submission.NOTEBOOK

    @property
    def is_gradable(self) -> bool:
        """Whether it is Python or a notebook."""
        return self.suffix in SUFFIXES

    @property
    def is_work(self) -> bool:
        """Whether it can be graded, or may hold what can."""
        return self.is_gradable or self.suffix == ZIP


def files_in(folder: Path) -> list[FoundFile]:
    """Every file below a folder, by its place in it; links to folders are not followed."""
    walked = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    places = (PurePosixPath(path.relative_to(folder).as_posix()) for path in walked)
    return [FoundFile(place, _reader(folder / place)) for place in sorted(places) if not is_junk(place)]


def file_at(path: Path) -> FoundFile:
    """One file, as a piece of that name."""
    return FoundFile(PurePosixPath(path.name), _reader(path))


def is_junk(place: PurePosixPath) -> bool:
    """Whether a file was put there by a system or a tool, not by a student."""
    return any(part in JUNK or part.startswith("._") for part in place.parts)


def exercise_of(name: str, ids: Iterable[str]) -> str | None:
    """The exercise a Python file is named after: copies have a number added, some the student's name before it."""
    path = PurePosixPath(name)
    if path.suffix.lower() != submission.PYTHON:
        return None
    stem = COPY.sub("", path.stem)
    return next((one for one in ids if re.fullmatch(rf"(?:.*[-_. ])?{re.escape(one)}", stem)), None)


def write_submission(
    folder: Path, files: Sequence[FoundFile], ids: Sequence[str], wanted: Sequence[str]
) -> tuple[Unreadable, ...]:
    """Make a folder of what can be graded of one student's files.

    Args:
        folder: to be made.
        files: the files, by their places in the student's work.
        ids: all exercises of the course.
        wanted: those that are graded.

    Returns:
        What could not be taken, and why.
    """
    folder.mkdir(parents=True)
    unreadable: list[Unreadable] = []
    with ExitStack() as stack:
        unpacked = (one for file in files for one in _unpacked(file, stack, unreadable))
        gradable = [file for file in unpacked if file.is_gradable]
        named = _named(gradable, ids, unreadable)
        written = [_write(folder / name, file, unreadable) for name, file in named.items()]
        # What lies beside an exercise that cannot be taken is not to be taken for it.
        if any(written) or not named:
            for name, file in _beside(gradable, named, ids).items():
                _write(folder / name, file, unreadable)
    if files and not unreadable and not any(folder.iterdir()):
        expected = f"expected {', '.join(f'{name}.py' for name in wanted)} or a notebook"
        unreadable.append(Unreadable(str(files[0].place), expected))
    return tuple(unreadable)


def _write(path: Path, file: FoundFile, unreadable: list[Unreadable]) -> bool:
    """Write a file; whether it could be."""
    try:
        path.write_bytes(file.read(submission.limit_of(path.name)))
    except (archive.Unpackable, OSError) as error:
        unreadable.append(Unreadable(str(file.place), str(error)))
        return False
    return True


def safe(name: str) -> str:
    """A name as a name of one file on any system: no separators, nothing hidden, not too long."""
    flat = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(" .") or "_"
    return flat.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")


def _reader(path: Path) -> Callable[[int], bytes]:
    """Reads a regular file; nothing else is opened, because a link could lead to the reference."""

    def read(limit: int) -> bytes:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise archive.Unpackable("expected a regular file")
        with path.open("rb") as file:
            return file.read(limit + 1)

    return read


def _unpacked(file: FoundFile, stack: ExitStack, unreadable: list[Unreadable]) -> Iterator[FoundFile]:
    """A file, or those in it if it is a zip; a zip in a zip in a zip is nobody's homework."""
    if file.suffix != ZIP:
        yield file
        return
    try:
        content = file.read(ZIP_LIMIT)
        if len(content) > ZIP_LIMIT:
            raise archive.Unpackable(f"is larger than {ZIP_LIMIT} bytes")
        for entry in stack.enter_context(archive.opened(content)):
            if entry.place.suffix.lower() == ZIP:
                unreadable.append(Unreadable(f"{file.place}/{entry.place}", "a zip in a zip is not unpacked"))
            elif not is_junk(entry.place):
                yield FoundFile(file.place.parent / entry.place, entry.read)
    except (archive.Unpackable, UsageError, OSError) as error:
        unreadable.append(Unreadable(str(file.place), str(error)))


def _named(
    gradable: Sequence[FoundFile], ids: Sequence[str], unreadable: list[Unreadable]
) -> dict[str, FoundFile]:
    """The file of each exercise, the topmost there is, by the name it is to have."""
    return {f"{one}.py": best for one in ids if (best := _best(one, gradable, ids, unreadable)) is not None}


def _beside(
    gradable: Sequence[FoundFile], named: Mapping[str, FoundFile], ids: Sequence[str]
) -> Mapping[str, FoundFile]:
    """What lies beside the exercises, and the topmost notebook, or script where there are no exercises."""
    homes = [file.place.parent for file in named.values()]
    if len(named) < len(ids):
        others = [file for file in gradable if not named or file.is_notebook]
        homes += [file.place.parent for file in _topmost(others)[:1]]
    beside: dict[str, FoundFile] = {}
    for file in (one for home in dict.fromkeys(homes) for one in gradable if one.place.parent == home):
        if exercise_of(file.place.name, ids) is None:
            beside.setdefault(f"{safe(file.place.stem)}{file.suffix}", file)
    return dict(list(beside.items())[: FILES_LIMIT - len(named)])


def _best(
    exercise: str, gradable: Iterable[FoundFile], ids: Sequence[str], unreadable: list[Unreadable]
) -> FoundFile | None:
    """The file to take for an exercise, None where there is none or where nothing tells which."""
    top = _topmost([file for file in gradable if exercise_of(file.place.name, ids) == exercise])
    if len({file.place.parent for file in top}) > 1:
        found = ", ".join(str(file.place) for file in top)
        unreadable.append(Unreadable(f"{exercise}.py", f"expected one, found {found}"))
        return None
    # Of several copies the last one counts.
    return max(top, key=lambda file: _rank(file, exercise)) if top else None


def _topmost(files: Sequence[FoundFile]) -> list[FoundFile]:
    depth = min((len(file.place.parts) for file in files), default=0)
    return [file for file in files if len(file.place.parts) == depth]


def _rank(file: FoundFile, exercise: str) -> tuple[bool, int]:
    """How much a file is an exercise's: with nothing before its name, and the last copy."""
    found = COPY.search(file.place.stem)
    number = int(found["a"] or found["b"]) if found else 0
    return COPY.sub("", file.place.stem) == exercise, number
