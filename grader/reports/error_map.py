"""The heat map of an error as a handful of SVG paths, and the same in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from grader.scorecard.model import ErrorMap, Gradient

WIDTH = 620
HEIGHT = 320
LARGEST_CELL = 14
"""The picture's limits in CSS pixels; a narrow screen shrinks it further."""


@dataclass(frozen=True)
class Heat:
    """A picture of ``columns`` × ``rows`` cells.

    ``paths`` draws the cells of each intensity from 1 to 9 that occurs; ``ring`` is the cell, (column, row),
    of the largest difference; ``where`` says in words which cells are wrong, ``scale`` what one cell
    stands for.
    """

    columns: int
    rows: int
    paths: tuple[tuple[int, str], ...]
    grid: str
    ring: tuple[int, int] | None
    where: str
    scale: str

    @classmethod
    def of(cls, gradient: Gradient) -> Heat | None:
        """The picture of a gradient's error, None where there is none to draw."""
        picture = gradient.error_map
        if picture is None or not any(picture.rows):
            return None
        columns, rows = max(map(len, picture.rows)), len(picture.rows)
        return cls(
            columns=columns,
            rows=rows,
            paths=tuple(_paths(picture.rows)),
            grid=_grid(columns, rows),
            ring=_ring(gradient, picture, columns, rows),
            where=_where(picture.rows, columns),
            scale=_scale(picture.stride, gradient.expected_shape),
        )

    @property
    def width(self) -> int:
        """The picture's width in CSS pixels: cells as large as fits, but not larger than is calm."""
        cell = min(LARGEST_CELL, WIDTH / self.columns, max(HEIGHT / self.rows, 3))
        return max(round(cell * self.columns), 1)


def _paths(rows: Sequence[str]) -> Iterator[tuple[int, str]]:
    drawn: dict[str, list[str]] = {str(intensity): [] for intensity in range(1, 10)}
    for digit, x, y, length in _runs(rows):
        if digit in drawn:
            drawn[digit].append(f"M{x} {y}h{length}v1h-{length}z")
    yield from ((int(digit), "".join(runs)) for digit, runs in drawn.items() if runs)


def _runs(rows: Sequence[str]) -> Iterator[tuple[str, int, int, int]]:
    """The digit, the place and the length of each run of equal cells."""
    for y, row in enumerate(rows):
        x = 0
        for digit, run in groupby(row):
            length = len(list(run))
            yield digit, x, y, length
            x += length


def _grid(columns: int, rows: int) -> str:
    """The lines between cells, so that single entries can be counted."""
    upright = "".join(f"M{x} 0v{rows}" for x in range(1, columns))
    level = "".join(f"M0 {y}h{columns}" for y in range(1, rows))
    return upright + level


def _ring(gradient: Gradient, picture: ErrorMap, columns: int, rows: int) -> tuple[int, int] | None:
    """The worst entry's cell, its index flattened to rows and columns as the picture is."""
    sizes = gradient.expected_shape
    if gradient.worst is None or not sizes or len(gradient.worst.index) != len(sizes):
        return None
    *outer, column = gradient.worst.index
    row = sum(i * prod(sizes[place + 1 : -1]) for place, i in enumerate(outer))
    x, y = column // picture.stride[1], row // picture.stride[0]
    return (x, y) if x < columns and y < rows else None


def _where(rows: Sequence[str], columns: int) -> str:
    wrong = [(x, y) for y, row in enumerate(rows) for x, digit in enumerate(row) if digit != "0"]
    total = sum(map(len, rows))
    if not wrong:
        return "no cell is beyond the tolerance"
    if len(wrong) == total:
        return "every cell is beyond the tolerance"
    down = _spread("row", {y for _, y in wrong}, len(rows))
    across = _spread("column", {x for x, _ in wrong}, columns)
    places = ", ".join(spread for spread in (down, across) if spread)
    return f"{len(wrong)} of {total} cells are beyond the tolerance, {places}"


def _spread(noun: str, places: set[int], total: int) -> str:
    first, last = min(places), max(places)
    if total == 1:
        return ""
    if len(places) == total:
        return f"in every {noun}"
    if first == last:
        return f"in {noun} {first}"
    if len(places) == last - first + 1:
        return f"in {noun}s {first} to {last}"
    return f"in {len(places)} of {total} {noun}s"


def _scale(stride: tuple[int, int], sizes: tuple[int, ...]) -> str:
    down, across = stride
    entries = "one entry" if stride == (1, 1) else f"{down} × {across} entries, rows × columns"
    flat = ", all dimensions but the last joined to rows" if len(sizes) > 2 else ""
    return f"One cell stands for {entries}{flat}."
