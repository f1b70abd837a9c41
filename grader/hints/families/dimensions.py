"""Sums along another dimension than they should be: several lines back, or inside one operation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations, product
from types import CodeType

import torch
from torch import Tensor

from grader.checks.oracle import Run
from grader.course.forward import Values
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.lines import Line, OtherDim
from grader.hints.pieces import Part, parts, routes
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.hints.weights import is_near
from grader.scorecard.model import Hint

ORDER = 79

Back = Callable[[Tensor, Tensor, int], Tensor]
"""How one goes back through an operation, by what arrives, its value and its dimension."""


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """A way back sums along another dimension, or goes by a value that was computed along another."""
    if not inquiry.views:
        return
    yield from explained(inquiry, "inner sums", lambda: _halves(inquiry))
    ways = routes(inquiry)
    if ways:
        yield from explained(
            inquiry, "dimensions", lambda: _along_ways(inquiry, ways), whole=ways, lacking=True
        )


def _along_ways(inquiry: Inquiry, ways: tuple[Part, ...]) -> Iterator[Variant]:
    for way in ways:
        for turns in _turns(way.lines):
            piece = Piece(
                ("way along", way.piece.key, turns), partial(_gone_back, inquiry.tensor, way.lines, turns)
            )
            yield _variant(turns[-1][0], way, piece)
        yield from _as_mean(inquiry, way)
        yield from _by_value(inquiry, way)
        yield from _by_sum(inquiry, way)


Turns = tuple[tuple[Line, CodeType], ...]
"""Lines that are written along another dimension, and their code then."""


def _turns(lines: tuple[Line, ...]) -> Iterator[Turns]:
    """One of some lines along another dimension, then all of them along the same other one."""
    found = [(line, turn) for line in lines for turn in line.other_dims]
    yield from (((line, turn.code),) for line, turn in found)
    for other in dict.fromkeys(turn.other for _, turn in found):
        alike = {line.name: (line, turn.code) for line, turn in found if turn.other == other}
        if len(alike) > 1:
            yield tuple(alike.values())


def _as_mean(inquiry: Inquiry, way: Part) -> Iterator[Variant]:
    """A mean that is written as a sum, along another dimension and over as many entries as there are."""
    values = inquiry.main.scene.values
    for line, tensor in zip(way.lines, (way.tensor, *way.route), strict=False):
        for turn in line.other_dims:
            if turn.other < values[tensor].dim() and _is_mean(values, line, tensor, turn):
                turns = ((line, turn.code),)
                work_out = partial(_averaged, inquiry.tensor, way.lines, turns, line.name, tensor, turn)
                yield _variant(line, way, Piece(("way averaged", way.piece.key, turns), work_out))


def _is_mean(values: Values, line: Line, tensor: str, turn: OtherDim) -> bool:
    """Whether a line is a mean, and would be none if no more than its dimension were another."""
    operand, value = values[tensor], values[line.name]
    if not -operand.dim() <= turn.written < operand.dim() or not operand.is_floating_point():
        return False
    mean, altered = operand.mean(turn.written, True), _recomputed(values, ((line, turn.code),), (line,))
    if altered is None or mean.shape != value.shape or not is_near(value, mean):
        return False
    turned = operand.mean(turn.other, True)
    return altered[line.name].shape == turned.shape and not is_near(altered[line.name], turned)


def _averaged(
    tensor: str, way: tuple[Line, ...], turns: Turns, line: str, operand: str, turn: OtherDim, run: Run
) -> Tensor | None:
    found, shape = _gone_back(tensor, way, turns, run), run.values[operand].shape
    return None if found is None else found * shape[turn.written] / shape[turn.other]


def _variant(line: Line, way: Part, piece: Piece) -> Variant:
    return Variant(
        "wrong_dim",
        Part(way.piece, line, way.tensor, way.use, way.lines),
        piece,
        f"Something is summed along a different dimension than in {quoted(line)}.",
        "what flows back along a different dimension",
    )


def _gone_back(tensor: str, way: tuple[Line, ...], turns: Turns, run: Run) -> Tensor | None:
    """What comes back on a way on which some lines are written along another dimension, and the next follow."""
    values = _recomputed(run.values, turns, way)
    if values is None:
        return None
    codes = {line.name: code for line, code in turns}
    arrived: Tensor | None = run.gradients[way[-1].name]
    names = [tensor, *(line.name for line in way[:-1])]
    for line, name in zip(reversed(way), reversed(names), strict=True):
        if arrived is None:
            return None
        arrived = line.back(values, name, arrived, codes.get(line.name))
    return arrived


def _recomputed(values: Values, turns: Turns, lines: tuple[Line, ...]) -> Values | None:
    """Forward values with some lines altered, and those made anew that come after the first of them."""
    codes = {line.name: code for line, code in turns}
    changed, is_after = dict(values), False
    try:
        for line in lines:
            is_after = is_after or line.name in codes
            if is_after:
                changed[line.name] = line.value(changed, codes.get(line.name))
    except (RuntimeError, IndexError, TypeError, ValueError, AssertionError):
        return None
    return changed


def _by_value(inquiry: Inquiry, way: Part) -> Iterator[Variant]:
    """A share that is a forward value times a number, where that value was computed along another dimension."""
    share = inquiry.main.scene.get(way.piece)
    for name, value in inquiry.main.scene.values.items():
        if share is None or not isinstance(value, Tensor) or value.shape != share.shape:
            continue
        if not value.is_floating_point() or not is_near(_ratio(share, value) * value, share):
            continue
        lines, work_out_share = _made_of(inquiry, name), _once_a_run(way.piece.work_out)
        for turns in _turns(lines):
            work_out = partial(_with_value, work_out_share, name, turns, lines)
            yield _variant(turns[-1][0], way, Piece(("by value", way.piece.key, name, turns), work_out))


def _by_sum(inquiry: Inquiry, way: Part) -> Iterator[Variant]:
    """A share with a sum in it of a gradient the stub was given, or of its product with a value."""
    shape = inquiry.main.answer.shape
    values = inquiry.main.scene.values
    share = _once_a_run(way.piece.work_out)
    like = [
        n for n, v in values.items() if isinstance(v, Tensor) and v.is_floating_point() and v.shape == shape
    ]
    for given in sorted(inquiry.asked):
        if inquiry.main.scene.gradients[given].shape != shape:
            continue
        for name in (None, *like):
            for (right, other), mean in product(permutations(range(len(shape)), 2), (False, True)):
                work_out = partial(_summed_along, share, given, name, right, other, mean)
                piece = Piece(("by sum", way.piece.key, given, name, right, other, mean), work_out)
                yield _variant(way.line, way, piece)


def _once_a_run(work_out: Callable[[Run], Tensor | None]) -> Callable[[Run], Tensor | None]:
    """The same, computed once for the run that was asked for last: many variants of a share start from it."""
    last: list[tuple[Run, Tensor | None]] = []

    def remembered(run: Run) -> Tensor | None:
        if not last or last[0][0] is not run:
            last[:] = [(run, work_out(run))]
        return last[0][1]

    return remembered


def _summed_along(
    share: Callable[[Run], Tensor | None],
    given: str,
    name: str | None,
    right: int,
    other: int,
    mean: bool,
    run: Run,
) -> Tensor | None:
    """A share with one of its factors, a sum or a mean over a dimension, taken over another."""
    whole, term = share(run), run.gradients[given]
    if name is not None:
        term = term * run.values[name]
    sum_up = torch.mean if mean else torch.sum
    return None if whole is None else whole / sum_up(term, right, True) * sum_up(term, other, True)


def _made_of(inquiry: Inquiry, name: str) -> tuple[Line, ...]:
    """The lines between the tensor asked for and a value that is made of it, top to bottom."""
    forward = inquiry.known.exercise.forward
    below = forward.descendants(inquiry.tensor)
    return tuple(
        inquiry.known.lines[step.name]
        for step in forward.steps
        if step.name in below and (step.name == name or name in forward.descendants(step.name))
    )


def _with_value(
    work_out: Callable[[Run], Tensor | None], name: str, turns: Turns, lines: tuple[Line, ...], run: Run
) -> Tensor | None:
    share, values = work_out(run), _recomputed(run.values, turns, lines)
    if share is None or values is None or values[name].shape != share.shape:
        return None
    altered: Tensor = values[name]
    return _ratio(share, run.values[name]) * altered


def _ratio(share: Tensor, value: Tensor) -> Tensor:
    return (share * value).sum() / (value * value).sum()


def _halves(inquiry: Inquiry) -> Iterator[Variant]:
    """A softmax has two sums in it, the one in its value and the one on the way back: one of them is turned."""
    for part in parts(inquiry):
        back = BACK.get(called(part.line.expression))
        if back is None:
            continue
        for index, turn in enumerate(part.line.other_dims):
            for half in (_value_turned, _sum_turned):
                piece = Piece((half.__name__, part.piece.key, index), partial(half, part.line, back, turn))
                yield _variant(part.line, part, piece)


def called(expression: ast.expr) -> str:
    """The function that a line's whole right-hand side calls, by its last name."""
    function = expression.func if isinstance(expression, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else ""


def _value_turned(line: Line, back: Back, turn: OtherDim, run: Run) -> Tensor | None:
    values = _recomputed(run.values, ((line, turn.code),), (line,))
    return None if values is None else back(run.gradients[line.name], values[line.name], turn.written)


def _sum_turned(line: Line, back: Back, turn: OtherDim, run: Run) -> Tensor | None:
    value: Tensor = run.values[line.name]
    return back(run.gradients[line.name], value, turn.other) if turn.other < value.dim() else None


def _softmax(arrived: Tensor, value: Tensor, dim: int) -> Tensor:
    return value * (arrived - (value * arrived).sum(dim, keepdim=True))


def _log_softmax(arrived: Tensor, value: Tensor, dim: int) -> Tensor:
    return arrived - value.exp() * arrived.sum(dim, keepdim=True)


BACK: dict[str, Back] = {"softmax": _softmax, "log_softmax": _log_softmax}
"""How one goes back through the operations that have a sum inside."""
