"""Answers that are right in some places: which are wrong, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.hints.inquiry import Inquiry, View
from grader.hints.lines import Line
from grader.hints.pieces import Alteration, back, parts
from grader.hints.text import case, hint, quoted
from grader.scorecard.model import Hint

# After factors that differ from entry to entry: where such a factor happens to be one, the answer is right.
ORDER = 82

SHARE = 0.9
"""This much of the places that are named must be wrong; a few may be right by chance."""


@dataclass(frozen=True)
class Place:
    """Some entries of a tensor, named alike in every case.

    Args:
        said: the sentence that says which entries are wrong.
        masks: where they are, one for each view.
        line: the forward line that sets them apart, if one does.
    """

    said: str
    masks: tuple[Tensor, ...]
    line: Line | None = None


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """All that is wrong lies in places that can be named, and the rest is right without being trivial."""
    if not inquiry.views:
        return
    wrong = [_wrong(inquiry, view) for view in inquiry.views]
    if not _says_enough(inquiry, wrong):
        return
    for place in _places(inquiry):
        if _fits(inquiry, wrong, place):
            shown = next(index for index, mask in enumerate(wrong) if mask.any())
            bad = wrong[shown]
            yield hint(
                "partial",
                place.line or (inquiry.users[0] if len(inquiry.users) == 1 else None),
                place.said,
                f"This holds {inquiry.everywhere}; in {case(inquiry.views[shown].name)},"
                f" {int(bad.sum())} of {bad.numel()} entries are wrong.",
            )


def _says_enough(inquiry: Inquiry, wrong: list[Tensor]) -> bool:
    """Whether something is wrong in more than one case, and something right that is not just zero."""
    several = sum(bool(mask.any()) for mask in wrong) > min(1, len(wrong) - 1)
    return several and any(
        bool((~mask & _told(inquiry, view)).any()) for mask, view in zip(wrong, inquiry.views, strict=True)
    )


def _wrong(inquiry: Inquiry, view: View) -> Tensor:
    expected = view.scene.gradients[inquiry.tensor]
    return ~((view.answer - expected).abs() <= view.tolerance)


def _told(inquiry: Inquiry, view: View) -> Tensor:
    """The entries whose right value is not just zero."""
    return view.scene.gradients[inquiry.tensor].abs() > view.tolerance


def _fits(inquiry: Inquiry, wrong: list[Tensor], place: Place) -> bool:
    """Whether what is wrong is what a place's masks show, and something else is right and not just zero."""
    outside = False
    for view, bad, mask in zip(inquiry.views, wrong, place.masks, strict=True):
        told = _told(inquiry, view)
        inside = mask & (told | (view.answer.abs() > view.tolerance))
        if bool((bad & ~mask).any()) or int((bad & inside).sum()) < SHARE * int(inside.sum()):
            return False
        outside = outside or bool((told & ~mask).any())
    return outside


def _places(inquiry: Inquiry) -> Iterator[Place]:
    yield from _repeated(inquiry)
    yield from _ends(inquiry)
    yield from _read(inquiry)
    yield from _diagonal(inquiry)


def _repeated(inquiry: Inquiry) -> Iterator[Place]:
    """Entries that a line reads by index more than once, or once."""
    for part in parts(inquiry):
        if not list(part.line.readings(inquiry.tensor)):
            continue
        piece = back(part.line, inquiry.tensor, part.use, Alteration(("ones",)))
        counts = [view.scene.get(piece) for view in inquiry.views]
        found = [count for count in counts if count is not None]
        if len(found) == len(counts):
            for said, masks in (
                ("more than once", tuple(count > 1.5 for count in found)),
                ("just once", tuple((count > 0.5) & (count < 1.5) for count in found)),
            ):
                what = f"Right except in the entries that {quoted(part.line)} reads {said}."
                yield Place(what, masks, part.line)


def _ends(inquiry: Inquiry) -> Iterator[Place]:
    """The first or last along a dimension, or all but these."""
    answers = [view.answer for view in inquiry.views]
    for dim in range(answers[0].dim()):
        along = {0: "row", 1: "column"}.get(dim, "slice") if answers[0].dim() > 1 else "entry"
        if any(answer.shape[dim] < 2 for answer in answers):
            continue
        for said, index in (("first", 0), ("last", -1)):
            masks = tuple(_at(answer, dim, index) for answer in answers)
            where = "" if along != "slice" else f" along dimension {dim}"
            yield Place(f"Right except in the {said} {along}{where}.", masks)
            yield Place(f"Only the {said} {along}{where} is right.", tuple(~mask for mask in masks))


def _at(like: Tensor, dim: int, index: int) -> Tensor:
    mask = torch.zeros(like.shape, dtype=torch.bool)
    mask.select(dim, index).fill_(True)
    return mask


def _read(inquiry: Inquiry) -> Iterator[Place]:
    """What a line reads of a tensor of the same shape, or what it does not."""
    forward = inquiry.known.exercise.forward
    shape = inquiry.main.answer.shape
    for step in forward.steps:
        line = inquiry.known.lines[step.name]
        for name in step.uses:
            value = inquiry.main.scene.values[name]
            if (
                not isinstance(value, Tensor)
                or value.shape != shape
                or not value.is_floating_point()
                or not line.uses(name)
            ):
                continue
            piece = back(line, name, None, Alteration(("ones",)))
            found = [view.scene.get(piece) for view in inquiry.views]
            masks = tuple(reach != 0 for reach in found if reach is not None)
            if len(masks) < len(found) or any(bool(mask.all()) or not bool(mask.any()) for mask in masks):
                continue
            yield Place(f"Right except in the entries that {quoted(line)} reads of `{name}`.", masks, line)
            yield Place(
                f"Only the entries that {quoted(line)} reads of `{name}` are right.",
                tuple(~m for m in masks),
                line,
            )


def _diagonal(inquiry: Inquiry) -> Iterator[Place]:
    answers = [view.answer for view in inquiry.views]
    if answers[0].dim() == 2:
        masks = tuple(map(_eye, answers))
        yield Place("Right except on the diagonal.", masks)
        yield Place("Only the diagonal is right.", tuple(~mask for mask in masks))


def _eye(like: Tensor) -> Tensor:
    return torch.eye(like.shape[0], like.shape[1], dtype=torch.bool)
