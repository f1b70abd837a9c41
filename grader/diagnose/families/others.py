"""Answers that belong to another tensor."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from grader.diagnose.pieces import gradient, parts, value
from grader.diagnose.scene import Inquiry, Piece
from grader.diagnose.variants import Variant
from grader.diagnose.variants import explain as explained
from grader.diagnose.words import quoted
from grader.oracle import Run
from grader.scorecard import Hint

ORDER = 75


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The answer is the gradient, or the value, of another tensor."""
    if inquiry.views:
        yield from explained(inquiry, "others", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    part = parts(inquiry)[0]
    answer = inquiry.main.answer
    for name in inquiry.known.exercise.forward.names:
        found = inquiry.main.scene.values[name]
        if not isinstance(found, Tensor) or not found.is_floating_point() or found.numel() != answer.numel():
            continue
        for piece, what in ((gradient(name), f"`d{name}`"), (value(name), f"the value of `{name}`")):
            if what != f"`d{name}`" or name in inquiry.available:
                yield Variant(
                    "wrong_tensor",
                    part,
                    _like(piece, inquiry.tensor),
                    f"This is {what}, not the gradient of `{inquiry.tensor}`:"
                    f" go back through {quoted(part.line)}.",
                    what,
                    others=False,
                )


def _like(piece: Piece, tensor: str) -> Piece:
    """A piece in the shape of a tensor of as many entries."""

    def work_out(run: Run) -> Tensor | None:
        found = piece.work_out(run)
        like = run.values[tensor]
        return found.reshape(like.shape) if found is not None and found.numel() == like.numel() else None

    return Piece(("like", tensor, piece.key), work_out)
