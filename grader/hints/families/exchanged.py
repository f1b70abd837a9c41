"""Dimensions exchanged: an answer transposed and forced into shape, or a factor transposed the wrong way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import permutations

from torch import Tensor

from grader.checks.oracle import Run
from grader.course.forward import Values
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import Alteration, Part, arriving, back, parts
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 65

LARGEST_RANK = 4


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The numbers are right and stand in the wrong order, or a factor is transposed the wrong way."""
    if inquiry.views:
        yield from explained(inquiry, "exchanged", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        yield from _reordered(inquiry, part)
        yield from turned(inquiry, part)


def _reordered(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    share = inquiry.main.scene.get(part.piece)
    if share is None or not 1 < share.dim() <= LARGEST_RANK:
        return
    for order in list(permutations(range(share.dim())))[1:]:
        for into in (True, False):
            work_out = partial(_reorder, part.piece, order, into)
            yield _misplaced(inquiry, part, Piece(("reordered", part.piece.key, order, into), work_out))
    arrived = inquiry.main.scene.gradients[part.line.name]
    if arrived.dim() == 2 and arrived.numel() == share.numel() and arrived.shape != share.shape:
        by_column = partial(_column_by_column, part.line.name, inquiry.tensor)
        yield _misplaced(inquiry, part, Piece(("by column", part.piece.key), by_column))


def _reorder(piece: Piece, order: tuple[int, ...], into: bool, run: Run) -> Tensor | None:
    """A share permuted and forced into its shape again, or viewed in a permuted shape and permuted back."""
    share = piece.work_out(run)
    if share is None or into:
        return share if share is None else share.permute(order).reshape(share.shape)
    inverse = sorted(range(len(order)), key=lambda dim: order[dim])
    return share.reshape([share.shape[dim] for dim in order]).permute(inverse)


def _column_by_column(line: str, tensor: str, run: Run) -> Tensor:
    """What arrives at a line that only views a tensor, read column by column."""
    like: Tensor = run.values[tensor]
    return run.gradients[line].T.reshape(like.shape)


def _misplaced(inquiry: Inquiry, part: Part, piece: Piece) -> Variant:
    return Variant(
        "transposed",
        part,
        piece,
        "The numbers are right but in the wrong places:"
        f" dimensions are swapped on the way to the shape of `{inquiry.tensor}`.",
        "the right numbers with dimensions swapped",
    )


def turned(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """A factor, or what arrives, is square in its last two dimensions and transposed in them."""
    line, values = part.line, inquiry.main.scene.values
    for name in line.step.uses:
        if name != inquiry.tensor and _is_square(values[name]):
            altered = Alteration(("turned", name), arriving(line), partial(_transposed, name))
            yield _turn(inquiry, part, name, altered)
    if _is_square(values[line.name]):
        altered = Alteration(("turned",), partial(_transposed_upstream, line.name))
        yield _turn(inquiry, part, f"d{line.name}", altered)


def _transposed(name: str, run: Run) -> Values:
    return {name: run.values[name].transpose(-1, -2)}


def _transposed_upstream(name: str, run: Run) -> Tensor:
    return run.gradients[name].transpose(-1, -2)


def _turn(inquiry: Inquiry, part: Part, what: str, altered: Alteration) -> Variant:
    return Variant(
        "transposed",
        part,
        back(part.line, inquiry.tensor, part.use, altered),
        f"On the way back through {quoted(part.line)}, `{what}` is the wrong way round: transpose it.",
        f"what flows back with `{what}` the other way round",
    )


def _is_square(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.dim() > 1
        and value.shape[-1] == value.shape[-2]
    )
