"""A gradebook CSV for Moodle: made from nothing, or the instructor's own export with the grades filled in.

Of an export every byte stays but the cells of the grades and of their feedback, if it was exported with
feedback. Moodle's export does not say what a grade is out of: the maximum of the grade item there must be the
points of the exercise here.

Source: https://docs.moodle.org/en/Grade_import ; what is written and read,
https://github.com/moodle/moodle/blob/main/grade/export/txt/grade_export_txt.php and
https://github.com/moodle/moodle/blob/main/grade/import/csv/classes/load_data.php
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

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
    number,
    shown,
    unmatched,
)
from grader.reports.sheet import Sheet, harmless
from grader.reports.wording import next_step, points
from grader.scorecard.model import Scorecard

KIND = "moodle"
USES = frozenset({"assignment", "gradebook"})

KEYS = ("ID number", "Email address", "Username")
"""The columns that say who a student is; Moodle can match on each."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "Surname": "Last name",
        "ID-Nummer": "ID number",
        "E-Mail-Adresse": "Email address",
        "Anmeldename": "Username",
        "Vorname": "First name",
        "Nachname": "Last name",
    }
)
"""What columns are called in other versions, and where Moodle speaks German."""

_FEEDBACK = re.compile(r"\s*\(feedback\)\s*$", re.IGNORECASE)
_SUFFIX = re.compile(r"\s*\((?:real|points|punkte|punten|puntos)\)\s*$", re.IGNORECASE)


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The gradebook.

    Args:
        scorecards: the submissions; each is found in the export by the student's ID number, address (also
            without its domain), user name or full name.
        context: the ``gradebook`` exported from Moodle, if there is one; what students are ``known_as``, where
            more is known than the submission's name; the ``assignment`` names the column that takes the total,
            without it each exercise has a column of its title or id.

    Returns:
        CSV text. Without an export, students are known by the submission's name as their user name.

    Raises:
        ReportError: the export is not Moodle's, or has no such column.
    """
    if context.gradebook is None:
        return str(Sheet.of(_fresh(scorecards, assignments(scorecards, context))))
    return filled(_Export.of(context, context.gradebook), scorecards, context)


def _fresh(scorecards: Sequence[Scorecard], work: Sequence[Assignment]) -> Iterator[Sequence[str]]:
    titles = [harmless(assignment.names[0]) for assignment in work]
    yield ("Username", *(cell for title in titles for cell in (title, f"{title} (Feedback)")))
    for card in scorecards:
        parts = (assignment.part(card) for assignment in work)
        # "-" is Moodle's own word for no grade.
        cells = (("-", "") if part is None else (number(part.score), _feedback(part)) for part in parts)
        yield (harmless(card.submission.name), *(cell for pair in cells for cell in pair))


@dataclass(frozen=True)
class _Export:
    """An export."""

    context: ReportContext
    sheet: Sheet

    @classmethod
    def of(cls, context: ReportContext, text: str) -> _Export:
        sheet = Sheet(text)
        header = sheet.row(0) if len(sheet) else ()
        if not set(KEYS) & set(_titles(header)):
            raise context.unfit(
                f"expected a gradebook from Moodle with {' or '.join(KEYS)}, found {shown(header)}"
            )
        return cls(context, sheet)

    def match(self, scorecards: Sequence[Scorecard]) -> Matches:
        """Find the student of each row."""
        sheet, titles = self.sheet, _titles(self.sheet.row(0))
        rows = [row for row in range(1, len(sheet)) if any(sheet.row(row))]
        people = {row: _person(dict(zip(titles, sheet.row(row), strict=False))) for row in rows}
        return match(scorecards, people, self.context.known_as)

    def place(self, names: Sequence[str]) -> int:
        """The column of an assignment."""
        return column(self.sheet.row(0), names, self.context, _bare, _stem)

    def fill(self, assignment: Assignment, matches: Matches) -> None:
        """Put everybody's score into the column of an assignment, and feedback beside it."""
        place = self.place(assignment.names)
        beside = _beside(self.sheet.row(0), place)
        for row, card in matches.rows.items():
            part = assignment.part(card)
            if part is None:
                continue
            self.sheet.put(row, place, _written(self.sheet.value(row, place), part.score))
            if beside is not None:
                self.sheet.put(row, beside, _feedback(part))


check = partial(check_columns, _Export.of)
"""Whether the export can be filled in; see :func:`check_columns`."""

warnings = partial(unmatched, _Export.of, KIND)
"""Submissions that are in no row of the export; see :func:`unmatched`."""


def _titles(header: Sequence[str]) -> list[str]:
    """The titles of all columns, in English."""
    return [TITLES.get(title, title) for title in header]


def _person(student: Mapping[str, str]) -> Person:
    name = f"{student.get('First name', '')} {student.get('Last name', '')}"
    return Person.of([student.get(key, "") for key in KEYS], [name])


def _bare(title: str) -> str:
    """A column's title without the kind of grade that Moodle puts behind it."""
    return _SUFFIX.sub("", title)


def _stem(title: str) -> str:
    """A column's title without the module, too, that Moodle puts before it."""
    module, colon, stem = _bare(title).partition(":")
    return stem.strip() if colon else module


def _beside(header: Sequence[str], place: int) -> int | None:
    """The column for feedback on the grades of another."""
    bare = _bare(header[place])
    return next(
        (i for i, t in enumerate(header) if _FEEDBACK.search(t) and _FEEDBACK.sub("", t) == bare), None
    )


def _written(old: str, score: float) -> str:
    """The score, or what stands there already if that is the same number."""
    same = re.fullmatch(r"\d+(?:[.,]\d+)?", old.strip()) and number(float(old.replace(",", "."))) == number(
        score
    )
    return old if same else number(score)


def _feedback(part: Scorecard) -> str:
    return harmless(f"{points(part.score, part.max_score)}. {next_step(part)}")
