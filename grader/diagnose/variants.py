"""Answers in which one share was worked out otherwise than rightly, and the rest is right or left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.diagnose.numbers import Factor, constant, understand
from grader.diagnose.pieces import Part, parts
from grader.diagnose.scene import Inquiry, Piece
from grader.diagnose.weights import COARSE
from grader.diagnose.words import hint, kinds, listed, quoted
from grader.scorecard import Hint


@dataclass(frozen=True)
class Variant:
    """A wrong way to work out one share.

    Args:
        kind: the kind of hint it makes.
        part: the share it takes the place of.
        piece: what comes out.
        sentence: what the student did, in a sentence.
        evidence: what the answer then equals, to go between "Your answer equals" and "in all 4 cases".
        others: whether it can be that the remaining shares are right; else it is the whole answer.
    """

    kind: str
    part: Part
    piece: Piece
    sentence: str
    evidence: str
    others: bool = True


def explain(inquiry: Inquiry, variants: Sequence[Variant]) -> Iterator[Hint]:
    """The hints of those variants that are the answer in every case, the plainest first."""
    if not inquiry.views or not inquiry.main.answer.any():
        return
    whole = parts(inquiry)
    found = list(_screened(inquiry, variants, whole))
    for rank in range(3):
        for variant, alone, estimate in found:
            if _rank(estimate, alone and len(whole) > 1) == rank:
                yield from _checked(inquiry, variant, alone, whole)


def _rank(estimate: float, alone: bool) -> int:
    """As it is; with the other shares left out; with a factor besides."""
    return 2 if abs(estimate - 1) > COARSE else int(alone)


def _screened(
    inquiry: Inquiry, variants: Sequence[Variant], whole: Sequence[Part]
) -> Iterator[tuple[Variant, bool, float]]:
    """The variants that some factor takes near the answer in the main view, alone or with the other shares."""
    view = inquiry.main
    usable = [v for v in variants if _usable(view.scene.get(v.piece), view.answer)]
    if not usable:
        return
    stack = inquiry.known.stacked(view.scene, [variant.piece for variant in usable])
    squares = (stack * stack).sum(1)
    answer = view.answer.flatten()
    noise = (view.tolerance**2) * answer.numel()
    for alone, target, rows in _targets(inquiry, usable, whole, answer):
        if not rows or float(target.abs().max()) <= COARSE * float(answer.abs().max()):
            continue
        chosen = stack[rows]
        factors = chosen @ target / squares[rows]
        rest = ((target - factors[:, None] * chosen) ** 2).sum(1)
        near = rest <= COARSE**2 * (target @ target) + noise * 0
        for row, is_so, factor in zip(rows, near.tolist(), factors.tolist(), strict=True):
            if is_so:
                yield usable[row], alone, factor


def _usable(tensor: Tensor | None, answer: Tensor) -> bool:
    return (
        tensor is not None
        and tensor.shape == answer.shape
        and bool(tensor.isfinite().all())
        and bool(tensor.any())
    )


def _targets(
    inquiry: Inquiry, usable: Sequence[Variant], whole: Sequence[Part], answer: Tensor
) -> Iterator[tuple[bool, Tensor, list[int]]]:
    """What variants are held against, and the rows of those that are: the answer, or what the others leave of it."""
    yield True, answer, list(range(len(usable)))
    if len(whole) == 1:
        return
    shares = [inquiry.main.scene.get(part.piece) for part in whole]
    for part in whole:
        others = [
            share.flatten()
            for other, share in zip(whole, shares, strict=True)
            if other is not part and share is not None
        ]
        rows = [i for i, variant in enumerate(usable) if variant.others and variant.part.piece == part.piece]
        yield False, answer - torch.stack(others).sum(0), rows


def _checked(inquiry: Inquiry, variant: Variant, alone: bool, whole: Sequence[Part]) -> Iterator[Hint]:
    others = [] if alone else [part for part in whole if part.piece != variant.part.piece]
    factor = _factor(inquiry, variant, others)
    ones = (1.0,) * len(inquiry.views)
    if factor is None or not factor.named:
        return
    terms = [(factor.values, variant.piece), *((ones, part.piece) for part in others)]
    if inquiry.fits(terms):
        yield _told(inquiry, variant, factor, others, whole)


def _factor(inquiry: Inquiry, variant: Variant, others: Sequence[Part]) -> Factor | None:
    estimates: list[float | None] = []
    for view in inquiry.views:
        tensor = view.scene.get(variant.piece)
        rest = [view.scene.get(part.piece) for part in others]
        if tensor is None or tensor.shape != view.answer.shape or any(share is None for share in rest):
            return None
        target = view.answer - sum(
            (share for share in rest if share is not None), torch.zeros_like(view.answer)
        )
        square = float((tensor * tensor).sum())
        noise = max(view.tolerance, float(target.abs().max()) * COARSE)
        estimates.append(
            float((tensor * target).sum()) / square if float(tensor.abs().max()) > noise else None
        )
    if all(e is None or abs(e - 1) < COARSE for e in estimates):
        return constant(1.0, len(estimates))
    return understand(estimates, inquiry.sizes)


def _told(
    inquiry: Inquiry, variant: Variant, factor: Factor, others: Sequence[Part], whole: Sequence[Part]
) -> Hint:
    names = [variant.kind]
    sentences = [variant.sentence]
    if factor.constant == -1:
        names.append("sign")
        sentences.append("The sign is turned, too.")
    elif factor.constant != 1:
        names.append("scale")
        sentences.append(f"There is a factor of {factor.said} besides.")
    left_out = [part.line for part in whole if part not in others and part.piece != variant.part.piece]
    if left_out and variant.others:
        names.append("missing_path")
        lines = dict.fromkeys(quoted(line) for line in left_out)
        sentences.append(f"Nothing comes back through {listed(lines)}.")
    by = "" if factor.constant == 1 else f"{factor.said} times "
    with_others = ", with the rest right," if others else ""
    sentences.append(f"Your answer equals {by}{variant.evidence}{with_others} {inquiry.everywhere}.")
    return hint(kinds(names), variant.part.line, *sentences)
