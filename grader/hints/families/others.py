"""Answers that belong to another tensor."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import back, gradient, parts, value
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 75


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is the gradient, or the value, of another tensor."""
    if inquiry.views:
        yield from explained(inquiry, "others", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for name in alike(inquiry):
        # A gradient nearer to the loss that is not handed out would have to be computed: a matter of ways.
        if name in inquiry.available or name not in _nearer(inquiry):
            yield of_another(inquiry, name)
        if isinstance(inquiry.main.scene.values[name], Tensor):
            yield _another(inquiry, value(name), f"the value of `{name}`")


def alike(inquiry: Inquiry) -> Iterator[str]:
    """The tensors of numbers with as many entries as the one asked for, it among them."""
    entries = inquiry.main.answer.numel()
    for name in inquiry.known.exercise.forward.names:
        found = inquiry.main.scene.values[name]
        if isinstance(found, Tensor) and found.is_floating_point() and found.numel() == entries:
            yield name


def of_another(inquiry: Inquiry, name: str, scaled: bool = False) -> Variant:
    """The gradient of another tensor as the answer, perhaps with a factor."""
    return _another(inquiry, gradient(name), f"`d{name}`", scaled)


def _nearer(inquiry: Inquiry) -> frozenset[str]:
    return inquiry.known.exercise.forward.descendants(inquiry.tensor)


def _another(inquiry: Inquiry, piece: Piece, what: str, scaled: bool = False) -> Variant:
    part = parts(inquiry)[0]
    return Variant(
        "wrong_tensor",
        part,
        _like(piece, inquiry.tensor),
        f"This is {what}, not the gradient of `{inquiry.tensor}`: go back through {quoted(part.line)}.",
        what,
        others=False,
        scaled=scaled,
    )


def beyond(inquiry: Inquiry) -> Iterator[Variant]:
    """What flows on through the line that makes the tensor, to something that other lines use as well."""
    line = inquiry.known.lines.get(inquiry.tensor)
    if line is None:
        return
    part = parts(inquiry)[0]
    for name in alike(inquiry):
        for use in range(line.uses(name)):
            yield Variant(
                "wrong_local_derivative",
                part,
                _like(back(line, name, use if line.uses(name) > 1 else None), inquiry.tensor),
                f"This is one line too far: it is what flows on through {quoted(line)} to `{name}`.",
                f"what {quoted(line)} sends back to `{name}`",
                others=False,
            )


def _like(piece: Piece, tensor: str) -> Piece:
    """A piece in the shape of a tensor of as many entries."""

    def work_out(run: Run) -> Tensor | None:
        found = piece.work_out(run)
        like = run.values[tensor]
        return found.reshape(like.shape) if found is not None and found.numel() == like.numel() else None

    return Piece(("like", tensor, piece.key), work_out)
