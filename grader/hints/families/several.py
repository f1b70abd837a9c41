"""Slips in several lines at once: each share right, left out, of the wrong sign or computed in some wrong way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from grader.hints.families import exchanged, upstreams
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.pieces import Part, parts
from grader.hints.text import hint, kinds, quoted
from grader.hints.weights import COARSE
from grader.scorecard.model import Hint

# After all that is one slip, or one and a factor.
ORDER = 92

MOST_PARTS = 4
MOST_CHOICES = 20_000


@dataclass(frozen=True)
class Choice:
    """One way in which a share may have entered an answer.

    Args:
        weight: its factor; 0 where it was left out.
        piece: what was computed.
        kind: the kind of slip, nothing where it is right.
        sentence: the slip in words.
        evidence: what then stands for the share.
    """

    weight: float
    piece: Piece
    kind: str = ""
    sentence: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Table:
    """The choices for every share, and every way to choose one for each.

    Args:
        choices: all of them.
        rows: what each comes to in the main view.
        products: their products with each other.
        picks: one row of places in ``choices`` for each way, the fewest slips first.
    """

    choices: tuple[Choice, ...]
    rows: Tensor
    products: Tensor
    picks: Tensor

    @classmethod
    def of(cls, inquiry: Inquiry) -> Table | None:
        """The table of a gradient's shares; None where there are too few of them, or too many."""
        whole = parts(inquiry)
        if not 1 < len(whole) <= MOST_PARTS:
            return None
        groups = [_usable(inquiry, tuple(_choices(inquiry, part))) for part in whole]
        count = 1
        for group in groups:
            count *= len(group)
        if not 0 < count <= MOST_CHOICES:  # 0 where one share comes out in no way at all
            return None
        choices = tuple(choice for group in groups for choice, _ in group)
        rows = torch.stack([row.flatten() for group in groups for _, row in group])
        starts = [sum(map(len, groups[:place])) for place in range(len(groups))]
        ranges = [range(start, start + len(group)) for start, group in zip(starts, groups, strict=True)]
        picks = sorted(
            product(*ranges),
            key=lambda pick: sum(choices[at].weight != 1 or bool(choices[at].kind) for at in pick),
        )
        return cls(choices, rows, rows @ rows.T, torch.tensor(picks))


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Several shares are not what they should be, each in a way of its own."""
    if not inquiry.views or not inquiry.main.answer.any():
        return
    table = inquiry.once("several", lambda: Table.of(inquiry))
    if table is None:
        return
    for pick in _near(table, inquiry.main.answer.flatten()):
        chosen = [table.choices[at] for at in pick]
        terms = [((c.weight,) * len(inquiry.views), c.piece) for c in chosen if c.weight]
        if sum(bool(choice.kind) for choice in chosen) > 1 and terms and inquiry.fits(terms):
            yield _told(inquiry, chosen)


def _near(table: Table, answer: Tensor) -> Iterator[Sequence[int]]:
    """The ways to choose that come near an answer in the main view."""
    along, square = table.rows @ answer, answer @ answer
    crossed = table.products[table.picks[:, :, None], table.picks[:, None, :]].sum((1, 2))
    left = square - 2 * along[table.picks].sum(1) + crossed
    yield from table.picks[left <= COARSE**2 * square].tolist()


def _choices(inquiry: Inquiry, part: Part) -> Iterator[Choice]:
    line = quoted(part.line)
    yield Choice(1.0, part.piece, evidence=f"the share of `{part.line.name}`")
    yield Choice(0.0, part.piece, "missing_path", f"Nothing flows back through {line}.")
    yield Choice(
        -1.0,
        part.piece,
        "sign",
        f"What flows back through {line} has the wrong sign.",
        f"-1 times the share of `{part.line.name}`",
    )
    for variant in (
        *exchanged.turned(inquiry, part),
        upstreams.handed_down(inquiry, part),
        upstreams.without_upstream(inquiry, part),
    ):
        for weight, kind, besides in ((1.0, "", ""), (-1.0, "sign+", " Its sign is wrong as well.")):
            by = "" if weight == 1 else "-1 times "
            yield Choice(
                weight,
                variant.piece,
                f"{kind}{variant.kind}",
                variant.sentence + besides,
                by + variant.evidence,
            )


def _usable(inquiry: Inquiry, choices: Sequence[Choice]) -> list[tuple[Choice, Tensor]]:
    """The choices that come out in the main view, each that is like an earlier one left out."""
    shape = inquiry.main.answer.shape
    found: list[tuple[Choice, Tensor]] = []
    for choice in choices:
        tensor = inquiry.main.scene.get(choice.piece)
        if tensor is None or tensor.shape != shape or not bool(tensor.isfinite().all()):
            continue
        row = choice.weight * tensor
        if not any(bool((row - other).abs().max() <= COARSE * row.abs().max()) for _, other in found):
            found.append((choice, row))
    return found


def _told(inquiry: Inquiry, chosen: Sequence[Choice]) -> Hint:
    slips = [choice for choice in chosen if choice.kind]
    names = [name for choice in slips for name in choice.kind.split("+")]
    equals = " plus ".join(choice.evidence for choice in chosen if choice.weight)
    return hint(
        kinds(names),
        None,
        *(choice.sentence for choice in slips),
        f"Your answer equals {equals} {inquiry.everywhere}.",
    )
