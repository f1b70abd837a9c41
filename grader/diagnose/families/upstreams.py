"""The chain rule's two halves: a line's own derivative, and the gradient that arrives at it."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from grader.diagnose.pieces import Alteration, Part, back, parts
from grader.diagnose.scene import Inquiry, Piece
from grader.diagnose.variants import Variant
from grader.diagnose.variants import explain as explained
from grader.diagnose.words import quoted
from grader.oracle import Run
from grader.scorecard import Hint

ORDER = 60


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The arriving gradient is left out, is all there is, or is that of another tensor."""
    yield from explained(inquiry, list(_variants(inquiry)))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        yield _ones(inquiry, part)
    for part in parts(inquiry):
        yield _handed_down(inquiry, part)
    for part in parts(inquiry):
        yield _value(inquiry, part)
        yield from _anothers(inquiry, part)


def _ones(inquiry: Inquiry, part: Part) -> Variant:
    name = part.line.name
    return Variant(
        "missing_upstream",
        part,
        back(part.line, inquiry.tensor, part.use, Alteration(("ones",))),
        f"This is how {quoted(part.line)} changes with `{inquiry.tensor}`, without the gradient `d{name}` that arrives there.",
        f"what {quoted(part.line)} sends back when ones arrive",
    )


def _handed_down(inquiry: Inquiry, part: Part) -> Variant:
    line, tensor = part.line, inquiry.tensor
    return Variant(
        "upstream_only",
        part,
        Piece(("down", line.name, tensor), lambda run: _fitted(run.gradients[line.name], run.values[tensor])),
        f"`d{line.name}` is handed down as it arrives: {quoted(line)} has a derivative of its own.",
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
    for name, gradient in gradients.items():
        if name != part.line.name and gradient.shape == gradients[part.line.name].shape:
            yield Variant(
                "wrong_tensor",
                part,
                back(
                    part.line,
                    inquiry.tensor,
                    part.use,
                    Alteration(("of", name), lambda run, n=name: run.gradients[n]),
                ),  # type: ignore[misc]
                f"{quoted(part.line)} is gone back through with the gradient of `{name}` in place of that of `{part.line.name}`.",
                f"what {quoted(part.line)} sends back when `d{name}` arrives",
            )
