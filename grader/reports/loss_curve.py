"""A training's loss curves, drawn: as a small chart of characters, and as the lines of a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from grader.scorecard.model import Side, Training

EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII = "  .:-=+*#"

WIDTH, HEIGHT = 640, 240
"""The picture's size, in its own units."""

INTERVALS = 5
"""The most intervals between the labels of a picture's scale."""

FACTORS = (1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0)
"""What the interval of a scale may be, times a power of ten."""

MARGIN = 1.0
"""How far beyond autograd's curve a picture goes, in heights of that curve, for one that climbs away."""

FAR = 1e9
"""A loss beyond all reason, which is as far away as any other."""


@dataclass(frozen=True)
class Scale:
    """The losses that a picture shows.

    Args:
        low: at its lower edge.
        high: at its upper edge.
        exceeded: whether the curve by hand leaves the picture.
    """

    low: float
    high: float
    exceeded: bool

    @classmethod
    def of(cls, training: Training) -> Scale | None:
        """The scale for both of a training's curves; None where there is nothing to draw.

        A loss by hand that climbs away would press everything else flat, so autograd's sets the scale.
        """
        hand, autograd = (_known(side.curve) for side in (training.hand, training.autograd))
        if not hand and not autograd:
            return None
        low, high = min(hand + autograd), max(hand + autograd)
        if not autograd:
            return cls(low, high, exceeded=False)
        margin = MARGIN * ((max(autograd) - min(autograd)) or 1.0)
        lowest, highest = min(autograd) - margin, max(autograd) + margin
        return cls(max(low, lowest), min(high, highest), low < lowest or high > highest)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round numbers, evenly spaced, that take in the whole scale, lowest first."""
        span = (self.high - self.low) or abs(self.high) or 1.0
        power = 10.0 ** math.floor(math.log10(span / INTERVALS))
        for step in (power * factor for factor in FACTORS):
            first, last = math.floor(self.low / step), math.ceil(self.high / step)
            if last - first <= INTERVALS:
                break
        return tuple(step * place for place in range(first, max(last, first + 1) + 1))


def chart(training: Training, columns: int, rows: int = 8, *, plain: bool = False) -> str:
    """The loss by hand as lines of text, the ends of the scale beside it; nothing without losses.

    Args:
        training: whose losses.
        columns: how many the curve may take.
        rows: how many lines.
        plain: use ASCII alone.
    """
    scale, means = Scale.of(training), resampled(training.hand.curve, columns)
    if scale is None or not _known(means):
        return ""
    low, high = scale.low, scale.high
    glyphs = ASCII if plain else EIGHTHS
    levels = [0 if m is None else round(_share(m, low, high) * (rows * 8 - 1)) + 1 for m in means]
    lines = []
    for row in reversed(range(rows)):
        label = {rows - 1: f"{high:.4g}", 0: f"{low:.4g}"}.get(row, "")
        cells = "".join(glyphs[max(0, min(8, level - 8 * row))] for level in levels)
        lines.append(f"{label:>6} {cells}".rstrip())
    return "\n".join(lines) + "\n"


def _share(mean: float, low: float, high: float) -> float:
    """How far up a mean stands between two others, from 0 to 1."""
    return min(1.0, max(0.0, (mean - low) / ((high - low) or 1.0)))


def resampled(curve: Sequence[float | None], points: int) -> tuple[float | None, ...]:
    """A curve of at most so many points."""
    count = min(points, len(curve))
    edges = [len(curve) * place // count for place in range(count + 1)] if count else []
    stretches = (_known(curve[first:last]) for first, last in pairwise(edges))
    return tuple(sum(known) / len(known) if known else None for known in stretches)


@dataclass(frozen=True)
class Plot:
    """A picture of a training: two lines as SVG paths, and what stands beside them.

    Args:
        hand: the curve by hand; empty where there is none.
        autograd: the curve by autograd.
        grid: the lines of the scale.
        ticks: their labels, from the top down.
        steps: how many steps it is of.
        exceeded: whether the curve by hand leaves the picture; it runs along the edge then.
        broken: whether losses by hand are no numbers.
        words: what it shows, for those who do not see it.
    """

    hand: str
    autograd: str
    grid: str
    ticks: tuple[str, ...]
    steps: int
    exceeded: bool
    broken: bool
    words: str

    @classmethod
    def of(cls, training: Training) -> Plot | None:
        """The picture of a training; None where there is nothing to draw."""
        scale = Scale.of(training)
        if scale is None:
            return None
        ticks = scale.ticks
        steps = max(training.hand.steps, training.autograd.steps)
        heights = (HEIGHT * place / (len(ticks) - 1) for place in range(len(ticks)))
        sides = {"by hand": training.hand, "by autograd": training.autograd}
        return cls(
            hand=_path(training.hand, steps, ticks),
            autograd=_path(training.autograd, steps, ticks),
            grid="".join(f"M0 {height:g}H{WIDTH}" for height in heights),
            ticks=tuple(f"{tick:.6g}" for tick in reversed(ticks)),
            steps=steps,
            exceeded=scale.exceeded,
            broken=None in training.hand.curve,
            words="; ".join(f"{name} {_in_words(side.curve)}" for name, side in sides.items()),
        )


def _path(side: Side, steps: int, ticks: Sequence[float]) -> str:
    """A curve as an SVG path that breaks off where there is no loss."""
    return "".join(_pieces(side, WIDTH * side.steps / max(1, steps), ticks[0], ticks[-1]))


def _pieces(side: Side, width: float, low: float, high: float) -> Iterator[str]:
    drawing = False
    for place, mean in enumerate(side.curve):
        if mean is not None:
            # Each mean stands in the middle of its stretch.
            across = width * (place + 0.5) / len(side.curve)
            down = HEIGHT * (1 - _share(mean, low, high))
            yield f"{'L' if drawing else 'M'}{across:.1f} {down:.1f}{'' if drawing else 'h0'}"
        drawing = mean is not None


def _in_words(curve: Sequence[float | None]) -> str:
    known = _known(curve)
    if not known:
        return "there are no losses"
    broken = ", and then no number" if curve[-1] is None else ""
    return f"from {known[0]:.4g} to {known[-1]:.4g}{broken}"


def _known(curve: Sequence[float | None]) -> list[float]:
    return [min(FAR, max(-FAR, mean)) for mean in curve if mean is not None]
