"""What the reports for gradebooks share: who is in which row, and what goes in which column."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.reports.context import ReportContext, ReportError
from grader.reports.wording import one_line
from grader.scorecard import Scorecard


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


def column(header: Sequence[str], names: Sequence[str], *stems: Callable[[str], str]) -> int:
    """The column of an assignment.

    Args:
        header: the titles of all columns.
        names: what it may be called.
        stems: each gives a title without what the platform adds to it; the first that finds any decides.

    Raises:
        ReportError: there is none, or more than one and none has exactly this title. A grade in the wrong
            column is worse than none.
    """
    alike = [i for i, title in enumerate(header) if title in names]
    wanted = {_plain(name) for name in names}
    for stem in stems:
        alike = alike or [i for i, title in enumerate(header) if _plain(stem(title)) in wanted]
    if len(alike) != 1:
        found = ", ".join(repr(title) for title in header if title)
        want = " or ".join(map(repr, names))
        raise ReportError(f"expected one column {want} in the gradebook, found {len(alike)} among {found}")
    return alike[0]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


@dataclass(frozen=True)
class Matches:
    """Which row is whose, and which submissions have none, with the reason."""

    rows: Mapping[int, Scorecard]
    lost: Mapping[str, str]


def match(scorecards: Iterable[Scorecard], people: Mapping[int, Iterable[str]]) -> Matches:
    """Find each submission's row by its name.

    A name that fits several rows, or two submissions that fit one, are given to nobody: who hands in chooses
    the name of the folder, and must not be able to choose whose grade it becomes.

    Args:
        scorecards: the submissions.
        people: the keys by which the student of each row may be known, by the row's index.
    """
    known = defaultdict(set)
    for row, keys in people.items():
        for key in filter(None, map(_plain, keys)):
            known[key].add(row)
    claims = defaultdict(list)
    lost = {}
    for card in scorecards:
        rows = known.get(_plain(card.submission.name), set())
        if len(rows) == 1:
            claims[next(iter(rows))].append(card)
        else:
            lost[card.submission.name] = f"it fits {len(rows)} rows" if rows else "no row has this name"
    for row, cards in list(claims.items()):
        if len(cards) > 1:
            lost |= {card.submission.name: f"{len(cards)} submissions fit row {row + 1}" for card in cards}
            del claims[row]
    return Matches({row: cards[0] for row, cards in claims.items()}, lost)


def names(student: str) -> Iterator[str]:
    """How a student's name may stand in a folder's: ``Doe, Jane`` as that, ``jane doe`` and ``doejane``."""
    last, comma, first = student.partition(",")
    yield student
    if comma:
        yield f"{first.strip()} {last.strip()}"
        yield re.sub(r"\W", "", f"{last}{first}")


def notices(matches: Matches, kind: str) -> Iterator[str]:
    """What was left out, one sentence each."""
    for name, why in matches.lost.items():
        yield f"--report {kind}: {one_line(name)} is not in the gradebook: {why}"
