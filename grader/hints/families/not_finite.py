"""Answers with NaN or infinity in them."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from grader.hints.inquiry import Inquiry, View
from grader.hints.text import case, hint
from grader.scorecard.model import Hint, Outcome

ORDER = 15


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Where the first number that is not finite stands, and what is special there."""
    if inquiry.outcome is not Outcome.NOT_FINITE:
        return
    bad = [view for view in inquiry.views if not view.answer.isfinite().all()]
    view = bad[0]
    where = ~view.answer.isfinite()
    first = tuple(where.nonzero()[0].tolist())
    index = ", ".join(map(str, first))
    found = float(view.answer[first])
    total = where.numel()
    share = (
        f"none of the {total} entries is" if where.all() else f"{int(where.sum())} of {total} entries are not"
    )
    yield hint(
        "not_finite",
        inquiry.users[0] if len(inquiry.users) == 1 else None,
        "Something is divided by zero, or a root or a logarithm is taken of a number that has none.",
        _cause(inquiry, bad),
        f"In {case(view.name)}, {share} finite; the first that is not is [{index}], which is {found}.",
    )


def _cause(inquiry: Inquiry, bad: list[View]) -> str:
    """What is zero or negative exactly where an answer is not finite."""
    for name, kind in _candidates(inquiry):
        if all(_holds(inquiry, view, name, kind) for view in bad):
            whose = f"`d{name}`" if kind == "gradient" else f"`{name}`"
            return f"It happens exactly where {whose} is zero."
    return ""


def _candidates(inquiry: Inquiry) -> Iterator[tuple[str, str]]:
    yield from ((name, "gradient") for name in sorted(inquiry.asked))
    yield from ((name, "value") for name in inquiry.known.exercise.forward.names)


def _holds(inquiry: Inquiry, view: View, name: str, kind: str) -> bool:
    found = view.scene.gradients.get(name) if kind == "gradient" else view.scene.values[name]
    if not isinstance(found, Tensor) or found.shape != view.answer.shape:
        return False
    wrong = ~view.answer.isfinite()
    return bool(((found == 0) == wrong).all()) and not bool(wrong.all())
