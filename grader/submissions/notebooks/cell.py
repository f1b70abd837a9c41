"""A cell of a notebook as it was written, and where a line of it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Origin:
    """Where a line stands in what the student wrote.

    Args:
        cell: the cell's place among all cells of the notebook, from 1; None in a plain script.
        line: the line in the cell (or in the script), from 1.
    """

    cell: int | None
    line: int

    def __str__(self) -> str:
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook, or a whole script (whose ``number`` is None)."""

    number: int | None
    source: str
    is_code: bool = True

    def origin(self, line: int) -> Origin:
        """Where one of its lines stands."""
        return Origin(self.number, line)
