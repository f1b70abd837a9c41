"""Answers that are zero everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from grader.hints.inquiry import Inquiry, View
from grader.hints.text import hint, listed, quoted
from grader.scorecard.model import Hint

ORDER = 30

NOTHING = 1e-4
"""An answer this small, relative to the right one, is zero but for rounding."""


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Every entry is zero, or as good as zero, in every case."""
    if not inquiry.views or not all(_is_nothing(inquiry, view) for view in inquiry.views):
        return
    exactly = "zero" if not any(view.answer.any() for view in inquiry.views) else "zero but for rounding"
    lines = listed(quoted(line) for line in inquiry.users)
    if all(view.right for view in inquiry.views if not view.is_random):
        sentence = f"It is zero for this loss, but as a result: go back through {lines} to get there."
        evidence = f"Your answer is {exactly} whatever gradient arrives."
    else:
        verb = "use" if len(inquiry.users) > 1 else "uses"
        sentence = f"Nothing flows back to `{inquiry.tensor}`, although {lines} {verb} it."
        evidence = f"Your answer is {exactly} {inquiry.everywhere}."
    yield hint("all_zero", inquiry.users[0] if len(inquiry.users) == 1 else None, sentence, evidence)


def _is_nothing(inquiry: Inquiry, view: View) -> bool:
    if not view.answer.any():
        return True
    expected = view.scene.gradients[inquiry.tensor].abs().max()
    # Where the right gradient vanishes as well, an answer of this size says nothing either way.
    return view.right or bool(view.answer.abs().max() <= NOTHING * expected)
