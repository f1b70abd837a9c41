"""Answers that are zero everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from grader.diagnose.scene import Inquiry
from grader.diagnose.words import hint, listed, quoted
from grader.scorecard import Hint

ORDER = 30


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Every entry is zero, in every case."""
    if not inquiry.views or any(view.answer.any() for view in inquiry.views):
        return
    lines = listed(quoted(line) for line in inquiry.users)
    if all(view.right for view in inquiry.views if not view.is_random):
        sentence = (
            f"For this loss it comes out as zero, but that is a result: go back through {lines} to get there."
        )
        evidence = "Your answer is zero whatever gradient arrives."
    else:
        sentence = f"Nothing comes back to `{inquiry.tensor}`, although {lines} {'use' if len(inquiry.users) > 1 else 'uses'} it."
        evidence = f"Your answer is zero {inquiry.everywhere}."
    yield hint("all_zero", inquiry.users[0] if len(inquiry.users) == 1 else None, sentence, evidence)
