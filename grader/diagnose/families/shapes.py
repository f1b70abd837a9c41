"""Answers of the wrong shape: what the shape alone says, in every case in which it came back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from torch import Tensor

from grader.diagnose.lines import Line
from grader.diagnose.scene import Inquiry
from grader.diagnose.words import hint, quoted
from grader.forward import Values
from grader.scorecard import Hint, Outcome

ORDER = 20

Shape = tuple[int, ...]


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer's shape is that of a known mistake in all the cases, or at least not the tensor's."""
    if inquiry.outcome is not Outcome.WRONG_SHAPE:
        return
    yield from _keepdim(inquiry)
    for line in inquiry.users:
        yield from _summed(inquiry, line)
    yield from _outer(inquiry)
    yield from _transposed(inquiry)
    yield from _of_another(inquiry)
    yield from _other(inquiry)


def _found(inquiry: Inquiry) -> list[tuple[Shape, Shape, Values]]:
    """The shape found, the shape expected and the forward values of every case with a wrong shape."""
    cases = []
    for trial, verdict in inquiry.decisive:
        if verdict.outcome is Outcome.WRONG_SHAPE and verdict.found_shape is not None:
            values = inquiry.known.scene(trial.name).oracle.case.values
            cases.append((verdict.found_shape, tuple(trial.truth.precise.shape), values))
    return cases


def _keepdim(inquiry: Inquiry) -> Iterator[Hint]:
    cases = _found(inquiry)
    if all(
        1 in expected and _squeezed(found) == _squeezed(expected) and len(found) < len(expected)
        for found, expected, _ in cases
    ):
        yield hint(
            "keepdim",
            _only(inquiry),
            f"A dimension of size 1 is lost: `{inquiry.tensor}` keeps it, so its gradient does, too.",
            _evidence(inquiry),
        )


def _summed(inquiry: Inquiry, line: Line) -> Iterator[Hint]:
    """What the line broadcasts is summed over the dimensions it was copied along, and over no others."""
    cases = _found(inquiry)
    right = [_copied(expected, _shape_of(values, line.name)) for _, expected, values in cases]
    if any(dims != right[0] for dims in right) or right[0] is None:
        return
    # A single number may come from anywhere.
    if any(not _squeezed(found) for found, _, _ in cases):
        return
    wanted = right[0]
    rank = len(_shape_of(cases[0][2], line.name))
    for count in range(rank + 1):
        for dims in combinations(range(rank), count):
            if all(
                _squeezed(found) == _without(_shape_of(values, line.name), dims) for found, _, values in cases
            ):
                yield from _told(inquiry, line, frozenset(wanted), frozenset(dims))
                return


def _told(inquiry: Inquiry, line: Line, wanted: frozenset[int], dims: frozenset[int]) -> Iterator[Hint]:
    if dims == wanted:
        return
    if dims < wanted:
        kind = "missing_sum"
        sentence = (
            f"{quoted(line)} copies `{inquiry.tensor}` along"
            f" {_dims(wanted)}, and what the copies receive adds up."
        )
        if dims:
            sentence += f" Your answer has the shape of a sum over {_dims(dims)} only."
    elif not wanted:
        kind = "wrong_shape"
        sentence = (
            f"Each entry of `{inquiry.tensor}` has a gradient of"
            f" its own in {quoted(line)}: nothing is summed there."
        )
    else:
        kind = "wrong_dim"
        sentence = (
            f"Your answer has the shape of a sum over {_dims(dims)}."
            f" Look along which {quoted(line)} copies `{inquiry.tensor}`."
        )
    yield hint(kind, line, sentence, _evidence(inquiry))


def _outer(inquiry: Inquiry) -> Iterator[Hint]:
    """One gradient for each row, not summed: the tensor's shape at the end of a larger one."""
    cases = _found(inquiry)
    extra = {len(found) - len(expected) for found, expected, _ in cases}
    for line in inquiry.users:
        if min(extra) > 0 and all(
            found[-len(expected) :] == expected
            and found[: len(found) - len(expected)]
            == _shape_of(values, line.name)[: len(found) - len(expected)]
            for found, expected, values in cases
        ):
            yield hint(
                "missing_sum",
                line,
                f"This is one gradient for each row: every row of {quoted(line)}"
                f" uses the same `{inquiry.tensor}`, so they add up.",
                _evidence(inquiry),
            )


def _transposed(inquiry: Inquiry) -> Iterator[Hint]:
    cases = _found(inquiry)
    if all(len(found) == len(expected) and sorted(found) == sorted(expected) for found, expected, _ in cases):
        yield hint(
            "transposed",
            _only(inquiry),
            f"The dimensions of `{inquiry.tensor}` are exchanged in your answer.",
            _evidence(inquiry),
        )


def _of_another(inquiry: Inquiry) -> Iterator[Hint]:
    """The shape of another forward value, which the numbers were left in."""
    cases = _found(inquiry)
    near = [line.name for line in inquiry.users]
    if inquiry.tensor in inquiry.known.lines:
        near += inquiry.known.lines[inquiry.tensor].step.uses
    names = [*near, *(name for name in inquiry.known.exercise.forward.names if name not in near)]
    for name in names:
        if all(
            isinstance(values[name], Tensor) and _shape_of(values, name) == found
            for found, _, values in cases
        ):
            yield hint(
                "wrong_shape",
                _only(inquiry),
                f"Your answer has the shape of `{name}`; a gradient has"
                f" its own tensor's, here that of `{inquiry.tensor}`.",
                _evidence(inquiry),
            )
            return


def _other(inquiry: Inquiry) -> Iterator[Hint]:
    if all(not _squeezed(found) for found, _, _ in _found(inquiry)):
        sentence = (
            f"Your answer is a single number; each entry of `{inquiry.tensor}` has a gradient of its own."
        )
    else:
        sentence = f"A gradient has its own tensor's shape, here that of `{inquiry.tensor}`."
    yield hint("wrong_shape", _only(inquiry), sentence, _evidence(inquiry))


def _only(inquiry: Inquiry) -> Line | None:
    return inquiry.users[0] if len(inquiry.users) == 1 else None


def _evidence(inquiry: Inquiry) -> str:
    found, expected, _ = _found(inquiry)[0]
    name = next(trial.name for trial, verdict in inquiry.decisive if verdict.outcome is Outcome.WRONG_SHAPE)
    return f"In case {name} your answer is {found}, `{inquiry.tensor}` is {expected}."


def _shape_of(values: Values, name: str) -> Shape:
    return tuple(values[name].shape) if isinstance(values[name], Tensor) else ()


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _without(shape: Shape, dims: tuple[int, ...]) -> Shape:
    return _squeezed(tuple(size for dim, size in enumerate(shape) if dim not in dims))


def _copied(small: Shape, large: Shape) -> tuple[int, ...] | None:
    """The dimensions along which broadcasting copies, or None where the shapes do not broadcast."""
    padded = (1,) * (len(large) - len(small)) + small
    if len(small) > len(large) or any(s not in (1, b) for s, b in zip(padded, large, strict=True)):
        return None
    return tuple(dim for dim, (s, b) in enumerate(zip(padded, large, strict=True)) if s != b)


def _dims(dims: frozenset[int]) -> str:
    return f"dimension{'s' if len(dims) > 1 else ''} {' and '.join(map(str, sorted(dims)))}"
