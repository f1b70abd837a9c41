"""Right answers with something added: a tensor the sum was started from, a constant."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.families.operands import Found, stand_ins
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import gradient
from grader.hints.text import hint
from grader.hints.weights import COARSE
from grader.scorecard.model import Hint

ORDER = 88


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """What is left when the right answer is taken away is a forward value, or one."""
    if not inquiry.views or any(view.right for view in inquiry.views):
        return
    whole = gradient(inquiry.tensor)
    ones = (1.0,) * len(inquiry.views)
    for name, found in [*stand_ins(inquiry, inquiry.main.answer), ("1", _ones)]:
        added = Piece(("added", inquiry.tensor, name), partial(_expanded, inquiry.tensor, found))
        if _is_near(inquiry, whole, added) and inquiry.fits([(ones, whole), (ones, added)]):
            yield hint(
                "wrong_local_derivative",
                inquiry.users[0] if len(inquiry.users) == 1 else None,
                f"Right, except that `{name}` is added to every entry: what does your sum start from?",
                f"Your answer equals the right one plus `{name}` {inquiry.everywhere}.",
            )


def _is_near(inquiry: Inquiry, whole: Piece, added: Piece) -> bool:
    view = inquiry.main
    right, more = view.scene.get(whole), view.scene.get(added)
    if right is None or more is None:
        return False
    rest = view.answer - right
    return bool((rest - more).abs().max() <= COARSE * more.abs().max())


def _expanded(tensor: str, found: Found, run: Run) -> Tensor:
    return found(run).expand_as(run.values[tensor])


def _ones(run: Run) -> Tensor:
    return torch.ones((), dtype=torch.float64)
