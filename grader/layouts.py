"""The layouts that instructors really have, laid out as one folder per student.

* a folder per student, as it is;
* a flat folder of files ``name_ex1_step_by_step.py``;
* what Moodle, Canvas and Gradescope give when one asks for all submissions, as a zip or unpacked:

  ====================  ==================================================================
  Moodle                ``Ada Lovelace_12345_assignsubmission_file_/ex1_step_by_step.py``,
                        or folder and file in one name
  Canvas                ``lovelaceada_LATE_340934_208490284_ex1_step_by_step-1.py``
  Gradescope            ``assignment_1_export/submission_2/ex1_step_by_step.py``, and in
                        ``assignment_1_export/submission_metadata.yml`` who that is
  ====================  ==================================================================

Where a student handed in a zip, what is in it counts as handed in. Only files that could be graded are taken
out, under names of our own making: no name in an archive ever becomes a path.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader import archive, submission
from grader.errors import OperatorError, SubmissionError

SUFFIXES = (".py", ".ipynb")
"""Endings of files that can be graded."""

ZIP = ".zip"
METADATA = "submission_metadata.yml"

MOODLE = re.compile(r"(?P<who>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?")
CANVAS = re.compile(r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<file>.+)")
COPY = re.compile(r"(?:[-_ ]?\((?P<a>\d+)\)|-(?P<b>\d+))$")
"""What is added to the name of a file that was handed in, or downloaded, more than once."""

JUNK = ("__MACOSX", "__pycache__", ".ipynb_checkpoints")

FILE_LIMIT = submission.SIZE_LIMIT
ZIP_LIMIT = 16 << 20
FILES_LIMIT = 200
"""Bytes of a file and of a zip that a student hands in, and files of one student that are taken out."""


Members = Mapping[str, tuple[tuple[str, ...], ...]]
"""For each folder, all that each of those is known as who handed it in."""


@dataclass(frozen=True)
class Found:
    """One submission, and by what else than its folder's name its student may be known.

    Args:
        path: a folder or a file, as :func:`grader.submission.read` takes it.
        known_as: for each of those who handed it in together: ids, addresses and names.
    """

    path: Path
    known_as: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """The submission's name."""
        return submission.name_of(self.path)


@dataclass(frozen=True)
class Layout:
    """The submissions found, and what an operator should know about how."""

    found: tuple[Found, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A file that was found: where, and how to get at most so many bytes of it."""

    place: PurePosixPath
    read: Callable[[int], bytes] = field(repr=False)


@dataclass(frozen=True)
class Owner:
    """Whose a file is: the name of their folder, what else they are known as, and its place in their work."""

    folder: str
    known_as: tuple[tuple[str, ...], ...]
    place: PurePosixPath


@contextmanager
def laid_out(
    paths: Sequence[Path], exercise_ids: Sequence[str], only: Sequence[str] = ()
) -> Iterator[Layout]:
    """The submissions at some paths; what had to be laid out anew is removed afterwards.

    Args:
        paths: each a submission, a folder in one of the layouts above, or a zip of such.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty.

    Raises:
        OperatorError: nothing can be graded there, or an archive is broken or far too large.
    """
    with ExitStack() as stack:

        def room() -> Path:
            # Made only where something is laid out anew: who is killed leaves nothing behind elsewhere.
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))

        layouts = [_laid_out(path, room, exercise_ids, only) for path in paths]
        found = dict.fromkeys(one for layout in layouts for one in layout.found)
        yield Layout(tuple(found), tuple(notice for layout in layouts for notice in layout.notices))


def _laid_out(path: Path, room: Callable[[], Path], ids: Sequence[str], only: Sequence[str]) -> Layout:
    if path.suffix.lower() == ZIP and path.is_file():
        with archive.opened(path) as entries:
            pieces = [Piece(entry.place, entry.read) for entry in entries if not _is_junk(entry.place)]
            return Students(ids, path).settle(pieces, room())
    if path.is_dir() and Students(ids, path).are_told_by_names():
        pieces = [Piece(place, _reader(path / place)) for place in _places(path)]
        return Students(ids, path).settle(pieces, room())
    return Layout(tuple(map(Found, submission.find([path], ids, only))))


def _places(folder: Path) -> list[PurePosixPath]:
    """Every file below a folder, by its place in it; links to folders are not followed."""
    walked = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    places = (PurePosixPath(path.relative_to(folder).as_posix()) for path in walked)
    return sorted(place for place in places if not _is_junk(place))


def _reader(path: Path) -> Callable[[int], bytes]:
    """Reads a regular file; nothing else is opened, because a link could lead to the reference."""

    def read(limit: int) -> bytes:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise archive.Unpackable("expected a regular file")
        with path.open("rb") as file:
            return file.read(limit + 1)

    return read


def _is_junk(place: PurePosixPath) -> bool:
    return any(part in JUNK or part.startswith("._") for part in place.parts)


@dataclass
class Students:
    """Tells whose each file is, and gives every student a folder.

    Args:
        ids: all exercises of the course.
        source: the archive or folder, for messages, and as the student's name where it is one student's own.
    """

    ids: Sequence[str]
    source: Path
    _notices: list[str] = field(default_factory=list)

    def are_told_by_names(self) -> bool:
        """Whether names in a folder say whose work is whose: it is no folder per student, then."""
        try:
            inside = [path.name for path in self.source.iterdir()]
        except OSError:
            return False  # the one who reads it next will say so
        if any(map(self._exercise, inside)):
            return False  # a submission itself
        return METADATA in inside or any(map(self._from_name, inside))

    def settle(self, pieces: Sequence[Piece], room: Path) -> Layout:
        """Give every student a folder of their own with what can be graded.

        Raises:
            SubmissionError: there is nothing.
        """
        members = _members(pieces)
        handed_in = [piece for piece in pieces if piece.place.suffix.lower() in (*SUFFIXES, ZIP)]
        depth = self._depth([piece.place for piece in handed_in], members)
        work: dict[str, list[tuple[PurePosixPath, Piece]]] = {}
        known: dict[str, tuple[tuple[str, ...], ...]] = {}
        for piece in handed_in:
            owner = self._owner(piece.place.parts[depth:], members)
            if owner is None:
                self._notices.append(f"{self.source}: {piece.place}: nothing tells whose it is")
            else:
                work.setdefault(owner.folder, []).append((owner.place, piece))
                known[owner.folder] = owner.known_as
        found = [Found(self._furnish(room / _safe(name), work[name]), known[name]) for name in sorted(work)]
        if not any(self._exercise(file.name) for one in found for file in one.path.iterdir()):
            names = ", ".join(f"{name}.py" for name in self.ids)
            raise SubmissionError(f"{self.source}: expected submissions with {names}, found none")
        return Layout(tuple(found), tuple(self._notices))

    def _depth(self, places: Sequence[PurePosixPath], members: Members) -> int:
        """How many folders lie around all students' work: ``class/ada/ex1.py`` is in one.

        At that depth alone a name says whose a file is. Deeper down, names are the students' own, and must
        not be able to make their work somebody else's.
        """
        depth = 0
        while places and all(len(place.parts) > depth + 1 for place in places):
            parts = {place.parts[depth] for place in places}
            own = any(len(place.parts) == depth + 2 and self._exercise(place.name) for place in places)
            if len(parts) > 1 or own or any(part in members or self._from_name(part) for part in parts):
                break
            depth += 1
        return depth

    def _owner(self, parts: Sequence[str], members: Members) -> Owner | None:
        """Whose a file is.

        Args:
            parts: its place without the folders around all students' work.
            members: who handed in which folder, where the archive tells.
        """
        first, rest = parts[0], parts[1:]
        named = self._from_name(first)
        if first in members and rest:
            return Owner(first, members[first], PurePosixPath(*rest))
        if named is not None and (rest or named.place.name):
            return Owner(named.folder, named.known_as, named.place.joinpath(*rest))
        if rest:
            return Owner(first, (), PurePosixPath(*rest))
        return Owner(self.source.stem, (), PurePosixPath(first)) if self._exercise(first) else None

    def _from_name(self, name: str) -> Owner | None:
        """Whose a file or folder is by its name alone: Moodle's, Canvas's, or ``name_exercise.py``."""
        for pattern in (MOODLE, CANVAS):
            if found := pattern.fullmatch(name):
                who, number = found["who"].strip(), found["id"]
                return Owner(f"{who}_{number}", ((who, number),), PurePosixPath(found["file"] or ""))
        for exercise in self.ids:
            flat = re.fullmatch(rf"(?P<who>.+?)[-_. ](?P<file>{re.escape(exercise)}\W.*)", name)
            if flat and self._exercise(flat["file"]):
                return Owner(flat["who"], (), PurePosixPath(flat["file"]))
        return None

    def _exercise(self, name: str) -> str | None:
        """What an exercise's file is to be called, None for any other file: copies have a number added."""
        path = PurePosixPath(name)
        stem = COPY.sub("", path.stem)
        return f"{stem}{path.suffix}" if stem in self.ids and path.suffix in SUFFIXES else None

    def _furnish(self, folder: Path, work: Iterable[tuple[PurePosixPath, Piece]]) -> Path:
        """Write a student's files into their folder."""
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            files = [one for place, piece in work for one in self._unpacked(place, piece, stack)]
            for name, piece in self._chosen(files).items():
                try:
                    (folder / name).write_bytes(piece.read(FILE_LIMIT))
                except (archive.Unpackable, OSError) as error:
                    self._notices.append(f"{self.source}: {piece.place}: {error}")
        return folder

    def _unpacked(
        self, place: PurePosixPath, piece: Piece, stack: ExitStack
    ) -> Iterator[tuple[PurePosixPath, Piece]]:
        """A file, or those in it if it is a zip; a zip in a zip in a zip is nobody's homework."""
        if place.suffix.lower() != ZIP:
            yield place, piece
            return
        try:
            content = piece.read(ZIP_LIMIT)
            if len(content) > ZIP_LIMIT:
                raise archive.Unpackable(f"is larger than {ZIP_LIMIT} bytes")
            for entry in stack.enter_context(archive.opened(content)):
                if not _is_junk(entry.place):
                    yield place.parent / entry.place, Piece(piece.place / entry.place, entry.read)
        except (archive.Unpackable, OperatorError) as error:
            self._notices.append(f"{self.source}: {piece.place}: {error}")

    def _chosen(self, files: Sequence[tuple[PurePosixPath, Piece]]) -> Mapping[str, Piece]:
        """The files of the topmost folder with an exercise in it, by the name each is to have."""
        gradable = [(place, piece) for place, piece in files if place.suffix in SUFFIXES]
        homes = [place.parent for place, _ in gradable if self._exercise(place.name)]
        if not homes:
            return {}
        home = min(homes, key=lambda folder: (len(folder.parts), str(folder)))
        inside = sorted((one for one in gradable if one[0].parent == home), key=lambda one: _copy(one[0]))
        # Of several copies the last one counts.
        named = {_safe(self._exercise(place.name) or place.name): piece for place, piece in inside}
        return dict(list(named.items())[:FILES_LIMIT])


def _copy(place: PurePosixPath) -> int:
    """Which copy of a file that is; 0 for one without a number."""
    found = COPY.search(place.stem)
    return int(found["a"] or found["b"]) if found else 0


def _safe(name: str) -> str:
    """A name as a name of one file on any system: no separators, nothing hidden, not too long."""
    flat = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(" .") or "_"
    return flat.encode("utf-8", "replace")[:150].decode("utf-8", "ignore")


def _members(pieces: Iterable[Piece]) -> Members:
    """Who handed in which of Gradescope's folders, nobody where there is no metadata."""
    for piece in pieces:
        if piece.place.name == METADATA:
            with suppress(archive.Unpackable):
                return members(piece.read(archive.METADATA_LIMIT).decode("utf-8", "replace"))
    return {}


def members(metadata: str) -> Members:
    """What Gradescope's metadata tells of who handed in what; of YAML, no more than Gradescope writes.

    Args:
        metadata: the text of ``submission_metadata.yml``.

    Returns:
        For each folder, the id, address and name of everybody who handed it in.
    """
    found: dict[str, list[dict[str, str]]] = {}
    folder, inside = "", False
    for line in metadata.splitlines():
        if top := re.fullmatch(r"(\S[^:]*):\s*", line):
            folder, inside = top[1], False
        elif heading := re.fullmatch(r"  :?(\w+):.*", line):
            inside = heading[1] == "submitters"
        elif inside and (person := re.fullmatch(r"\s*(- )?\s*:(name|sid|email):\s*(.*?)\s*", line)):
            group = found.setdefault(folder, [])
            if person[1] or not group:
                group.append({})
            group[-1][person[2]] = _scalar(person[3])
    return {
        name: tuple(tuple(filter(None, map(one.get, ("sid", "email", "name")))) for one in group)
        for name, group in found.items()
    }


def _scalar(text: str) -> str:
    """A plain or quoted scalar of YAML, as far as names and numbers go."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return "" if text in ("null", "~") else text
