"""Derivatives off by a factor that differs from entry to entry: a tensor too many, or one too few."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.families.operands import Found, stand_ins
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.lines import Line
from grader.hints.pieces import Alteration, Part, back, gradient, parts
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 81

POWERS = (
    (1.0, "`{}`"),
    (-1.0, "`{}`"),
    (2.0, "the square of `{}`"),
    (-2.0, "the square of `{}`"),
    (0.5, "the root of `{}`"),
    (-0.5, "the root of `{}`"),
)
"""Powers of a tensor that a factor may be, and how each or one over it is written."""


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """One line's share, or the whole answer, is the right one times or over a tensor, entry by entry."""
    if not inquiry.views:
        return
    yield from explained(inquiry, "ratios", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        yield from _of_line(inquiry, part)
        yield from _of_share(inquiry, part)
    yield from _of_all(inquiry)


def _of_line(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    for name, found in stand_ins(inquiry, inquiry.main.scene.values[part.line.name]):
        for power, said in POWERS:
            altered = Alteration(
                ("times", name, str(power)), partial(_arriving, part.line.name, found, power)
            )
            piece = back(part.line, inquiry.tensor, part.use, altered)
            yield _variant(part, piece, f"The derivative of {quoted(part.line)}", power, said.format(name))


def _of_share(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """A line's share off by a tensor that what arrives at the line is too small for."""
    small, large = inquiry.main.scene.values[part.line.name], inquiry.main.answer
    if small.numel() >= large.numel():
        return
    for name, found in stand_ins(inquiry, large):
        for power, said in POWERS:
            piece = Piece(
                ("share times", part.piece.key, name, power), partial(_share_times, part.piece, found, power)
            )
            yield _variant(part, piece, f"The derivative of {quoted(part.line)}", power, said.format(name))


def _share_times(piece: Piece, found: Found, power: float, run: Run) -> Tensor | None:
    share = piece.work_out(run)
    return None if share is None else _product(share, found(run), power)


def _of_all(inquiry: Inquiry) -> Iterator[Variant]:
    """Several lines as one, off by a tensor that one of them uses."""
    if len(inquiry.through) < 2:
        return
    part = parts(inquiry)[0]
    for name, found in stand_ins(inquiry, inquiry.main.answer):
        line = _user(inquiry, name)
        for power, said in POWERS if line is not None else ():
            piece = Piece(
                ("all times", inquiry.tensor, name, power), partial(_times, inquiry.tensor, found, power)
            )
            where = Part(part.piece, line or part.line, part.tensor)
            yield _variant(where, piece, "Your answer", power, said.format(name), others=False)


def _variant(part: Part, piece: Piece, what: str, power: float, tensor: str, others: bool = True) -> Variant:
    size, how = ("large", "times") if power > 0 else ("small", "over")
    return Variant(
        "wrong_local_derivative",
        part,
        piece,
        f"{what} is too {size} by a factor that differs from entry to entry: {tensor}.",
        f"the right one {how} {tensor} entry by entry",
        others,
    )


def _user(inquiry: Inquiry, name: str) -> Line | None:
    return next((line for line in inquiry.through if name in line.step.uses), None)


def _arriving(line: str, found: Found, power: float, run: Run) -> Tensor | None:
    return _product(run.gradients[line], found(run), power)


def _times(tensor: str, found: Found, power: float, run: Run) -> Tensor | None:
    whole = gradient(tensor).work_out(run)
    return None if whole is None else _product(whole, found(run), power)


def _product(whole: Tensor, factor: Tensor, power: float) -> Tensor | None:
    found: Tensor = whole * torch.pow(factor, power)
    return found if found.shape == whole.shape else None
