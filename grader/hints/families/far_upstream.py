"""Answers that are right because nothing else is possible: zero, whatever the gradient that was taken."""

from __future__ import annotations

from collections.abc import Iterator

from grader.hints.inquiry import Inquiry
from grader.hints.text import hint, listed, quoted
from grader.scorecard.model import Hint

ORDER = 31  # after answers that are zero everywhere, of which more can be said


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is right everywhere, and would be for any gradient of this kind."""
    checks = [check for check, verdict in inquiry.decisive if check.unshown and verdict.tensor is not None]
    if not checks or not all(view.right for view in inquiry.views if not view.is_random):
        return
    taken = listed(f"`d{name}`" for name in sorted(inquiry.asked))
    wanted = listed(f"`d{line.name}`" for line in inquiry.users)
    lines = listed(quoted(line) for line in inquiry.users)
    yield hint(
        "far_upstream",
        inquiry.users[0] if len(inquiry.users) == 1 else None,
        f"Take {wanted}, and go back through {lines}: that step is what is asked for.",
        f"From {taken}, `d{inquiry.tensor}` comes out as zero whatever arrives, so that no answer shows how it is "
        "derived.",
    )
