"""Losses by step, averaged over stretches: few enough numbers to be kept and drawn, whatever came back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from grader.scorecard.model import Averages, Side

POINTS = 200
"""The most points a curve has: of the lecture's 200,000 steps, a thousand to each, as it draws them."""

STEPS_A_POINT = 5
"""The fewest steps to a point: losses of single batches are noise."""

DIGITS = 5
"""Significant digits of a point, which is looked at and not computed with."""

UNKNOWN = Averages(None, None)


def side(losses: Sequence[float], seconds: float, averages: Averages = UNKNOWN) -> Side:
    """One way of training: its losses as a curve, what it ended with, and how long it took."""
    return Side(len(losses), curve(losses), averages, seconds)


def curve(losses: Sequence[float]) -> tuple[float | None, ...]:
    """The mean loss of each equal stretch of the steps, None for a stretch without a finite loss.

    Args:
        losses: one for each step; single ones that are not finite are left out.
    """
    count = min(POINTS, math.ceil(len(losses) / STEPS_A_POINT))
    edges = [len(losses) * i // count for i in range(count + 1)] if count else []
    return tuple(_mean(losses[first:last]) for first, last in pairwise(edges))


def _mean(stretch: Sequence[float]) -> float | None:
    finite = [loss for loss in stretch if math.isfinite(loss)]
    try:
        # As statistics.fmean does, which takes some milliseconds to import.
        return float(f"{math.fsum(finite) / len(finite):.{DIGITS}g}") if finite else None
    except OverflowError:  # a sum of finite numbers may
        return None
