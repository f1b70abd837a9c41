"""The gradebook as one self-contained HTML page; its one small script sorts and searches, and may be blocked.

Everything of a student's that is shown goes through :func:`grader.reports.wording.visible` and HTML escaping.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

from markupsafe import Markup, escape

from grader.reports.book import BINS, Book, Column, Entry, GradebookRow, Hardness, Mark
from grader.reports.html import environment
from grader.reports.wording import LOOKS, Look, one_line, points
from grader.scorecard.model import Outcome

MISTAKES = 25
"""The most frequent mistakes that are shown."""


@dataclass(frozen=True)
class RowView:
    """One row of the matrix: what it is found and sorted by, and its cells, already marked up."""

    line: GradebookRow
    name: str
    text: str
    score: float
    shown_score: str
    exercises: tuple[str, ...]
    cells: Markup


@dataclass(frozen=True)
class Share:
    """A part of a bar: how many of a class had an outcome."""

    look: Look
    count: int


@dataclass(frozen=True)
class HardView:
    """One gradient's bar."""

    hardness: Hardness
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Bin:
    """One bar of the distribution of scores: from which share of the points to which, how many, how high."""

    start: int
    stop: int
    count: int
    height: float


@dataclass(frozen=True)
class Head:
    """An exercise over its gradients in the head of the matrix."""

    exercise: str
    columns: tuple[tuple[int, Column], ...]


def render(book: Book) -> str:
    """A gradebook as one HTML page.

    Args:
        book: the gradebook; its pages lie beside it.
    """
    script = _script()
    return environment().get_template("book.html.jinja").render(
        book=book,
        heads=tuple(_heads(book)),
        rows=[_row(book, line) for line in book.lines],
        bins=_bins(book),
        hardest=[HardView(hardness, tuple(_shares(hardness))) for hardness in book.hardest],
        mistakes=book.mistakes[:MISTAKES],
        looks=tuple(_looks(book)),
        script=Markup(script),  # noqa: S704  our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


@cache
def _script() -> str:
    return files("grader.reports").joinpath("book.js").read_text("utf-8")


def _heads(book: Book) -> Iterator[Head]:
    # The name, the score and one column for each exercise come first.
    numbered = enumerate(book.columns, 2 + len(book.exercises))
    for exercise, columns in groupby(numbered, key=lambda pair: pair[1].exercise):
        yield Head(exercise, tuple(columns))


def _row(book: Book, line: GradebookRow) -> RowView:
    student, entry = line.student, line.entry
    told = [line.label, *((student.id, student.email) if student else ()), entry.name if entry else ""]
    share = entry.share if entry is not None else None
    by_id = {name: points(score, most) for name, score, most in entry.exercises} if entry is not None else {}
    return RowView(
        line=line,
        name=one_line(line.label).casefold(),
        text=" ".join(map(one_line, filter(None, told))).lower(),
        score=-1 if share is None else round(share, 6),
        shown_score=_score(entry),
        exercises=tuple(by_id.get(name, "") for name in book.exercises),
        cells=_cells(book, line, entry) if entry is not None else Markup(),
    )


def _score(entry: Entry | None) -> str:
    return "" if entry is None else points(entry.score, entry.max_score)


def _cells(book: Book, line: GradebookRow, entry: Entry) -> Markup:
    """The cells of all gradients; joined here, because a class has tens of thousands of them."""
    page = escape(line.page or "")
    return Markup("").join(_cell(entry.marks.get(column), page) for column in book.columns)


def _cell(mark: Mark | None, page: Markup) -> Markup:
    if mark is None:
        return Markup("<td></td>")
    before, after = _around(mark.outcome)
    return before + page + Markup("#") + escape(mark.anchor) + after


@cache
def _around(outcome: Outcome) -> tuple[Markup, Markup]:
    """What stands before and after the address in the cell of an outcome."""
    look = LOOKS[outcome]
    after = Markup('" aria-label="{}">{}</a></td>').format(look.word, look.glyph)
    return Markup('<td class="{}"><a href="').format(look.tone.value), after


def _bins(book: Book) -> list[Bin]:
    most = max(book.distribution, default=0) or 1
    width = 100 // BINS
    return [Bin(i * width, (i + 1) * width, n, n / most) for i, n in enumerate(book.distribution)]


def _shares(hardness: Hardness) -> Iterator[Share]:
    for outcome, look in LOOKS.items():
        if hardness.outcomes.get(outcome):
            yield Share(look, hardness.outcomes[outcome])


def _looks(book: Book) -> Iterator[Look]:
    """The looks that occur in the matrix, for its legend."""
    found = {mark.outcome for entry in book.entries for mark in entry.marks.values()}
    for outcome, look in LOOKS.items():
        if outcome in found:
            yield look
