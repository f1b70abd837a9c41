"""Dimensions exchanged: an answer transposed and forced into shape, or a factor of a product not transposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from torch import Tensor

from grader.diagnose.pieces import Alteration, Part, arriving, back, parts
from grader.diagnose.scene import Inquiry, Piece
from grader.diagnose.variants import Variant
from grader.diagnose.variants import explain as explained
from grader.diagnose.words import quoted
from grader.oracle import Run
from grader.scorecard import Hint

ORDER = 65

LARGEST_RANK = 4


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """The numbers are right and stand in the wrong order, or a factor is turned the wrong way."""
    if inquiry.views:
        yield from explained(inquiry, list(_variants(inquiry)))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        yield from _reordered(inquiry, part)
        yield from _turned(inquiry, part)


def _reordered(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    share = inquiry.main.scene.get(part.piece)
    rank = share.dim() if share is not None else 0
    if not 1 < rank <= LARGEST_RANK:
        return
    shapes = [tuple(range(rank))]
    arrived = inquiry.main.scene.gradients[part.line.name]
    for order in permutations(range(rank)):
        if order != shapes[0]:
            for label, work_out in (("into", _into), ("out", _out)):
                yield _reorder(inquiry, part, Piece(
                    (label, part.piece.key, order),
                    lambda run, f=work_out, o=order: _applied(part.piece.work_out(run), f, o),  # type: ignore[misc]
                ))  # fmt: skip
    if (
        arrived.dim() == 2
        and arrived.numel() == (share.numel() if share is not None else 0)
        and arrived.shape != inquiry.main.answer.shape
    ):
        line, tensor = part.line, inquiry.tensor
        yield _reorder(inquiry, part, Piece(
            ("view", part.piece.key),
            lambda run: run.gradients[line.name].T.reshape(run.values[tensor].shape),
        ))  # fmt: skip


def _applied(share: Tensor | None, work_out: Any, order: tuple[int, ...]) -> Tensor | None:
    if share is None:
        return None
    result: Tensor = work_out(share, order)
    return result


def _into(share: Tensor, order: tuple[int, ...]) -> Tensor:
    """Permuted, then forced into the right shape."""
    return share.permute(order).reshape(share.shape)


def _out(share: Tensor, order: tuple[int, ...]) -> Tensor:
    """Viewed in a permuted shape, then permuted back."""
    back_again = sorted(range(len(order)), key=lambda dim: order[dim])
    return share.reshape([share.shape[dim] for dim in order]).permute(back_again)


def _reorder(inquiry: Inquiry, part: Part, piece: Piece) -> Variant:
    return Variant(
        "transposed",
        part,
        piece,
        f"The numbers are right but stand in the wrong places: dimensions are exchanged on the way to the shape of `{inquiry.tensor}`.",
        "the right numbers with dimensions exchanged",
    )


def _turned(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """A factor, or the arriving gradient, is square in its last two dimensions and transposed in them."""
    line = part.line
    values: Mapping[str, Any] = inquiry.main.scene.values
    for name in line.step.uses:
        if name != inquiry.tensor and isinstance(values[name], Tensor) and _is_square(values[name]):
            yield _turn(inquiry, part, name, Alteration(
                ("turned", name), arriving(line), lambda v, n=name: {**v, n: v[n].transpose(-1, -2)}  # type: ignore[misc]
            ))  # fmt: skip
    if _is_square(values[line.name]):
        yield _turn(
            inquiry,
            part,
            f"d{line.name}",
            Alteration(("turned",), lambda run: _turned_upstream(run, line.name)),
        )


def _turned_upstream(run: Run, name: str) -> Tensor:
    return run.gradients[name].transpose(-1, -2)


def _turn(inquiry: Inquiry, part: Part, what: str, altered: Alteration) -> Variant:
    return Variant(
        "transposed",
        part,
        back(part.line, inquiry.tensor, part.use, altered),
        f"On the way back through {quoted(part.line)}, `{what}` is turned the wrong way round.",
        f"what comes back with `{what}` transposed",
    )


def _is_square(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dim() > 1 and tensor.shape[-1] == tensor.shape[-2]
