"""Compare one answer with the expected gradient of one case: an outcome, and what there is to say about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from grader.checks.oracle import ExpectedGradient
from grader.sandbox.answers import Answer, Described, Failed, Other, Returned
from grader.scorecard.model import Difference, Outcome

LEADING_ONES = "the shape {found} is taken for {expected}: they differ by leading 1s alone"
DOUBLE = "the answer is float64, its inputs float32: it is taken as it is"


@dataclass(frozen=True)
class Verdict:
    """The verdict on one answer.

    Args:
        outcome: one of those in docs/design.md, 2.4.
        exact: whether it equals autograd's float32 answer bit for bit.
        found_shape: the answer's own shape, None where there is no tensor.
        tensor: the answer in the expected shape, where the two can be compared.
        difference: its largest distance from what was expected, None where they cannot be compared.
        notes: what a student should know although it costs nothing.
        failure: the failed call, where there is no answer to look at.
        misshapen: the answer as it came, where its shape is wrong.
    """

    outcome: Outcome
    exact: bool = False
    found_shape: tuple[int, ...] | None = None
    tensor: Tensor | None = None
    difference: float | None = None
    notes: tuple[str, ...] = ()
    failure: Failed | None = None
    misshapen: Tensor | None = None


NOT_RUN = Verdict(Outcome.NOT_RUN)


def compare(
    answer: Answer,
    expected: ExpectedGradient,
    *,
    strict_shapes: bool = False,
    unshown: str | None = None,
    remark: str | None = None,
) -> Verdict:
    """Compare one answer with what was expected.

    Shapes are compared before values, because broadcasting would hide a wrong shape; values by a comparison
    that a NaN fails.

    Args:
        answer: what came back.
        expected: the expected gradient in this case.
        strict_shapes: whether a shape that differs by leading 1s is wrong.
        unshown: why a right answer is worth nothing: the expected gradient is zero whatever the function is
            handed, so that its rounding error is all there is to tell a derivation from a guess, and a guess can
            have one, too. Becomes a note.
        remark: a note on a right answer.
    """
    match answer:
        case Failed(outcome=outcome):
            return Verdict(outcome, failure=answer)
        case Other(description=description):
            message = f"returned {description}, expected a tensor"
            failure = Failed(Outcome.NOT_A_TENSOR, message, found=description)
            return Verdict(Outcome.NOT_A_TENSOR, failure=failure)
        case Described(dtype=dtype, shape=shape):
            if "float" in dtype:  # so many numbers that they were not sent
                return Verdict(Outcome.WRONG_SHAPE, found_shape=shape)
            message = f"returned a tensor of {dtype}, expected floating-point numbers"
            failure = Failed(Outcome.WRONG_DTYPE, message, found=dtype)
            return Verdict(Outcome.WRONG_DTYPE, found_shape=shape, failure=failure)
        case Returned(tensor=tensor):
            return _with_notes(_compare_tensors(tensor, expected, strict_shapes), unshown, remark)


def _with_notes(verdict: Verdict, unshown: str | None, remark: str | None) -> Verdict:
    """A verdict on a right answer with what is to be said of it; without its points where it shows nothing."""
    if not verdict.outcome.scores:
        return verdict
    notes = (*verdict.notes, *(note for note in (unshown, remark) if note is not None))
    if unshown is None:
        return replace(verdict, notes=notes)
    return replace(verdict, outcome=Outcome.WRONG_VALUE, exact=False, notes=notes)


def _compare_tensors(tensor: Tensor, expected: ExpectedGradient, strict_shapes: bool) -> Verdict:
    found, shape = tuple(tensor.shape), tuple(expected.precise.shape)
    if found != shape and (strict_shapes or _without_leading_ones(found) != _without_leading_ones(shape)):
        return Verdict(Outcome.WRONG_SHAPE, found_shape=found, misshapen=tensor)
    notes = []
    if found != shape:
        notes.append(LEADING_ONES.format(found=found, expected=shape))
    if tensor.dtype.itemsize == 8:
        notes.append(DOUBLE)
    answer = tensor.reshape(shape)
    same = tensor.dtype == expected.autograd.dtype and answer.equal(expected.autograd)
    difference = expected.spread if same else expected.difference(answer)
    outcome = _outcome(answer, expected, difference)
    exact = outcome.scores and (same or bool((answer == expected.autograd).all()))
    if exact:
        outcome = Outcome.EXACT
    return Verdict(outcome, exact, found, answer, difference, tuple(notes))


def _outcome(answer: Tensor, expected: ExpectedGradient, difference: float) -> Outcome:
    # Written so that a NaN, which compares false, is refused.
    if not difference <= expected.tolerance:
        return Outcome.WRONG_VALUE if answer.isfinite().all() else Outcome.NOT_FINITE
    return Outcome.CLOSE


def measure(answer: Tensor, other: Tensor) -> Difference:
    """How far an answer is from another of the same shape; relative to the other's largest entry."""
    if answer.dtype == other.dtype and answer.equal(other):
        return Difference(0.0, 0.0)
    distance = float((answer.double() - other.double()).abs().max()) if answer.numel() else 0.0
    scale = float(other.double().abs().max()) if other.numel() else 0.0
    relative = distance / scale if scale else (0.0 if distance == 0 else None)
    if not math.isfinite(distance):
        return Difference(None, None)
    return Difference(distance, relative)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
