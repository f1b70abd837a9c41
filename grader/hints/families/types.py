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
    found = verdict.failure.found if verdict.failure is not None else None
    if verdict.outcome is Outcome.NOT_A_TENSOR and found is not None:
        yield hint("wrong_type", None, *_not_a_tensor(inquiry, found))
    elif verdict.outcome is Outcome.WRONG_DTYPE and found is not None:
        yield hint(
            "wrong_dtype", None, "A gradient is made of floating-point numbers.", f"Yours are {found}."
        )
    else:
        yield from _coarse(inquiry)


def _not_a_tensor(inquiry: Inquiry, found: str) -> tuple[str, str]:
    """What should come back, and what came back."""
    returns = inquiry.known.exercise.function_of(inquiry.ask).structure
    forgot = " Was the `return` forgotten?" if found in ("None", "NoneType") else ""
    if returns is not None:
        return f"This function returns `{returns}`.{forgot}", f"Yours returned {found}."
    return f"A gradient is one tensor, of the shape of `{inquiry.tensor}`.{forgot}", f"Yours is {found}."


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
        f"Right, but computed in {name}, which keeps too few digits.",
        f"Your answer is within {name}'s rounding {inquiry.everywhere}.",
    )
