"""What the reports for gradebooks share: who is in which row, and what goes in which column."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from grader.reports.context import ReportContext, ReportError
from grader.reports.sheet import Sheet
from grader.reports.wording import one_line
from grader.scorecard.model import Scorecard

TOLD_LIMIT = 1_000
"""Characters of a table's titles in a message."""


@dataclass(frozen=True)
class Assignment:
    """What one column holds: the names it may go by, the points it is out of, and what of a scorecard counts.

    ``part`` is the scorecard with nothing else in it, or None where there is no score to report: the
    exercise was not graded, or the grader failed on it.
    """

    names: tuple[str, ...]
    max_score: float
    part: Callable[[Scorecard], Scorecard | None]

    def score(self, card: Scorecard) -> float | None:
        """A submission's score in this column, None where it has none."""
        part = self.part(card)
        return None if part is None else part.score


def assignments(scorecards: Sequence[Scorecard], context: ReportContext) -> list[Assignment]:
    """The columns: one for the total where the assignment has a name, else one per exercise.

    Raises:
        ReportError: there is nothing to report.
    """
    exercises = {e.id: e for card in scorecards for e in card.exercises}
    if not exercises:
        raise ReportError("expected graded exercises, found none")
    if context.assignment is not None:
        most = max(card.max_score for card in scorecards)
        return [Assignment((context.assignment,), most, _total(most))]
    return [Assignment((e.title, e.id), e.max_score, _of(e.id)) for e in exercises.values()]


def _total(most: float) -> Callable[[Scorecard], Scorecard | None]:
    def part(card: Scorecard) -> Scorecard | None:
        whole = card.max_score == most  # a submission graded on less has no total to compare
        return card if whole and not card.at_fault else None

    return part


def _of(exercise_id: str) -> Callable[[Scorecard], Scorecard | None]:
    def part(card: Scorecard) -> Scorecard | None:
        for exercise in card.exercises:
            if exercise.id == exercise_id:
                points, most = exercise.score, exercise.max_score
                alone = replace(card, exercises=(exercise,), score=points, max_score=most)
                return None if alone.at_fault else alone
        return None

    return part


def number(score: float) -> str:
    """A score for a cell: a plain decimal number, at most two digits after the point."""
    return f"{score:.2f}".rstrip("0").rstrip(".")


def columns(titles: Mapping[str, str], context: ReportContext) -> list[tuple[str, ...]]:
    """What each column may be called: as :func:`assignments`, of the titles of exercises by their ids."""
    if context.assignment is not None:
        return [(context.assignment,)]
    return [(title, exercise) for exercise, title in titles.items()]


def column(
    header: Sequence[str], names: Sequence[str], context: ReportContext, *stems: Callable[[str], str]
) -> int:
    """The column of an assignment.

    Args:
        header: the titles of all columns.
        names: what it may be called.
        context: what the export is called in a message.
        stems: each gives a title without what the platform adds to it; the first that finds any decides.

    Raises:
        ReportError: there is none, or more than one and none has exactly this title. A grade in the wrong
            column is worse than none.
    """
    alike = [i for i, title in enumerate(header) if title in names]
    wanted = {plain(name) for name in names}
    for stem in stems:
        alike = alike or [i for i, title in enumerate(header) if plain(stem(title)) in wanted]
    if len(alike) != 1:
        want = " or ".join(map(repr, names))
        raise context.unfit(f"expected one column {want}, found {len(alike)} among {shown(header)}")
    return alike[0]


def shown(header: Sequence[str]) -> str:
    """The titles that were found, for a message; a file that is no table may have one without an end."""
    told = ", ".join(map(repr, filter(None, header))) or "nothing"
    return told if len(told) <= TOLD_LIMIT else f"{told[:TOLD_LIMIT]}..."


def plain(text: str) -> str:
    """A text as it is compared: accents composed, for some archives take them apart, and no case or blanks."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_LATIN_1)).split()).casefold()


_LATIN_1 = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}
"""Bytes of an export that are no UTF-8, for the characters they most likely are."""


@dataclass(frozen=True)
class Person:
    """What the student of a row may be known as, in three kinds; the first is trusted most."""

    ids: tuple[str, ...]
    addresses: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, keys: Sequence[str], names: Iterable[str]) -> Person:
        """A person of these ids and addresses, which are told apart by the ``@``: a login may be either."""
        ids = tuple(key for key in keys if "@" not in key)
        return cls(ids, tuple(key for key in keys if "@" in key), tuple(names))


@dataclass(frozen=True)
class Matches:
    """Which row is whose, and who has none, with the reason."""

    rows: Mapping[int, Scorecard]
    lost: Sequence[tuple[str, str]]


def match(
    scorecards: Iterable[Scorecard],
    people: Mapping[int, Person],
    known_as: Mapping[str, Sequence[Sequence[str]]],
    sure: Callable[[str, str], bool] = lambda name, word: False,
) -> Matches:
    """Find the row of everybody who handed in a submission.

    Where it was told who they are, that decides: an id before an address, an address before a name. Where
    nothing was told, there is the submission's own name. Who fits several rows, and two submissions that fit
    one, are given to nobody: who hands in chooses the name of the folder, and must not be able to choose whose
    grade it becomes.

    Args:
        scorecards: the submissions.
        people: the student of each row, by the row's index.
        known_as: by a submission's name, what each of those is known as who handed it in.
        sure: whether this word, told of the submission of this name, is an id that every row of its student
            has: who has one and is in no row by it is not looked for by name, which may be another's.
    """
    register = _Register.of(people)
    claims: defaultdict[int, dict[str, Scorecard]] = defaultdict(dict)
    lost = []
    for card in scorecards:
        name = card.submission.name
        for label, rows, none in _sought(name, known_as.get(name, ()), register, sure):
            if len(rows) == 1:
                claims[next(iter(rows))][name] = card
            else:
                lost.append((label, f"it fits {len(rows)} rows" if rows else none))
    for row, cards in claims.items():
        if len(cards) > 1:
            lost += [(name, f"{len(cards)} submissions fit row {row + 1}") for name in cards]
    return Matches({row: next(iter(c.values())) for row, c in claims.items() if len(c) == 1}, lost)


def _sought(
    name: str, told: Sequence[Sequence[str]], register: _Register, sure: Callable[[str, str], bool]
) -> Iterator[tuple[str, set[int], str]]:
    """For each who handed in a submission: what to call them, the rows they fit, and what to say of no row."""
    if not told:
        yield name, register.called(name), "no row has this name"
    for words in told:
        known = ", ".join(words)
        rows = register.known(words, by_name=not any(sure(name, word) for word in words))
        yield f"{name} ({known})" if len(told) > 1 else name, rows, f"no row fits {one_line(known)}"


@dataclass(frozen=True)
class _Register:
    """Which rows have a key: by ids, addresses, the halves of addresses before the ``@``, and names."""

    ids: Mapping[str, set[int]]
    addresses: Mapping[str, set[int]]
    halves: Mapping[str, set[int]]
    names: Mapping[str, set[int]]

    @classmethod
    def of(cls, people: Mapping[int, Person]) -> _Register:
        return cls(
            _rows((row, person.ids) for row, person in people.items()),
            _rows((row, person.addresses) for row, person in people.items()),
            _rows((row, map(_half, person.addresses)) for row, person in people.items()),
            _rows((row, person.names) for row, person in people.items()),
        )

    def known(self, words: Sequence[str], *, by_name: bool) -> set[int]:
        """The rows that fit the most trusted of what a student is known as, if it fits any."""
        bare = [word for word in words if "@" not in word]
        # Half an address is compared with what has no domain: another domain is another person.
        tiers = [(self.ids, words), (self.addresses, words)]
        if by_name:
            tiers += [(self.ids, [*map(_half, words)]), (self.halves, bare)]
            tiers += [(self.names, [form for word in bare for form in names(word)])]
        return next(filter(None, (_fitting(rows, keys) for rows, keys in tiers)), set())

    def called(self, name: str) -> set[int]:
        """The rows that fit a submission's name in any way."""
        every = (self.ids, self.addresses, self.halves, self.names)
        return set().union(*(_fitting(rows, [name]) for rows in every))


def _rows(people: Iterable[tuple[int, Iterable[str]]]) -> Mapping[str, set[int]]:
    found = defaultdict(set)
    for row, keys in people:
        for key in filter(None, map(plain, keys)):
            found[key].add(row)
    return found


def _fitting(rows: Mapping[str, set[int]], keys: Iterable[str]) -> set[int]:
    return set().union(*(rows.get(plain(key), ()) for key in keys))


def _half(address: str) -> str:
    return address.partition("@")[0] if "@" in address else ""


def names(student: str) -> Iterator[str]:
    """How a student's name may stand in a folder's: ``Doe, Jane`` as that, ``jane doe`` and ``doejane``."""
    last, comma, first = student.partition(",")
    yield student
    if comma:
        yield f"{first.strip()} {last.strip()}"
        yield re.sub(r"\W", "", f"{last}{first}")


class Export(Protocol):
    """A platform's own export, to be filled in."""

    @property
    def sheet(self) -> Sheet:
        """Its rows."""

    def match(self, scorecards: Sequence[Scorecard]) -> Matches:
        """Which row is whose."""

    def place(self, names: Sequence[str]) -> int:
        """The column that has one of these names."""

    def fill(self, assignment: Assignment, matches: Matches) -> None:
        """Put everybody's score into the column of an assignment."""


Read = Callable[[ReportContext, str], Export]
"""Reads the text of an export; raises :class:`ReportError` where it is another platform's."""


def filled(export: Export, scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The text of an export once every assignment is filled in.

    Raises:
        ReportError: it has no such column.
    """
    matches = export.match(scorecards)
    for assignment in assignments(scorecards, context):
        export.fill(assignment, matches)
    return str(export.sheet)


def check_columns(read: Read, titles: Mapping[str, str], context: ReportContext) -> None:
    """See whether the export, if there is one, has all columns that are to be filled in.

    Args:
        read: reads it.
        titles: the titles of the exercises that are to be graded, by their ids.
        context: as for a report's ``render``.

    Raises:
        ReportError: it is another platform's, or lacks a column.
    """
    if context.gradebook is None:
        return
    export = read(context, context.gradebook)
    for names in columns(titles, context):
        export.place(names)


def unmatched(
    read: Read, kind: str, scorecards: Sequence[Scorecard], context: ReportContext
) -> Sequence[str]:
    """A notice for each submission that is in no row of the export, if there is one."""
    if context.gradebook is None:
        return ()
    return tuple(notices(read(context, context.gradebook).match(scorecards), kind))


def notices(matches: Matches, kind: str) -> Iterator[str]:
    """What was left out, one sentence each."""
    for name, why in matches.lost:
        yield f"report {kind}: {one_line(name)} is not in the gradebook: {why}"
