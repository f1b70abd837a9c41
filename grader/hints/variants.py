"""Answers in which one share was computed in a wrong way, and the rest is right or left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.checks.oracle import ExpectedGradient
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.numbers import Factor, constant, understand
from grader.hints.pieces import Part, parts
from grader.hints.text import hint, kinds, listed, quoted
from grader.hints.weights import COARSE
from grader.scorecard.model import Hint


@dataclass(frozen=True)
class Variant:
    """A wrong way to compute one share.

    Args:
        kind: the kind of hint it makes.
        part: the share it takes the place of.
        piece: what comes out.
        sentence: what the student did, in a sentence.
        evidence: what the answer then equals, to go between "Your answer equals" and "in all 4 cases".
        others: whether the remaining shares may be right, or factors come besides; else it is the answer.
        chancy: whether it comes true by chance in a case or other, so that one case alone does not show it.
        scaled: whether a factor may come besides where it has to be the answer.
    """

    kind: str
    part: Part
    piece: Piece
    sentence: str
    evidence: str
    others: bool = True
    chancy: bool = False
    scaled: bool = False


@dataclass(frozen=True)
class Shelf:
    """Variants computed in one case, one a row, to compare any answer with all of them at once."""

    variants: tuple[Variant, ...]
    rows: Tensor
    squares: Tensor

    @classmethod
    def of(cls, inquiry: Inquiry, variants: Iterable[Variant]) -> Shelf:
        """Those of the variants that come out as numbers of the right shape, and not as the right ones."""
        scene, shape = inquiry.main.scene, inquiry.main.answer.shape
        rights: dict[Piece, ExpectedGradient | None] = {}
        usable = []
        for variant in variants:
            tensor = scene.get(variant.piece)
            if tensor is None or not _is_usable(tensor, shape):
                continue
            share = variant.part.piece
            if variant.others and share not in rights:
                rights[share] = scene.mixed([(1.0, share)])
            right = rights[share] if variant.others else None
            # Dimension -1 may be dimension 1: then it is no variant.
            if right is None or right.precise.shape != shape or not right.admits(tensor):
                usable.append((variant, tensor))
        rows = torch.stack([t.flatten() for _, t in usable]) if usable else torch.empty(0, shape.numel())
        return cls(tuple(v for v, _ in usable), rows.double(), (rows.double() ** 2).sum(1))


def _is_usable(tensor: Tensor, shape: torch.Size) -> bool:
    return tensor.shape == shape and bool(tensor.isfinite().all()) and bool(tensor.any())


def explain(
    inquiry: Inquiry,
    name: str,
    make: Callable[[], Iterable[Variant]],
    *,
    whole: Sequence[Part] = (),
    plainly: bool = False,
    lacking: bool = False,
) -> Iterator[Hint]:
    """The hints of those variants that are the answer in every case, the plainest first.

    Args:
        inquiry: what is to be explained.
        name: what these variants are kept under, for the next answer to the same question.
        make: what might explain it; made once, see :meth:`Inquiry.once`.
        whole: the shares of which each variant takes the place of one; those of the lines that use the tensor
            where none are given.
        plainly: whether only variants count that are the answer as they are, no factor besides.
        lacking: whether one of several other shares may be left out, too.
    """
    if not inquiry.views or not inquiry.main.answer.any():
        return
    shelf = inquiry.once(name, lambda: Shelf.of(inquiry, make()))
    if not shelf.variants:
        return
    whole = whole or parts(inquiry)
    found = list(_screened(inquiry, shelf, whole, lacking))
    for rank in range(2 if plainly else 4):
        for variant, others, estimate in found:
            if _rank(estimate, len(whole) - 1 - len(others), not others) == rank:
                yield from _checked(inquiry, variant, others, whole)


def _rank(estimate: float, left_out: int, alone: bool) -> int:
    """As it is; with all the other shares left out; with a factor besides; with one of the others left out."""
    if left_out and not alone:
        return 3
    return 2 if abs(estimate - 1) > COARSE else int(left_out > 0)


def _screened(
    inquiry: Inquiry, shelf: Shelf, whole: Sequence[Part], lacking: bool
) -> Iterator[tuple[Variant, Sequence[Part], float]]:
    """The variants that some factor takes near the answer in the main view, alone or beside other shares."""
    answer = inquiry.main.answer.flatten()
    for others, target, rows in _targets(inquiry, shelf, whole, lacking):
        if float(target.abs().max()) <= COARSE * float(answer.abs().max()):
            continue
        # Least squares for one factor: what is left of the target is told by its angle to the variant.
        along = shelf.rows[rows] @ target
        square = target @ target
        near = square - along**2 / shelf.squares[rows] <= COARSE**2 * square
        for row in near.nonzero().flatten().tolist():
            yield shelf.variants[rows[row]], others, float(along[row] / shelf.squares[rows[row]])


def _targets(
    inquiry: Inquiry, shelf: Shelf, whole: Sequence[Part], lacking: bool
) -> Iterator[tuple[Sequence[Part], Tensor, list[int]]]:
    """What to compare which rows with: the answer, or what the other shares, or most of them, leave of it."""
    answer = inquiry.main.answer.flatten()
    yield (), answer, list(range(len(shelf.variants)))  # there are some, or nobody would ask
    shares = {part.piece: inquiry.main.scene.get(part.piece) for part in whole}
    for part in whole if len(whole) > 1 else ():
        rows = [
            i
            for i, variant in enumerate(shelf.variants)
            if variant.others and variant.part.piece == part.piece
        ]
        for others in _beside(part, whole, lacking):
            there = [share for other in others if (share := shares[other.piece]) is not None]
            if rows and len(there) == len(others):
                yield others, answer - torch.stack([share.flatten() for share in there]).sum(0), rows


def _beside(part: Part, whole: Sequence[Part], lacking: bool) -> Iterator[Sequence[Part]]:
    """The other shares; then all of them but one."""
    others = [other for other in whole if other is not part]
    yield others
    if lacking and len(others) > 1:
        yield from ([other for other in others if other is not missing] for missing in others)


def _checked(
    inquiry: Inquiry, variant: Variant, others: Sequence[Part], whole: Sequence[Part]
) -> Iterator[Hint]:
    factor = _factor(inquiry, variant, others)
    ones = (1.0,) * len(inquiry.views)
    if factor is None or not factor.named or not _is_plausible(variant, factor, others, whole):
        return
    terms = [(factor.values, variant.piece), *((ones, part.piece) for part in others)]
    if inquiry.fits(terms) and not (variant.chancy and _is_seen_once(inquiry, variant)):
        yield _told(inquiry, variant, factor, others, whole)


def _is_seen_once(inquiry: Inquiry, variant: Variant) -> bool:
    """Whether a variant is other than right in one case alone, among several."""
    told = 0
    for view in inquiry.views:
        right, tensor = view.scene.mixed([(1.0, variant.part.piece)]), view.scene.get(variant.piece)
        told += right is None or tensor is None or not right.admits(tensor)
    return told < min(2, len(inquiry.views))


def _is_plausible(variant: Variant, factor: Factor, others: Sequence[Part], whole: Sequence[Part]) -> bool:
    """Whether such a mistake is one a student makes, rather than a coincidence of several."""
    left_out = len(whole) - 1 - len(others)
    if not variant.others:
        return variant.scaled or factor.constant == 1
    if others and left_out:
        return factor.constant == 1
    if variant.kind == "wrong_local_derivative":
        return factor.constant in (1, -1) and not left_out
    return True


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
    for plain in (1.0, -1.0):
        if all(e is None or abs(e - plain) < COARSE for e in estimates):
            return constant(plain, len(estimates))
    if variant.kind == "wrong_local_derivative" or not (variant.others or variant.scaled):
        return None  # no other factor would be plausible
    return understand(estimates, inquiry.sizes)


def _told(
    inquiry: Inquiry, variant: Variant, factor: Factor, others: Sequence[Part], whole: Sequence[Part]
) -> Hint:
    names = [variant.kind]
    sentences = [variant.sentence]
    # A derivative that is wrong entry by entry is one mistake, whatever its sign and factor.
    told = variant.kind != "wrong_local_derivative"
    if factor.turns:
        names += ["sign"] * told
        sentences.append("The sign is wrong as well.")
    if factor.upright.constant != 1:
        names += ["scale"] * told
        sentences.append(f"It is also off by a factor of {factor.upright.said}.")
    left_out = [part.line for part in whole if part not in others and part.piece != variant.part.piece]
    if left_out and variant.others:
        names.append("missing_path")
        lines = dict.fromkeys(quoted(line) for line in left_out)
        sentences.append(f"Nothing flows back through {listed(lines)}.")
    by = "" if factor.constant == 1 else f"{factor.said} times "
    with_others = ", with the rest right," if others else ""
    sentences.append(f"Your answer equals {by}{variant.evidence}{with_others} {inquiry.everywhere}.")
    return hint(kinds(names), variant.part.line, *sentences)
