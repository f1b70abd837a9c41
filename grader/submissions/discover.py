"""Finds the submissions of a class in the layouts that instructors really have.

* a folder per student; where the work lies deeper in it, in a zip, or under other names, it is collected;
* a flat folder of files ``name_ex1_step_by_step.py``;
* what Moodle, Canvas and Gradescope give when one asks for all submissions, as a zip or unpacked: see
  :mod:`grader.submissions.platforms`.

Whoever handed in anything is found, also where nothing of it can be graded, and is told why. Nothing is left out
or takes the place of something else without a notice. Nothing is unpacked until a submission is read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from grader.errors import SubmissionError
from grader.submissions import archive, collect, submission
from grader.submissions.class_folder import (
    NO_WORK,
    OUTPUT,
    folders_in,
    holds,
    is_hidden,
    is_output,
    is_zip,
    left_out,
    names_in,
    some_of,
    students_in,
)
from grader.submissions.class_folder import RECORDS as RECORDS
from grader.submissions.files import FoundFile, file_at, files_in, is_junk, safe
from grader.submissions.limits import NOTEBOOK, PYTHON
from grader.submissions.platforms import (
    METADATA,
    Kind,
    Owner,
    Owners,
    Persons,
    strays_and_folders,
    tells,
)
from grader.submissions.submission import Submission, Unreadable


@dataclass(frozen=True)
class Found:
    """One submission, and by what else than its name its student may be known.

    Args:
        path: the file or folder that is read as it is; None where the work was collected from elsewhere.
        known_as: for each of those who handed it in together: ids, addresses and names.
        unreadable: the first of what was handed in and cannot be taken, as far as can be told without reading it.
        called: the submission's name, where it is not that of the path.
        files: the student's files, where they are not read as they are.
        is_empty: whether nothing of it can be graded, as far as can be told without reading it.
    """

    path: Path | None
    known_as: Persons = ()
    unreadable: Unreadable | None = None
    called: str | None = None
    files: tuple[FoundFile, ...] = field(default=(), repr=False, compare=False)
    is_empty: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """The submission's name."""
        return self.called if self.called is not None else submission.name_of(self.path or Path())

    def read(self, exercise_ids: Sequence[str], only: Sequence[str] = ()) -> Submission:
        """Read the submission; what cannot be taken of it is a problem of the exercises that it lacks.

        Args:
            exercise_ids: all exercises of the course.
            only: the exercises wanted, all where empty.
        """
        if self.path is None:
            return submission.collected(self.name, self.files, exercise_ids, only)
        return replace(submission.read(self.path, exercise_ids, only), name=self.name)


@dataclass(frozen=True)
class Layout:
    """The submissions found, and what an operator should know about how."""

    found: tuple[Found, ...]
    notices: tuple[str, ...] = ()


@contextmanager
def laid_out(
    paths: Sequence[Path], exercise_ids: Sequence[str], only: Sequence[str] = (), *, single: bool = False
) -> Iterator[Layout]:
    """The submissions at some paths, which can be read as long as the context lasts: it keeps archives open.

    Args:
        paths: each a submission, a folder in one of the layouts above, or a zip of such.
        exercise_ids: all exercises of the course, which name a submission's files.
        only: the exercises wanted, all where empty.
        single: whether each path is one student's, whatever is in it.

    Raises:
        UsageError: nothing can be graded there, or an archive is broken or far too large.
    """
    with ExitStack() as stack:
        discovery = Discovery(exercise_ids, only, stack)
        at = dict.fromkeys(paths)
        layouts = [discovery.single(path) if single else discovery.lay_out(path) for path in at]
        found = {one.path or id(one): one for layout in layouts for one in layout.found}
        yield Layout(tuple(found.values()), tuple(notice for layout in layouts for notice in layout.notices))


@dataclass
class Work:
    """One student's files before they are looked at.

    Args:
        name: what their submission is to be called.
        files: the files, by their places in the student's work.
        known_as: what else its students are known as.
        kind: what says that it is one student's.
        origin: where it was found, for notices.
        path: where it is read as it is, None where it has to be collected.
    """

    name: str
    files: list[FoundFile]
    known_as: Persons = ()
    kind: Kind = Kind.FOLDER
    origin: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Discovery:
    """Finds submissions.

    Args:
        ids: all exercises of the course.
        only: the exercises wanted, all where empty.
        stack: holds the archives open that submissions are read from later.
    """

    ids: Sequence[str]
    only: Sequence[str]
    stack: ExitStack

    @property
    def wanted(self) -> Sequence[str]:
        """The exercises that are graded."""
        return self.only or self.ids

    def lay_out(self, path: Path) -> Layout:
        """What there is at a path.

        Raises:
            UsageError: nothing that could be graded, or an archive that cannot be read.
        """
        if is_zip(path):
            entries = self.stack.enter_context(archive.opened(path))
            clean = [entry for entry in entries if not is_junk(entry.place)]
            files = [FoundFile(entry.place, entry) for entry in clean if not entry.is_folder]
            return self._settled(files, [entry.place for entry in clean if entry.is_folder], path, [])
        if path.is_dir():
            if self._is_told_by_names(path):
                return self._told_by_names(path)
            if not self._is_submission(path):
                return self._class(path)
        return Layout(tuple(map(Found, submission.find([path], self.ids, self.only))))

    def single(self, path: Path) -> Layout:
        """One student's work, whatever its form.

        Raises:
            UsageError: there is nothing.
        """
        if not path.is_dir() and not is_zip(path):
            return self.lay_out(path)
        if path.is_dir() and self._is_plain(path):
            return Layout((Found(path),))
        files = files_in(path) if path.is_dir() else [file_at(path)]
        return self._found([Work(submission.name_of(path), files)], path)

    def _is_told_by_names(self, folder: Path) -> bool:
        """Whether names in a folder say whose work is whose: it is no folder per student, then."""
        names = names_in(folder)
        if any(f"{one}{PYTHON}" in names for one in self.ids) and len(self._rivals(folder)) < 2:
            return False  # a submission itself
        return METADATA in names or any(tells(name, self.ids) for name in names)

    def _is_submission(self, folder: Path) -> bool:
        """Whether a folder is one student's work and no class.

        Raises:
            SubmissionError: it might be either.
        """
        if not submission.is_submission(folder, self.ids):
            return False
        stray = [name for name in names_in(folder) if PurePosixPath(name).suffix in (PYTHON, NOTEBOOK)]
        rivals = self._rivals(folder)
        _refuse_both(folder, stray, rivals)
        return len(rivals) < CLASS

    def _rivals(self, folder: Path) -> list[str]:
        """The folders in a folder that hold work themselves."""
        return [one.name for one in students_in(folder, self.ids) if one.is_dir() and holds(one, self.ids)]

    def _class(self, folder: Path) -> Layout:
        """A folder per student, or a notebook or a zip."""
        inside = students_in(folder, self.ids)
        works = [self._work(one) for one in inside]
        notices = left_out(folder, inside, self.ids)
        layout = self._found(works, folder)
        if all(one.is_empty for one in layout.found):
            # Which says what was expected there.
            return Layout(tuple(map(Found, submission.find([folder], self.ids, self.only))))
        return Layout(layout.found, (*notices, *layout.notices))

    def _work(self, path: Path) -> Work:
        """The work of one student of a class, at a path."""
        kind = Kind.FOLDER if path.is_dir() else Kind.FILE
        name = submission.name_of(path)
        if self._is_read_as_it_is(path):
            return Work(name, [], kind=kind, origin=path.name, path=path)
        files = files_in(path) if path.is_dir() else [file_at(path)]
        return Work(name, files, kind=kind, origin=path.name)

    def _is_read_as_it_is(self, path: Path) -> bool:
        if path.is_symlink():
            return True  # and found to be one
        return self._is_plain(path) if path.is_dir() else path.suffix == NOTEBOOK

    def _is_plain(self, folder: Path) -> bool:
        """Whether a student's folder can be read as it is, because nothing that is wanted lies elsewhere in it."""
        has_all = all(os.path.lexists(folder / f"{one}{PYTHON}") for one in self.wanted)
        return has_all or collect.is_plain(files_in(folder), self.wanted)

    def _told_by_names(self, folder: Path) -> Layout:
        """A folder in which names say whose work is whose."""
        outputs = [path.name for path in folders_in(folder) if is_output(path)]
        files = [file for file in files_in(folder) if file.place.parts[0] not in outputs]
        hidden = {name for name in names_in(folder) if is_hidden(folder / name, self.ids)}
        files = [file for file in files if file.place.parts[0] not in hidden]
        empty = [
            PurePosixPath(path.name) for path in folders_in(folder) if path.name not in {*outputs, *hidden}
        ]
        notices = [f"{folder}: {name}: {OUTPUT}" for name in outputs]
        return self._settled(files, empty, folder, notices)

    def _settled(
        self,
        files: Sequence[FoundFile],
        folders: Sequence[PurePosixPath],
        source: Path,
        notices: Sequence[str],
    ) -> Layout:
        """Give every student their files.

        Args:
            files: all files.
            folders: folders, of which some may be empty.
            source: where that was found.
            notices: what an operator should know already.

        Raises:
            SubmissionError: there is nothing.
        """
        owners = Owners.of(files, self.ids)
        if not owners.are_told:
            _refuse_both(source, *strays_and_folders(files, self.ids))
        works: dict[tuple[Kind, str], Work] = {}
        loose = []
        for file in files:
            owner = owners.owner(file.place)
            if owner is not None:
                work = _work_of(works, owner, owners.top(file.place))
                work.files.append(replace(file, place=owner.place))
            else:
                loose.append(file)
        if works:
            for folder in folders:
                # Who handed in an empty folder handed in something.
                owner = owners.owner(folder / "nothing")
                if owner is not None and len(folder.parts) == len(owners.around) + 1:
                    _work_of(works, owner, folder.name)
        found = list(works.values()) or _loose([file for file in loose if file.is_work], source)
        layout = self._found(found, source)
        if all(one.is_empty for one in layout.found):
            names = ", ".join(f"{name}{PYTHON}" for name in self.wanted)
            raise SubmissionError(f"{source}: expected submissions with {names} or notebooks, found none")
        strays = _strays(loose, source) if works else ()
        return replace(layout, notices=(*notices, *strays, *layout.notices))

    def _found(self, works: Iterable[Work], source: Path) -> Layout:
        """A submission for each student's work, and what an operator should know of it."""
        found, notices = [], []
        for name, work, rival in _unique(works):
            if rival is not None:
                notices.append(
                    f"{source}: {work.origin or work.name}: comes to the same name as {rival}: "
                    f"graded apart from it, as {name}"
                )
            if work.path is not None:
                called = name if name != submission.name_of(work.path) else None
                found.append(Found(work.path, work.known_as, called=called))
                continue
            plan = collect.plan(work.files, self.ids, self.wanted)
            notices += [f"{source}: {work.name}: {one.filename}: {one.problem}" for one in plan.unreadable]
            notices += [f"{source}: {work.name}: {notice}" for notice in plan.notices]
            lost = plan.unreadable[0] if plan.unreadable else None
            found.append(Found(None, work.known_as, lost, name, tuple(work.files), plan.is_empty))
        return Layout(tuple(sorted(found, key=lambda one: one.name)), tuple(notices))


CLASS = 3
"""Folders that hold work from which on they are a class, whatever single file lies beside them."""


def _work_of(works: dict[tuple[Kind, str], Work], owner: Owner, origin: str) -> Work:
    """The work of one student, made where it is not there yet."""
    made = Work(owner.folder, [], owner.known_as, owner.kind, origin)
    return works.setdefault((owner.kind, owner.folder), made)


def _refuse_both(source: Path, stray: Sequence[str], folders: Sequence[str]) -> None:
    """Refuse what may be one student's work as well as a class's.

    Args:
        source: where it is.
        stray: files of one submission.
        folders: folders beside them that hold work, too; an old version may lie in one. Three are a class.

    Raises:
        SubmissionError: it may be either.
    """
    if stray and 1 < len(folders) < CLASS:
        raise SubmissionError(
            f"{source}: expected one submission or a folder of them, found {some_of(sorted(stray))} beside the "
            f"folders {some_of(sorted(folders))}: move away what does not belong there, or have all of it graded "
            "as the work of a single student"
        )


def _loose(files: Sequence[FoundFile], source: Path) -> list[Work]:
    """The work in an archive whose files tell nobody: one student's, or a notebook of each."""
    notebooks = [file for file in files if file.is_notebook]
    if len(notebooks) > 1 and len(notebooks) == len(files):
        return [Work(file.place.stem, [file], kind=Kind.FILE, origin=str(file.place)) for file in notebooks]
    return [Work(source.stem, list(files))] if files else []


def _strays(loose: Iterable[FoundFile], source: Path) -> Iterator[str]:
    """What to say of files that are nobody's."""
    others = []
    for file in loose:
        if file.is_work:
            yield f"{source}: {file.place}: nothing tells whose it is"
        elif not file.place.name.startswith(".") and file.suffix not in NO_WORK:
            others.append(str(file.place))
    if others:
        yield f"{source}: not graded, and nobody's: {some_of(others)}"


def _called(work: Work) -> str:
    """What work is called: as on the disk where it is read as it is there, else by a name that suits any disk."""
    return work.name if work.path is not None else safe(work.name)


def _unique(works: Iterable[Work]) -> Iterator[tuple[str, Work, str | None]]:
    """A name for each submission: its own where it can be one, told apart where two come to the same.

    Names that differ in capitals alone are the same, because they are to many a file system.

    Yields:
        The name, the work, and whose name it would have been where it is taken.
    """
    taken: dict[str, str] = {}
    for work in sorted(works, key=lambda one: (one.name != _called(one), one.kind, one.name)):
        name, seed = _called(work), work.name
        rival = taken.get(name.casefold())
        while name.casefold() in taken:
            digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:8]
            name, seed = f"{_called(work)}~{digest}", f"{seed}\0{work.kind}"
        taken[name.casefold()] = work.origin or work.name
        yield name, work, rival
