"""One student's files, however they were handed in: which of them can be graded, and what each is read as.

They may lie in folders, in a zip, be copies with a number added, or have the student's name before the exercise's.
Only files that could be graded are taken, under names of our own making: no name in an archive becomes a path.
Nothing is written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from grader.errors import UsageError
from grader.submissions import archive
from grader.submissions.files import (
    FoundFile,
    choose_first,
    content_of,
    contents_of,
    is_junk,
    safe,
    unreadable,
)
from grader.submissions.limits import FILES_LIMIT, NOTEBOOK, PYTHON, ZIP, Budget, TooLarge, Untakeable
from grader.submissions.source import Unreadable

COPY = re.compile(r"(?:[-_ ]?\((?P<a>\d+)\)|-(?P<b>\d+))$")
"""What is added to the name of a file that was handed in, or downloaded, more than once."""

DIGITS = 18
"""Of the number of a copy; Python takes the square of longer ones."""


@dataclass
class Report:
    """What became of files that are not taken as they are.

    Args:
        unreadable: those that cannot be taken.
        notices: what an operator should know beside.
    """

    unreadable: list[Unreadable] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def lose(self, filename: str, problem: str) -> None:
        """Note a file that cannot be taken."""
        self.unreadable.append(Unreadable(filename, problem))


@dataclass(frozen=True)
class Plan:
    """What would be read of some files.

    Args:
        is_empty: whether that is nothing.
        unreadable: what cannot be taken, as far as can be seen without reading it.
        notices: what an operator should know beside.
    """

    is_empty: bool
    unreadable: tuple[Unreadable, ...]
    notices: tuple[str, ...]


def plan(files: Sequence[FoundFile], ids: Sequence[str], wanted: Sequence[str]) -> Plan:
    """Look at one student's files without reading them, but for zips, whose tables of contents are read.

    Args:
        files: the files, by their places in the student's work.
        ids: all exercises of the course.
        wanted: those that are graded.
    """
    report = Report()
    with ExitStack() as stack:
        gradable = _gradable(files, stack, Budget(), report)
        named = _named(gradable, ids, report)
        lost = {name: problem for name, file in named.items() if (problem := file.check()) is not None}
        report.unreadable += lost.values()
        beside = _beside(gradable, named, ids, report) if len(lost) < len(named) or not named else {}
        is_empty = len(lost) == len(named) and not beside
        _explain(files, wanted, report, is_empty=is_empty)
    return Plan(is_empty, tuple(report.unreadable), tuple(report.notices))


def take(
    files: Sequence[FoundFile], ids: Sequence[str], wanted: Sequence[str]
) -> tuple[Mapping[str, bytes | Unreadable], tuple[Unreadable, ...]]:
    """Read what can be graded of one student's files.

    Args:
        files: the files, by their places in the student's work.
        ids: all exercises of the course.
        wanted: those that are graded.

    Returns:
        The files by name, exercises under their own, and what could not be taken, and why.
    """
    report, budget = Report(), Budget()
    with ExitStack() as stack:
        gradable = _gradable(files, stack, budget, report)
        named = _named(gradable, ids, report)
        found: dict[str, bytes | Unreadable] = {}
        for name, file in named.items():
            try:
                found[name] = budget.read(name, file.content)
            except TooLarge as error:
                found[name] = Unreadable(name, str(error))
            except (Untakeable, OSError) as error:
                report.unreadable.append(unreadable(str(file.place), error))
        # What lies beside an exercise that cannot be taken is not to be taken for it.
        if found or not named:
            found |= contents_of(_beside(gradable, named, ids, report), budget)
        _explain(files, wanted, report, is_empty=not found)
    return found, tuple(report.unreadable)


def is_plain(files: Sequence[FoundFile], wanted: Sequence[str]) -> bool:
    """Whether files can be read as they are, because nothing that is wanted lies elsewhere or in a zip.

    Args:
        files: the files, by their places in the student's work.
        wanted: the exercises that are graded.
    """
    at_top = [file for file in files if file.is_at_top and file.place.suffix in (PYTHON, NOTEBOOK)]
    names = {file.place.name for file in at_top}
    missing = [one for one in wanted if f"{one}{PYTHON}" not in names]
    elsewhere = [file for file in files if exercise_of(file.place.name, missing) or file.suffix == ZIP]
    if any(file.is_refused for file in files):
        return not missing
    return not missing or (bool(at_top) and (not elsewhere or len(files) == 1))


def exercise_of(name: str, ids: Iterable[str]) -> str | None:
    """The exercise a Python file is named after: copies have a number added, some the student's name before it."""
    path = PurePosixPath(name)
    return exercise_of_stem(path.stem, ids) if path.suffix.lower() == PYTHON else None


def exercise_of_stem(stem: str, ids: Iterable[str]) -> str | None:
    """The exercise that a name without its ending belongs to."""
    bare = COPY.sub("", stem)
    return next((one for one in ids if re.fullmatch(rf"(?:.*[-_. ])?{re.escape(one)}", bare, re.S)), None)


def _gradable(
    files: Sequence[FoundFile], stack: ExitStack, budget: Budget, report: Report
) -> list[FoundFile]:
    """The files that can be graded, those in zips included."""
    report.unreadable += [one for file in files if file.is_refused and (one := file.check()) is not None]
    return [one for file in files for one in _unpacked(file, stack, budget, report) if one.is_gradable]


def _unpacked(file: FoundFile, stack: ExitStack, budget: Budget, report: Report) -> Iterator[FoundFile]:
    """A file, or those in it if it is a zip; a zip in a zip in a zip is nobody's homework."""
    if file.suffix != ZIP or file.is_refused:
        if not file.is_refused:
            yield file
        return
    content = content_of(str(file.place), file, budget)
    if isinstance(content, Unreadable):
        report.unreadable.append(content)
        return
    try:
        entries = stack.enter_context(archive.opened(content))
    except UsageError as error:
        report.lose(str(file.place), str(error))
        return
    for entry in entries:
        if entry.is_folder or is_junk(entry.place):
            continue
        if entry.place.suffix.lower() == ZIP:
            report.lose(f"{file.place}/{entry.place}", "a zip in a zip is not unpacked")
        else:
            yield FoundFile(file.place.parent / entry.place, entry)


def _named(gradable: Sequence[FoundFile], ids: Sequence[str], report: Report) -> dict[str, FoundFile]:
    """The file of each exercise, the topmost there is, by the name it is to have."""
    return {f"{one}{PYTHON}": best for one in ids if (best := _best(one, gradable, ids, report)) is not None}


def _beside(
    gradable: Sequence[FoundFile], named: Mapping[str, FoundFile], ids: Sequence[str], report: Report
) -> Mapping[str, FoundFile]:
    """What lies beside the exercises, and the topmost notebook, or script where there are no exercises."""
    homes = [file.place.parent for file in named.values()]
    if len(named) < len(ids):
        others = [file for file in gradable if not named or file.is_notebook]
        homes += [file.place.parent for file in _topmost(others)[:1]]
    beside: dict[str, FoundFile] = {}
    for file in (one for home in dict.fromkeys(homes) for one in gradable if one.place.parent == home):
        if exercise_of(file.place.name, ids) is not None:
            continue
        name = f"{safe(file.place.stem)}{file.suffix}"
        taken = beside.setdefault(name, file)
        if taken is not file:
            report.notices.append(
                f"{file.place}: left out, because {taken.place} comes to the same name, {name}"
            )
    first = choose_first(beside, (), max(0, FILES_LIMIT - len(named)))
    if len(first) < len(beside):
        count = len(beside) + len(named)
        report.notices.append(
            f"expected at most {FILES_LIMIT} Python files and notebooks, found {count}: some left out"
        )
    return {name: beside[name] for name in first}


def _best(
    exercise: str, gradable: Iterable[FoundFile], ids: Sequence[str], report: Report
) -> FoundFile | None:
    """The file to take for an exercise, None where there is none or where nothing tells which."""
    top = _topmost([file for file in gradable if exercise_of(file.place.name, ids) == exercise])
    if not top:
        return None
    found = ", ".join(str(file.place) for file in top)
    if len({file.place.parent for file in top}) > 1:
        report.lose(f"{exercise}{PYTHON}", f"expected one, found {found}")
        return None
    # Of several copies the last one counts.
    best = max(top, key=lambda file: _rank(file, exercise))
    if len(top) > 1:
        report.notices.append(f"{exercise}{PYTHON}: {best.place} counts, as the last of {found}")
    return best


def _topmost(files: Sequence[FoundFile]) -> list[FoundFile]:
    depth = min((len(file.place.parts) for file in files), default=0)
    return [file for file in files if len(file.place.parts) == depth]


def _rank(file: FoundFile, exercise: str) -> tuple[bool, int]:
    """How much a file is an exercise's: with nothing before its name, and the last copy."""
    found = COPY.search(file.place.stem)
    number = int((found["a"] or found["b"])[:DIGITS]) if found else 0
    return COPY.sub("", file.place.stem) == exercise, number


def _explain(files: Sequence[FoundFile], wanted: Sequence[str], report: Report, *, is_empty: bool) -> None:
    """Say what was expected where nothing is left that can be graded."""
    if not files or report.unreadable or not is_empty:
        return
    expected = f"expected {', '.join(f'{name}{PYTHON}' for name in wanted)} or a notebook"
    report.unreadable.append(files[0].check() or Unreadable(str(files[0].place), expected))
