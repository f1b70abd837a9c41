"""With which weights the shares of a gradient make up an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import torch
from torch import Tensor

from grader.hints.inquiry import Inquiry, View
from grader.hints.pieces import Part

COARSE = 1e-3
"""How near, relative to its largest entry, an answer must come to an explanation to be checked in full."""

DEPENDENT = 1e-6
"""Shares this close to depending on each other linearly (as a squared sine) have no weights of their own."""

SIMPLE = (1.0, 0.0, -1.0, 2.0)
"""The weights tried first: there, left out, subtracted, counted twice."""

MANY = 5
"""Of more shares than this, simple weights are tried for two at a time only."""


def is_near(found: Tensor, wanted: Tensor) -> bool:
    """Whether an explanation is worth checking in full."""
    scale = wanted.abs().max()
    return bool(((found - wanted).abs().max() <= COARSE * scale) & (scale > 0))


@cache
def patterns(count: int) -> list[tuple[float, ...]]:
    """Simple weights for some shares, those that blame the fewest first; all ones (right) is left out."""
    found = [
        pattern
        for pattern in product(SIMPLE, repeat=count)
        if any(pattern)
        and len({*pattern}) <= 2
        and (count <= MANY or sum(w != 1 for w in pattern) <= 2 or sum(w != 0 for w in pattern) <= 1)
        and pattern != (1.0,) * count
        and pattern != (2.0,) * count
    ]
    return sorted(found, key=_blame)


def _blame(pattern: tuple[float, ...]) -> tuple[int, int, list[int]]:
    """Fewest wrong shares first; a wrong sign of all of them is one mistake."""
    wrong = [weight for weight in pattern if weight != 1]
    mistakes = 1 if set(pattern) == {-1.0} else len(wrong)
    return (
        mistakes,
        max(SIMPLE.index(weight) for weight in wrong),
        [SIMPLE.index(weight) for weight in pattern],
    )


def simple(inquiry: Inquiry, parts: Sequence[Part]) -> Iterator[tuple[float, ...]]:
    """Simple weights with which the shares make up the answer in every case."""
    view = inquiry.main
    pieces = [part.piece for part in parts]
    tensors = [view.scene.get(piece) for piece in pieces]
    if not 0 < len(parts) <= 1 + MANY or any(tensor is None for tensor in tensors):
        return
    stack = torch.stack([tensor.flatten() for tensor in tensors if tensor is not None])
    candidates = patterns(len(parts))
    weights = torch.tensor(candidates, dtype=stack.dtype)
    answer = view.answer.flatten()
    scale = answer.abs().max()
    near = ((weights @ stack - answer).abs().amax(1) <= COARSE * scale) & (scale > 0)
    for index in near.nonzero().flatten().tolist():
        pattern = candidates[index]
        if inquiry.fits(
            [((weight,) * len(inquiry.views), p) for weight, p in zip(pattern, pieces, strict=True)]
        ):
            yield pattern


def fitted(inquiry: Inquiry, parts: Sequence[Part]) -> tuple[tuple[float | None, ...], ...] | None:
    """The weights that come nearest to the answer, one tuple a share with its weight in each view.

    Returns:
        None where no weights come near. A weight is None in a view where its share vanishes.
    """
    if not is_fitted(inquiry.main, parts):
        return None
    columns = []
    for view in inquiry.views:
        found = estimate(view, parts)
        if found is None:
            return None
        columns.append(found)
    return tuple(zip(*columns, strict=True))


def is_fitted(view: View, parts: Sequence[Part]) -> bool:
    """Whether any weights come near the answer in one view."""
    found = estimate(view, parts)
    if found is None:
        return False
    made = torch.zeros_like(view.answer)
    for weight, part in zip(found, parts, strict=True):
        tensor = view.scene.get(part.piece)
        if tensor is not None:
            made = made + (1.0 if weight is None else weight) * tensor
    return is_near(made, view.answer)


def estimate(view: View, parts: Sequence[Part]) -> list[float | None] | None:
    """The weights of least squares in one view, None for shares that vanish there."""
    tensors = [view.scene.get(part.piece) for part in parts]
    if any(tensor is None for tensor in tensors):
        return None
    told = [i for i, part in enumerate(parts) if not view.scene.vanishes(part.piece)]
    if not told:
        return [None] * len(parts)
    stack = torch.stack([t.flatten() for t in (tensors[i] for i in told) if t is not None])
    if stack.shape[1] < len(told) or not bool(stack.isfinite().all()):
        return None
    lengths = stack.norm(dim=1, keepdim=True)
    unit = stack / lengths
    gram = unit @ unit.T
    if len(told) > 1 and float(torch.linalg.eigvalsh(gram)[0]) < DEPENDENT:
        return None
    solved = torch.linalg.solve(gram, unit @ view.answer.flatten()) / lengths[:, 0]
    weights: list[float | None] = [None] * len(parts)
    for index, weight in zip(told, solved.tolist(), strict=True):
        weights[index] = weight
    return weights
