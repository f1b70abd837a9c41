"""A loss curve: smoothed, as a small chart of characters, and as the points of an SVG line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII = "  .:-=+*#"


@dataclass(frozen=True)
class Curve:
    """Losses averaged over equal stretches of the steps."""

    steps: int
    means: tuple[float, ...]

    @classmethod
    def of(cls, losses: Sequence[float], points: int) -> Curve:
        """The curve of some losses.

        Args:
            losses: one for each step; what is not finite is left out.
            points: the most points it may have.
        """
        count = min(points, len(losses))
        edges = [len(losses) * i // count for i in range(count + 1)] if count else [0]
        stretches = [losses[first:last] for first, last in pairwise(edges)]
        finite = [[x for x in stretch if abs(x) < float("inf")] for stretch in stretches]
        return cls(len(losses), tuple(sum(s) / len(s) for s in finite if s))

    @property
    def lowest(self) -> float:
        """Its lowest point."""
        return min(self.means)

    @property
    def highest(self) -> float:
        """Its highest point."""
        return max(self.means)

    def chart(self, rows: int = 8, *, plain: bool = False) -> str:
        """The curve as lines of text, a column for each point, with its highest and lowest loss beside it.

        Args:
            rows: how many lines.
            plain: use ASCII alone.
        """
        if not self.means:
            return ""
        span = self.highest - self.lowest or 1.0
        levels = [round((mean - self.lowest) / span * (rows * 8 - 1)) + 1 for mean in self.means]
        glyphs = ASCII if plain else EIGHTHS
        lines = []
        for row in reversed(range(rows)):
            label = {rows - 1: f"{self.highest:.2f}", 0: f"{self.lowest:.2f}"}.get(row, "")
            cells = "".join(glyphs[max(0, min(8, level - 8 * row))] for level in levels)
            lines.append(f"{label:>6} {cells}".rstrip())
        return "\n".join(lines) + "\n"

    def points(self, width: float, height: float, low: float, high: float) -> str:
        """The curve as the ``points`` of an SVG polyline.

        Args:
            width: of the picture, in its own units.
            height: of the picture.
            low: the loss at its lower edge.
            high: the loss at its upper edge.
        """
        across = width / max(1, len(self.means) - 1)
        up = height / ((high - low) or 1.0)
        return " ".join(f"{i * across:.1f},{height - (m - low) * up:.1f}" for i, m in enumerate(self.means))
