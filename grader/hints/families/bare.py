"""A line's own derivative and nothing else: the gradient that arrives there was left out."""

from __future__ import annotations

from collections.abc import Iterator

from grader.hints.families.upstreams import without_upstream
from grader.hints.inquiry import Inquiry
from grader.hints.pieces import parts
from grader.hints.text import hint
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

# Before factors: a derivative that happens to be n times the gradient is still a derivative.
ORDER = 45


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is what a line sends back when ones arrive."""
    if inquiry.views:
        yield from explained(inquiry, "bare", lambda: _variants(inquiry), plainly=True)
        yield from _rounding(inquiry)


def _rounding(inquiry: Inquiry) -> Iterator[Hint]:
    """A derivative that sums to nothing but rounding, and such rounding as the answer."""
    ones = (1.0,) * len(inquiry.views)
    for variant in _variants(inquiry):
        vanishes = all(view.scene.vanishes(variant.piece) and view.answer.any() for view in inquiry.views)
        if vanishes and inquiry.fits([(ones, variant.piece)]):
            evidence = f"Your answer equals {variant.evidence} {inquiry.everywhere}: zero but for rounding."
            yield hint(variant.kind, variant.part.line, variant.sentence, evidence)


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    return (without_upstream(inquiry, part) for part in parts(inquiry))
