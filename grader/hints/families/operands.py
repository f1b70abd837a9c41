"""The way back through a line as if it were written differently: another operand or dimension, no eps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from torch import Tensor

from grader.checks.oracle import Run
from grader.course.forward import Values
from grader.hints.inquiry import Inquiry
from grader.hints.pieces import Alteration, Part, arriving, back, parts
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 78

Found = Callable[[Run], Tensor]


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The way back through one line is that of a line written a little differently."""
    if not inquiry.views:
        return
    yield from explained(inquiry, "operands", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for family in (_unguarded, _other_dim, _exchanged):
        for part in parts(inquiry):
            yield from family(inquiry, part)


def _unguarded(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    for guard, code in part.line.guards if part.use is None else ():
        altered = Alteration(("guard", str(guard)), arriving(part.line), code=code)
        yield Variant(
            "wrong_local_derivative",
            part,
            back(part.line, inquiry.tensor, None, altered),
            f"The {guard:g} in {quoted(part.line)} is dropped on the way back.",
            f"what flows back without the {guard:g}",
        )


def _other_dim(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    for index, turn in enumerate(part.line.other_dims if part.use is None else ()):
        altered = Alteration(("dim", str(index)), arriving(part.line), code=turn.code)
        yield Variant(
            "wrong_dim",
            part,
            back(part.line, inquiry.tensor, None, altered),
            f"The way back through {quoted(part.line)} goes along the wrong dimension.",
            "what flows back along a different dimension",
        )


def _exchanged(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """Another tensor stands where one of the line's operands belongs."""
    values = inquiry.main.scene.values
    for operand in part.line.step.uses:
        for name, found in stand_ins(inquiry, values[operand]):
            if name == operand:
                continue
            altered = Alteration(
                ("in place of", operand, name), arriving(part.line), partial(_in_place, operand, found)
            )
            yield Variant(
                "wrong_local_derivative",
                part,
                back(part.line, inquiry.tensor, part.use, altered),
                f"On the way back through {quoted(part.line)}, `{name}` is used in place of `{operand}`.",
                f"what flows back with `{name}` in place of `{operand}`",
            )


def _in_place(operand: str, found: Found, run: Run) -> Values:
    return {operand: found(run).expand_as(run.values[operand])}


def stand_ins(inquiry: Inquiry, like: object) -> Iterator[tuple[str, Found]]:
    """The forward values, and the gradients asked for, that broadcast to a tensor's shape."""
    if not isinstance(like, Tensor) or not like.is_floating_point():
        return
    for name, value in inquiry.main.scene.values.items():
        if isinstance(value, Tensor) and value.is_floating_point() and _broadcasts(value, like):
            yield name, partial(_value, name)
    for name in sorted(inquiry.asked):
        if inquiry.main.scene.gradients[name].shape == like.shape:
            yield f"d{name}", partial(_gradient, name)


def _broadcasts(small: Tensor, large: Tensor) -> bool:
    if not 0 < small.dim() <= large.dim():
        return False
    padded = (1,) * (large.dim() - small.dim()) + tuple(small.shape)
    return all(one in (1, size) for one, size in zip(padded, large.shape, strict=True))


def _value(name: str, run: Run) -> Tensor:
    value: Tensor = run.values[name]
    return value


def _gradient(name: str, run: Run) -> Tensor:
    return run.gradients[name]
