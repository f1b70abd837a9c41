"""Contributions that must add up and do not: overwritten, averaged, or only some of them kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType

import torch
from torch import Tensor

from grader.checks.oracle import Run
from grader.hints.inquiry import Inquiry, Piece
from grader.hints.lines import PART, Line
from grader.hints.pieces import Alteration, Part, arriving, back, parts
from grader.hints.text import quoted
from grader.hints.variants import Variant
from grader.hints.variants import explain as explained
from grader.scorecard.model import Hint

ORDER = 70


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Where an entry is used several times, one use's contribution is kept, or their mean."""
    if inquiry.views:
        yield from explained(inquiry, "repeats", lambda: _variants(inquiry))


def _variants(inquiry: Inquiry) -> Iterator[Variant]:
    for part in parts(inquiry):
        for part_code, rest in part.line.readings(inquiry.tensor):
            yield from _indexed(inquiry, part, part_code, rest)
        yield from _rows(inquiry, part)


def _indexed(inquiry: Inquiry, part: Part, reading: CodeType, rest: CodeType) -> Iterator[Variant]:
    line, tensor = part.line, inquiry.tensor
    for label in ("last", "first"):
        yield Variant(
            "overwrite",
            part,
            Piece((label, line.name, tensor), partial(_kept, line, tensor, reading, rest, label)),
            f"{quoted(line)} reads some entries of `{tensor}`"
            " more than once, and what they receive must add up;"
            " you assign, so one write overwrites another.",
            f"what is left when only the {label} write to each entry counts",
        )
    for dim in range(_looped(inquiry, line, reading)):
        yield Variant(
            "overwrite",
            part,
            Piece(
                ("step", line.name, tensor, dim),
                partial(_kept, line, tensor, reading, rest, "last", step=dim),
            ),
            f"{quoted(line)} reads some entries of `{tensor}`"
            " more than once, and what they receive must add up: from step to step of a loop it does,"
            " but where an entry comes twice within a step, one write overwrites another.",
            f"what is left when of the writes to an entry within one step along dimension {dim}"
            " only the last one counts",
        )
    yield Variant(
        "mean_for_sum",
        part,
        Piece(("average", line.name, tensor), lambda run: _average(line, tensor, run)),
        f"{quoted(line)} reads some entries of `{tensor}` more"
        " than once: what they receive adds up, you average it.",
        "the average over the times each entry is read",
    )


def _looped(inquiry: Inquiry, line: Line, reading: CodeType) -> int:
    """How many dimensions an index has over which one may loop, so that each step still reads several entries."""
    dims = line.value(inquiry.main.scene.values, reading).dim() - inquiry.main.answer.dim() + 1
    return dims if dims > 1 else 0


def _kept(
    line: Line,
    tensor: str,
    reading: CodeType,
    rest: CodeType,
    which: str,
    run: Run,
    step: int | None = None,
) -> Tensor | None:
    """What comes back through an index when only one of several writes to an entry is kept.

    With a ``step``, one is kept for each place along this dimension of what is read, and these add up.
    """
    source: Tensor = run.values[tensor]
    part = line.value(run.values, reading)
    arrived = line.back({**run.values, PART: part}, PART, run.gradients[line.name], rest)
    if arrived is None:
        return None
    places = torch.arange(source.numel()).view(source.shape)
    target = line.value({**run.values, tensor: places}, reading)
    steps = 1 if step is None else target.shape[step]
    if step is not None:  # each step writes to a copy of its own
        target = target + source.numel() * torch.arange(steps).view(-1, *[1] * (target.dim() - 1 - step))
    writes = torch.arange(target.numel())
    mode = "amax" if which == "last" else "amin"
    chosen = torch.full((steps * source.numel(),), -1)
    chosen = chosen.scatter_reduce(0, target.flatten(), writes, mode, include_self=False)
    result = torch.where(chosen >= 0, arrived.flatten()[chosen.clamp(min=0)], 0.0)
    return result.view(steps, *source.shape).sum(0)


def _average(line: Line, tensor: str, run: Run) -> Tensor | None:
    total = line.back(run.values, tensor, run.gradients[line.name])
    counts = line.back(run.values, tensor, None)
    if total is None or counts is None or float(counts.min()) < 0:
        return None
    return total / counts.clamp(min=1)


def _rows(inquiry: Inquiry, part: Part) -> Iterator[Variant]:
    """Of what arrives along a dimension that is summed, only the last or the first is used."""
    line = part.line
    arrived = inquiry.main.scene.gradients[line.name]
    if arrived.shape == inquiry.main.answer.shape:
        return
    for dim in range(arrived.dim()):
        for label, index in (("last", -1), ("first", 0)):
            yield Variant(
                "overwrite",
                part,
                back(line, inquiry.tensor, part.use, Alteration((label, str(dim)), _only(line, dim, index))),
                f"Along dimension {dim} of `{line.name}` every"
                f" entry sends something back through {quoted(line)},"
                f" and it adds up: only the {label} one is left in your answer.",
                f"what the {label} entry along dimension {dim} of `{line.name}` sends back",
                chancy=True,
            )


def _only(line: Line, dim: int, index: int) -> Callable[[Run], Tensor | None]:
    arrived = arriving(line)

    def upstream(run: Run) -> Tensor | None:
        gradient = arrived(run)
        if gradient is None:
            return None
        kept = torch.zeros_like(gradient)
        kept.select(dim, index).copy_(gradient.select(dim, index))
        return kept

    return upstream
