"""Operands that do not fit, because a sum between them lost its dimension."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain, combinations

import torch
from torch import Tensor

from grader.checks.check import Check
from grader.course.forward import Values
from grader.hints.families.dimensions import BACK, called
from grader.hints.inquiry import Inquiry
from grader.hints.lines import Line
from grader.hints.text import case, hint, quoted
from grader.scorecard.model import Hint, Outcome

# After products: a factor transposed the wrong way is told by its numbers, too.
ORDER = 26

Shape = tuple[int, ...]


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The error is that of a tensor and its sum along a line's dimension, and of no two of the arguments."""
    if inquiry.outcome is not Outcome.ERROR or any(verdict.outcome.scores for _, verdict in inquiry.decisive):
        return
    check, verdict = inquiry.decisive[0]
    fault = verdict.failure.fault if verdict.failure is not None else None
    if fault is None or fault.message in _among_arguments(inquiry, check):
        return
    values = inquiry.scene_of(check).values
    for line in inquiry.through:
        for whole, dim in _summed(line, values):
            lost = whole[:dim] + whole[dim + 1 :]
            if fault.message in _refusals(whole, lost):
                yield hint(
                    "keepdim",
                    line,
                    f"In {quoted(line)}, or on the way back through it, there is a sum along dimension {dim}:"
                    " without `keepdim=True` its result no longer fits.",
                    f"The error in {case(check.name)} is the one that shapes {whole} and {lost} give together.",
                )


def _summed(line: Line, values: Values) -> Iterator[tuple[Shape, int]]:
    """What is summed in a line or on the way back through it, by its shape, and along which dimension."""
    whole = tuple(values[line.name].shape)
    if called(line.expression) in BACK:
        yield from ((whole, turn.written % len(whole)) for turn in line.other_dims)
    for name in line.step.uses:
        small = values[name].shape if isinstance(values[name], Tensor) else ()
        if len(small) == len(whole):
            yield from ((whole, dim) for dim, size in enumerate(small) if size == 1 < whole[dim])


def _among_arguments(inquiry: Inquiry, check: Check) -> frozenset[str]:
    """What torch says of any two of the arguments side by side.

    Only where matrices are multiplied does one turn a factor, and then one of them may stand here transposed.
    """
    shapes = {tuple(value.shape) for value in check.arguments.values() if isinstance(value, Tensor)}
    if any(isinstance(n, ast.MatMult) for line in inquiry.through for n in ast.walk(line.expression)):
        shapes |= {(*shape[:-2], shape[-1], shape[-2]) for shape in shapes if len(shape) > 1}
    return frozenset(chain.from_iterable(_refusals(*pair) for pair in combinations(shapes, 2)))


def _refusals(one: Shape, other: Shape) -> Iterator[str]:
    """What torch says of two shapes side by side, in both orders; nothing where they fit."""
    for left, right in ((one, other), (other, one)):
        try:
            torch.empty(left) + torch.empty(right)
        except RuntimeError as error:
            yield str(error)
