"""Where an answer is wrong: its worst entry, and a picture of its error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from grader.checks.oracle import ExpectedGradient
from grader.scorecard.model import ErrorMap, Worst

ROWS, COLUMNS = 32, 64
"""The most digits a picture has; larger tensors are shown by the worst entry of each block."""


def worst(answer: Tensor | None, expected: ExpectedGradient) -> Worst | None:
    """The entry furthest from what is expected, NaN counting as furthest; None for a tensor without entries."""
    if answer is None or not answer.numel():
        return None
    index = _index(int(_error(answer, expected).argmax()), answer.shape)
    return Worst(index, _number(expected.precise[index]), _number(answer[index]))


def error_map(answer: Tensor | None, expected: ExpectedGradient) -> ErrorMap | None:
    """The error as digits: 0 within tolerance, else 1 to 9 by the square root of its share of the worst."""
    if answer is None or not answer.numel():
        return None
    flat = _error(answer, expected)
    flat = flat.reshape(-1, flat.shape[-1]) if flat.dim() else flat.reshape(1, 1)
    stride = (math.ceil(flat.shape[0] / ROWS), math.ceil(flat.shape[1] / COLUMNS))
    blocks = F.max_pool2d(flat[None], stride, ceil_mode=True)[0]
    digits = ((blocks / blocks.max()).sqrt() * 9).ceil().int()
    digits[blocks <= expected.tolerance] = 0
    return ErrorMap(stride, tuple("".join(map(str, row)) for row in digits.tolist()))


def _error(answer: Tensor, expected: ExpectedGradient) -> Tensor:
    """Each entry's distance from what is expected, a number that is not finite as a very large one."""
    return (answer.double() - expected.precise).abs().nan_to_num(nan=1e30, posinf=1e30)


def _index(place: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Where an entry stands; torch's own way loads its symbolic algebra first, which takes longer than grading."""
    index = []
    for size in reversed(shape):
        place, position = divmod(place, size)
        index.append(position)
    return tuple(reversed(index))


def _number(value: Tensor) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
