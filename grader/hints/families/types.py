"""Answers of the wrong type: no tensor, whole numbers, or too few digits."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from grader.hints.inquiry import Inquiry
from grader.hints.text import hint
from grader.scorecard.model import Hint, Outcome

ORDER = 10

COARSE_TYPES = {torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Types that are too coarse to grade, and how far off they may carry an answer that is otherwise right."""


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is not a tensor, or one of the wrong dtype."""
    verdict = next(verdict for _, verdict in inquiry.decisive if not verdict.outcome.scores)
    message = verdict.failure.message if verdict.failure else ""
    if verdict.outcome is Outcome.NOT_A_TENSOR:
        found = message.removeprefix("returned ").partition(", expected")[0]
        forgot = " Was the `return` forgotten?" if found in ("None", "NoneType") else ""
        yield hint(
            "wrong_type",
            None,
            f"A gradient is one tensor, of the shape of `{inquiry.tensor}`.{forgot}",
            f"Yours is {found}.",
        )
    elif verdict.outcome is Outcome.WRONG_DTYPE:
        found = message.removeprefix("returned a tensor of ").removesuffix(
            ", expected floating-point numbers"
        )
        yield hint(
            "wrong_dtype", None, "A gradient is made of floating-point numbers.", f"Yours are {found}."
        )
    else:
        yield from _coarse(inquiry)


def _coarse(inquiry: Inquiry) -> Iterator[Hint]:
    types = {verdict.tensor.dtype for _, verdict in inquiry.decisive if verdict.tensor is not None}
    if len(types) != 1 or not inquiry.views:
        return
    (dtype,) = types
    allowed = COARSE_TYPES.get(dtype)
    if allowed is None:
        return
    for view in inquiry.views:
        expected = view.scene.gradients[inquiry.tensor]
        if not bool(((view.answer - expected).abs() <= allowed * expected.abs() + view.tolerance).all()):
            return
    name = str(dtype).removeprefix("torch.")
    yield hint(
        "wrong_dtype",
        None,
        f"Right, but worked out in {name}, which keeps too few digits.",
        f"Your answer is within {name}'s rounding {inquiry.everywhere}.",
    )
