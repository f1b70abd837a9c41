"""Answers that belong to another tensor but for a factor, or to what the tensor itself is made of."""

from __future__ import annotations

from collections.abc import Iterator

from grader.hints.families.others import alike, beyond, of_another
from grader.hints.inquiry import Inquiry
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

# After all that is one slip on the right way back.
ORDER = 87


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is a factor times the gradient of another tensor, or comes from a line further on."""
    if inquiry.views:
        yield from explained(inquiry, "multiples", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    # Of a single number, anything is a multiple.
    is_several = inquiry.main.answer.numel() > 1
    for name in alike(inquiry):
        yield of_another(inquiry, name, scaled=is_several)
    yield from beyond(inquiry)
