"""Products that do not fit: the right factors, one of them transposed the wrong way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations, product

import torch
from torch import Tensor

from grader.checks.check import Check
from grader.hints.inquiry import Inquiry
from grader.hints.pieces import Part, parts
from grader.hints.text import hint, quoted
from grader.scorecard.model import Hint, Outcome

ORDER = 25

MOST_ARGUMENTS = 8
"""A stub that asks for more is not tried: it would take long, and few do."""

Multiply = Callable[[Tensor, Tensor], Tensor]
Turn = tuple[bool, bool]
"""Which of two factors are transposed."""

TURNS: tuple[Turn, ...] = ((False, False), (False, True), (True, False), (True, True))


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Two arguments, multiplied, raise this very error, and turned otherwise they are what a line sends back."""
    fault = next((verdict.failure for _, verdict in inquiry.decisive if verdict.failure is not None), None)
    if inquiry.outcome is not Outcome.ERROR or fault is None or fault.fault is None:
        return
    checks = [check for check, _ in inquiry.tried if check.decides]
    factors = _factors(checks[0])
    for left, right in permutations(factors, 2) if len(factors) <= MOST_ARGUMENTS else ():
        for multiply in (torch.matmul, torch.mul):
            tried = [
                t
                for t in TURNS
                if _refusal(multiply, factors[left], factors[right], t) == fault.fault.message
            ]
            for turn, part in product((t for t in TURNS if tried and t not in tried), parts(inquiry)):
                if all(_is_share(inquiry, part, check, (left, right), multiply, turn) for check in checks):
                    yield hint(
                        "transposed",
                        part.line,
                        f"On the way back through {quoted(part.line)} a factor has to be transposed:"
                        f" `{left}` and `{right}` do not fit as they are.",
                        "The factors themselves are right.",
                    )


def _factors(check: Check) -> Mapping[str, Tensor]:
    return {
        name: value
        for name, value in check.arguments.items()
        if isinstance(value, Tensor) and value.dim() > 1 and value.is_floating_point()
    }


def _turned(one: Tensor, other: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
    return one.mT if turn[0] else one, other.mT if turn[1] else other


def _refusal(multiply: Multiply, one: Tensor, other: Tensor, turn: Turn) -> str | None:
    """What torch says of a product; None where it fits."""
    try:
        multiply(*_turned(one, other, turn))
    except RuntimeError as error:
        return str(error)
    return None


def _is_share(
    inquiry: Inquiry, part: Part, check: Check, names: tuple[str, str], multiply: Multiply, turn: Turn
) -> bool:
    """Whether a product of two arguments is one of a line's shares."""
    expected = inquiry.scene_of(check).mixed([(1.0, part.piece)])
    if expected is None:
        return False
    one, other = (check.arguments[name].double() for name in names)
    try:
        found = multiply(*_turned(one, other, turn)).sum_to_size(expected.precise.shape)
    except RuntimeError:
        return False
    return expected.admits(found)
