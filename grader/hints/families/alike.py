"""Closed forms once more, where several ways back bring the same numbers and so have no weights of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.families.shares import weighted
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import Part, routes
from grader.hints.weights import DEPENDENT
from grader.scorecard.model import Hint

# After places: which entries are wrong says more than a weight among ways that cannot be told apart.
ORDER = 86


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Some ways back, equal ones put together, are left out, doubled, of the wrong sign or off by a factor."""
    ways = routes(inquiry) if inquiry.views else ()
    merged = _merged(inquiry, ways)
    if 1 < len(merged) < len(ways):
        yield from weighted(inquiry, merged)


def _merged(inquiry: Inquiry, ways: Sequence[Part]) -> Sequence[Part]:
    """The ways, those put together that bring the same numbers but for a factor: alone they have no weights."""
    found: list[Part] = []
    for way in ways:
        alike = next((i for i, other in enumerate(found) if _is_alike(inquiry, way, other)), None)
        if alike is None:
            found.append(way)
        else:
            other = found[alike]
            found[alike] = replace(other, piece=_sum(other.piece, way.piece))
    return found


def _is_alike(inquiry: Inquiry, one: Part, other: Part) -> bool:
    first, second = inquiry.main.scene.get(one.piece), inquiry.main.scene.get(other.piece)
    if first is None or second is None:
        return False
    along = (first * second).sum() ** 2
    return bool(along >= (1 - DEPENDENT) * (first * first).sum() * (second * second).sum())


def _sum(one: Piece, other: Piece) -> Piece:
    def work_out(run: Run) -> Tensor | None:
        first, second = one.work_out(run), other.work_out(run)
        return None if first is None or second is None else first + second

    return Piece(("sum", one.key, other.key), work_out)
