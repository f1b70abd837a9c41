"""The wrong gradient arrives: nothing but it is left, or it is another tensor's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import Alteration, Part, back, parts
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 60


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The arriving gradient is all there is, or it is that of another tensor."""
    if inquiry.views:
        yield from explained(inquiry, "upstreams", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        # A single number handed down is no more than a constant.
        if inquiry.main.scene.gradients[part.line.name].numel() > 1:
            yield handed_down(inquiry, part)
    for part in parts(inquiry):
        yield without_upstream(inquiry, part)
        yield _value(inquiry, part)
        yield from _anothers(inquiry, part)


def without_upstream(inquiry: Inquiry, part: Part) -> Variant:
    """A line's own derivative, the arriving gradient left out."""
    name, line = part.line.name, quoted(part.line)
    return Variant(
        "missing_upstream",
        part,
        back(part.line, inquiry.tensor, part.use, Alteration(("ones",))),
        f"This is how {line} changes with `{inquiry.tensor}`,"
        f" without the gradient `d{name}` that arrives there.",
        f"what {line} sends back when ones arrive",
    )


def handed_down(inquiry: Inquiry, part: Part) -> Variant:
    """What arrives at a line, the line's own derivative left out."""
    line, tensor = part.line, inquiry.tensor
    return Variant(
        "upstream_only",
        part,
        Piece(("down", line.name, tensor), lambda run: _fitted(run.gradients[line.name], run.values[tensor])),
        f"`d{line.name}` is passed on as it arrives, but {quoted(line)} has a derivative of its own.",
        f"`d{line.name}`",
    )


def _fitted(gradient: Tensor, like: Tensor) -> Tensor | None:
    """A gradient in another tensor's shape: summed over what is broadcast, copied, or in another view."""
    if gradient.shape == like.shape:
        return gradient
    try:
        if gradient.numel() == like.numel():
            return gradient.reshape(like.shape)
        if gradient.numel() > like.numel():
            return gradient.sum_to_size(like.shape)
        return gradient.expand_as(like)
    except RuntimeError:
        return None


def _value(inquiry: Inquiry, part: Part) -> Variant:
    name = part.line.name
    return Variant(
        "missing_upstream",
        part,
        back(part.line, inquiry.tensor, part.use, Alteration(("value",), lambda run: _tensor(run, name))),
        f"The value of `{name}` is used where its gradient `d{name}` belongs.",
        f"what {quoted(part.line)} sends back when `{name}` itself arrives",
    )


def _tensor(run: Run, name: str) -> Tensor | None:
    value = run.values[name]
    return value if isinstance(value, Tensor) else None


def _anothers(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    gradients = inquiry.main.scene.gradients
    line = part.line
    for name in gradients:
        same = gradients[name].shape == gradients[line.name].shape
        if same and name != line.name and name in inquiry.available:
            altered = Alteration(("of", name), partial(_gradient, name))
            yield Variant(
                "wrong_tensor",
                part,
                back(line, inquiry.tensor, part.use, altered),
                f"On the way back through {quoted(line)}, the gradient"
                f" of `{name}` is used in place of that of `{line.name}`.",
                f"what {quoted(line)} sends back when `d{name}` arrives",
            )


def _gradient(name: str, run: Run) -> Tensor:
    return run.gradients[name]
