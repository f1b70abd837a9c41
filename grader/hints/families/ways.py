"""Closed forms: answers made of the ways from the tensor to the gradients a stub was given."""

from __future__ import annotations

from collections.abc import Iterator

from grader.hints.families.shares import weighted
from grader.hints.inquiry import Inquiry
from grader.hints.pieces import routes
from grader.scorecard.model import Hint

ORDER = 85


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Some ways back are left out, doubled, of the wrong sign or off by a factor."""
    ways = routes(inquiry) if inquiry.views else ()
    if ways:
        yield from weighted(inquiry, ways)
