"""A gradebook CSV for Canvas: made from nothing, or the instructor's own export with the grades filled in.

Of an export every byte stays but the cells of the grades: other columns and rows, quotes, line ends, the
``Points Possible`` row. A score is scaled to the points that row gives its column, because Canvas would take
14 of 28 for 14 of 100. An excused student (``EX``) and one without the assignment (``N/A``) stay so.

Source: what Canvas writes and reads,
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_exporter.rb and
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from grader.reports.context import ReportContext
from grader.reports.lms_rows import (
    Assignment,
    Matches,
    Person,
    assignments,
    check_columns,
    column,
    filled,
    match,
    names,
    number,
    shown,
    unmatched,
)
from grader.reports.sheet import Sheet, harmless
from grader.scorecard.model import Scorecard

KIND = "canvas"
USES = frozenset({"assignment", "gradebook"})

COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POSSIBLE = "Points Possible"
UNTOUCHED = frozenset({"EX", "N/A"})


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The gradebook.

    Args:
        scorecards: the submissions; each is found in the export by the student's ID, SIS ID, login (also
            without its domain) or name.
        context: the ``gradebook`` exported from Canvas, if there is one; what students are ``known_as``, where
            more is known than the submission's name; the ``assignment`` names the column that takes the total,
            without it each exercise has a column of its title or id.

    Returns:
        CSV text. Without an export, students are known by the submission's name as their login.

    Raises:
        ReportError: the export is not Canvas's, or has no such column.
    """
    if context.gradebook is None:
        return str(Sheet.of(_fresh(scorecards, assignments(scorecards, context))))
    return filled(_Export.of(context, context.gradebook), scorecards, context)


def _fresh(scorecards: Sequence[Scorecard], work: Sequence[Assignment]) -> Iterator[Sequence[str]]:
    blank = ("",) * (len(COLUMNS) - 1)
    yield (*COLUMNS, *(harmless(assignment.names[0]) for assignment in work))
    yield (f"    {POSSIBLE}", *blank, *(number(assignment.max_score) for assignment in work))
    for card in scorecards:
        name = harmless(card.submission.name)
        scores = (assignment.score(card) for assignment in work)
        yield (name, "", "", name, "", *("" if score is None else number(score) for score in scores))


@dataclass(frozen=True)
class _Export:
    """An export, and the row that tells what its columns are out of."""

    context: ReportContext
    sheet: Sheet
    possible: int | None

    @classmethod
    def of(cls, context: ReportContext, text: str) -> _Export:
        sheet = Sheet(text, ",;")
        header = sheet.row(0) if len(sheet) else ()
        if "ID" not in header or "Section" not in header:
            raise context.unfit(
                f"expected a gradebook from Canvas with the columns ID and Section, found {shown(header)}"
            )
        firsts = [sheet.value(row, 0).strip() for row in range(len(sheet))]
        return cls(context, sheet, next((row for row, first in enumerate(firsts) if POSSIBLE in first), None))

    def match(self, scorecards: Sequence[Scorecard]) -> Matches:
        """Find the student of each row."""
        sheet, header = self.sheet, self.sheet.row(0)
        students = [row for row in range(1, len(sheet)) if row != self.possible and any(sheet.row(row))]
        people = {row: _person(dict(zip(header, sheet.row(row), strict=False))) for row in students}
        return match(scorecards, people, self.context.known_as, _is_own_id)

    def place(self, names: Sequence[str]) -> int:
        """The column of an assignment."""
        place = column(self.sheet.row(0), names, self.context, _stem)
        if "read only" in self._told(place):
            raise self.context.unfit(
                f"expected a column for grades, found {self.sheet.value(0, place)!r}: Canvas computes it"
            )
        return place

    def fill(self, assignment: Assignment, matches: Matches) -> None:
        """Put everybody's score into the column of an assignment."""
        place = self.place(assignment.names)
        most = _decimal(self._told(place))
        factor = most / assignment.max_score if most and assignment.max_score else 1.0
        for row, card in matches.rows.items():
            score = assignment.score(card)
            if score is not None and self.sheet.value(row, place).strip().upper() not in UNTOUCHED:
                self.sheet.put(row, place, self._written(row, place, score * factor))

    def _told(self, place: int) -> str:
        """What is said of a column's points."""
        return self.sheet.value(self.possible, place).strip() if self.possible is not None else ""

    def _written(self, row: int, place: int, score: float) -> str:
        """The score, or what stands there already if that is the same number."""
        old = self.sheet.value(row, place)
        before = _decimal(old.strip())
        return old if before is not None and number(before) == number(score) else number(score)


check = partial(check_columns, _Export.of)
"""Whether the export can be filled in; see :func:`check_columns`."""

warnings = partial(unmatched, _Export.of, KIND)
"""Submissions that are in no row of the export; see :func:`unmatched`."""


def _person(student: Mapping[str, str]) -> Person:
    return Person.of([student.get(key, "") for key in COLUMNS[1:4]], names(student.get("Student", "")))


def _is_own_id(submission: str, word: str) -> bool:
    """Whether it is Canvas's own ID: its archives are laid out in folders of name and ID, ``doejane_101``."""
    return word.isdecimal() and submission.endswith(f"_{word}")


def _stem(title: str) -> str:
    """A column's title without the assignment's number that Canvas puts behind it."""
    return re.sub(r"\s*\(\d+\)\s*$", "", title)


def _decimal(text: str) -> float | None:
    """A number as Canvas writes it, with a point or a comma."""
    return float(text.replace(",", ".")) if re.fullmatch(r"\d+(?:[.,]\d+)?", text) else None
