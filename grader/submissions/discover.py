"""The layouts that instructors really have, laid out as one folder per student.

* a folder per student, as it is; where a student's work lies deeper in it, in a zip, or under other names, it is
  laid out anew;
* a flat folder of files ``name_ex1_step_by_step.py``;
* what Moodle, Canvas and Gradescope give when one asks for all submissions, as a zip or unpacked: see
  :mod:`grader.submissions.platforms`.

Whoever handed in anything has a folder, also where nothing in it can be graded, and is told why.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from grader.errors import SubmissionError
from grader.submissions import archive, submission
from grader.submissions.collect import (
    SUFFIXES,
    ZIP,
    FoundFile,
    exercise_of,
    file_at,
    files_in,
    is_junk,
    safe,
    write_submission,
)
from grader.submissions.platforms import METADATA, Owner, Owners, Persons, strays_and_folders, tells
from grader.submissions.submission import Submission, Unreadable

RECORDS = ".grade"
"""The folder in which an output folder's results are recorded: it tells that no student made that folder."""


@dataclass(frozen=True)
class Found:
    """One submission, and by what else than its folder's name its student may be known.

    Args:
        path: a folder or a file, as :func:`grader.submissions.submission.read` takes it.
        known_as: for each of those who handed it in together: ids, addresses and names.
        unreadable: what was handed in and cannot be taken.
    """

    path: Path
    known_as: Persons = ()
    unreadable: Unreadable | None = None

    @property
    def name(self) -> str:
        """The submission's name."""
        return submission.name_of(self.path)

    def read(self, exercise_ids: Sequence[str], only: Sequence[str] = ()) -> Submission:
        """Read the submission; what cannot be taken of it is a problem of the exercises that it lacks.

        Args:
            exercise_ids: all exercises of the course.
            only: the exercises wanted, all where empty.
        """
        found = submission.read(self.path, exercise_ids, only)
        return found if self.unreadable is None else found.lacking(only or exercise_ids, self.unreadable)


@dataclass(frozen=True)
class Layout:
    """The submissions found, and what an operator should know about how."""

    found: tuple[Found, ...]
    notices: tuple[str, ...] = ()

    @property
    def unreadable(self) -> Mapping[Path, Unreadable]:
        """What cannot be taken of a submission, where there is something."""
        return {one.path: one.unreadable for one in self.found if one.unreadable is not None}


@contextmanager
def laid_out(
    paths: Sequence[Path], exercise_ids: Sequence[str], only: Sequence[str] = (), *, single: bool = False
) -> Iterator[Layout]:
    """The submissions at some paths; what had to be laid out anew is removed afterwards.

    Args:
        paths: each a submission, a folder in one of the layouts above, or a zip of such.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty.
        single: whether each path is one student's, whatever is in it.

    Raises:
        UsageError: nothing can be graded there, or an archive is broken or far too large.
    """
    with ExitStack() as stack:

        def room() -> Path:
            # Made only where something is laid out anew: who is killed leaves nothing behind elsewhere.
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))

        architect = Discovery(exercise_ids, only, room)
        layouts = [architect.single(path) if single else architect.lay_out(path) for path in paths]
        found = dict.fromkeys(one for layout in layouts for one in layout.found)
        yield Layout(tuple(found), tuple(notice for layout in layouts for notice in layout.notices))


@dataclass(frozen=True)
class Discovery:
    """Lays submissions out.

    Args:
        ids: all exercises of the course.
        only: the exercises wanted, all where empty.
        room: makes a temporary folder.
    """

    ids: Sequence[str]
    only: Sequence[str]
    room: Callable[[], Path]

    @property
    def wanted(self) -> Sequence[str]:
        """The exercises that are graded."""
        return self.only or self.ids

    def lay_out(self, path: Path) -> Layout:
        """What there is at a path.

        Raises:
            UsageError: nothing that could be graded, or an archive that cannot be read.
        """
        if _is_zip(path):
            with archive.opened(path) as entries:
                files = [FoundFile(entry.place, entry.read) for entry in entries if not is_junk(entry.place)]
                return self._settled(files, path)
        if path.is_dir() and self._is_told_by_names(path):
            return self._settled(files_in(path), path)
        if path.is_dir() and not self._is_submission(path):
            return self._class(path)
        return Layout(tuple(map(Found, submission.find([path], self.ids, self.only))))

    def single(self, path: Path) -> Layout:
        """One student's work, whatever its form.

        Raises:
            UsageError: there is nothing.
        """
        if not path.is_dir() and not _is_zip(path):
            return self.lay_out(path)
        if path.is_dir() and self._is_plain(path):
            return Layout((Found(path),))
        files = files_in(path) if path.is_dir() else [file_at(path)]
        return self._furnished([Work(submission.name_of(path), files)], path)

    def _is_told_by_names(self, folder: Path) -> bool:
        """Whether names in a folder say whose work is whose: it is no folder per student, then."""
        names = _names(folder)
        if any(f"{one}{submission.PYTHON}" in names for one in self.ids):
            return False  # a submission itself
        return METADATA in names or any(tells(name, self.ids) for name in names)

    def _is_submission(self, folder: Path) -> bool:
        """Whether a folder is one student's work and no class.

        Raises:
            SubmissionError: it might be either.
        """
        if not submission.is_submission(folder, self.ids):
            return False
        rivals = [one.name for one in _folders(folder) if _holds(one, self.ids)]
        stray = [name for name in _names(folder) if PurePosixPath(name).suffix in SUFFIXES]
        _refuse_both(folder, stray, rivals)
        return True

    def _class(self, folder: Path) -> Layout:
        """A folder per student, or a notebook or a zip."""
        inside = _inside(folder)
        plain = {one for one in inside if self._is_read_as_it_is(one)}
        works = [
            Work(one.name, files_in(one)) if one.is_dir() else Work(one.stem, [file_at(one)])
            for one in inside
            if one not in plain
        ]
        layout = self._furnished(works, folder) if works else Layout(())
        if not plain and not any(_has_files(one.path) for one in layout.found):
            # Which says what was expected there.
            return Layout(tuple(map(Found, submission.find([folder], self.ids, self.only))))
        as_they_are = [Found(one) for one in inside if one in plain]
        found = sorted([*as_they_are, *layout.found], key=lambda one: one.name)
        return Layout(tuple(found), layout.notices)

    def _is_read_as_it_is(self, path: Path) -> bool:
        if path.is_symlink():
            return True  # and found to be one
        return self._is_plain(path) if path.is_dir() else not _is_zip(path)

    def _is_plain(self, folder: Path) -> bool:
        """Whether a student's folder can be read as it is, because nothing that is wanted lies elsewhere in it."""
        missing = [one for one in self.wanted if not os.path.lexists(folder / f"{one}{submission.PYTHON}")]
        if not missing:
            return True
        files = files_in(folder)
        at_top = [file for file in files if file.is_gradable and len(file.place.parts) == 1]
        elsewhere = [file for file in files if exercise_of(file.place.name, missing) or file.suffix == ZIP]
        return bool(at_top) and (not elsewhere or len(files) == 1)

    def _settled(self, files: Sequence[FoundFile], source: Path) -> Layout:
        """Give every student a folder of their own with what can be graded.

        Raises:
            SubmissionError: there is nothing.
        """
        owners = Owners.of(files, self.ids)
        if not owners.are_told:
            _refuse_both(source, *strays_and_folders(files, self.ids))
        works: dict[str, Work] = {}
        loose = []
        for file in files:
            owner = owners.owner(file.place)
            if owner is not None:
                works.setdefault(owner.folder, Work(owner.folder, [], owner.known_as)).take(file, owner)
            elif file.is_work:
                loose.append(file)
        layout = self._furnished(works.values() if works else _loose(loose, source), source)
        if not any(_has_files(one.path) for one in layout.found):
            names = ", ".join(f"{name}.py" for name in self.wanted)
            raise SubmissionError(f"{source}: expected submissions with {names} or notebooks, found none")
        strays = (f"{source}: {file.place}: nothing tells whose it is" for file in loose if works)
        return replace(layout, notices=(*strays, *layout.notices))

    def _furnished(self, works: Iterable[Work], source: Path) -> Layout:
        """A folder for each student's work, and what could not be taken of it."""
        room, found, notices = self.room(), [], []
        for name, work in _unique(works):
            unreadable = write_submission(room / name, work.files, self.ids, self.wanted)
            notices += [f"{source}: {work.name}: {one.filename}: {one.problem}" for one in unreadable]
            found.append(Found(room / name, work.known_as, unreadable[0] if unreadable else None))
        return Layout(tuple(sorted(found, key=lambda one: one.name)), tuple(notices))


@dataclass
class Work:
    """One student's files, and the name of their folder."""

    name: str
    files: list[FoundFile]
    known_as: Persons = ()

    def take(self, file: FoundFile, owner: Owner) -> None:
        """Take one more file of this student's in."""
        self.files.append(replace(file, place=owner.place))


def _refuse_both(source: Path, stray: Sequence[str], folders: Sequence[str]) -> None:
    """Refuse what may be one student's work as well as a class's.

    Args:
        source: where it is.
        stray: files of one submission.
        folders: folders beside them that hold work, too; an old version may lie in one.

    Raises:
        SubmissionError: it may be either.
    """
    if stray and len(folders) > 1:
        raise SubmissionError(
            f"{source}: expected one submission or a folder of them, found {_some(sorted(stray))} beside the "
            f"folders {_some(sorted(folders))}: move away what does not belong there, or give --single if all "
            "of it is one student's"
        )


def _loose(files: Sequence[FoundFile], source: Path) -> list[Work]:
    """The work in an archive whose files tell nobody: one student's, or a notebook of each."""
    notebooks = [file for file in files if file.is_notebook]
    if len(notebooks) > 1 and len(notebooks) == len(files):
        return [Work(file.place.stem, [file]) for file in notebooks]
    return [Work(source.stem, list(files))] if files else []


def _unique(works: Iterable[Work]) -> Iterator[tuple[str, Work]]:
    """A name for each student's folder: their own where it can be one, told apart where two come to the same."""
    taken: set[str] = set()
    for work in sorted(works, key=lambda one: (one.name != safe(one.name), one.name)):
        name = safe(work.name)
        if name.casefold() in taken:
            name += f"~{hashlib.sha256(work.name.encode('utf-8', 'replace')).hexdigest()[:8]}"
        taken.add(name.casefold())
        yield name, work


def _inside(folder: Path) -> list[Path]:
    """What may be students' in a class's folder."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__")))
    except OSError as error:
        raise SubmissionError(f"{folder}: cannot be read: {error.strerror}") from error
    return [path for path in paths if _is_students(path)]


def _is_students(path: Path) -> bool:
    """Whether something in a class's folder is a student's."""
    return not _is_output(path) if path.is_dir() else path.suffix == submission.NOTEBOOK or _is_zip(path)


def _is_output(folder: Path) -> bool:
    """Whether a folder is what the grader itself has written: records, or scorecards in both forms."""
    names = _names(folder)
    cards = (name for name in names if name.endswith(".json"))
    return RECORDS in names or any(f"{name.removesuffix('.json')}.html" in names for name in cards)


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ZIP and path.is_file()


def _folders(folder: Path) -> list[Path]:
    return [path for path in _inside(folder) if path.is_dir()]


def _holds(folder: Path, ids: Sequence[str]) -> bool:
    """Whether there is an exercise or a notebook in a folder."""
    return any(exercise_of(name, ids) or name.endswith(submission.NOTEBOOK) for name in _names(folder))


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()  # the one who reads it next will say so


def _has_files(path: Path) -> bool:
    return not path.is_dir() or any(path.iterdir())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
