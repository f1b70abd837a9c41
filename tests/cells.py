"""Stored stubs with declared outcomes: Python files in cells, each cell one stub.

A cell starts with a line ``# %% <exercise> <gradient>: <description> -> <outcome> [| <hint kind>]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HEADER = re.compile(
    r"# %% (?P<exercise>\w+) (?P<gradient>\w+): (?P<what>.+?) -> (?P<outcome>\w+)(?: \| (?P<hint>.+))?"
)
IMPORTS = "import torch\nimport torch.nn.functional as F\n"


@dataclass(frozen=True)
class Cell:
    """One stub, and what must become of it."""

    exercise: str
    gradient: str
    what: str
    outcome: str
    hint: str | None
    code: str

    def __str__(self) -> str:
        return f"{self.exercise[:3]} {self.gradient}: {self.what}"


def read(path: Path) -> list[Cell]:
    """The cells of a file."""
    cells = []
    for text in re.split(r"^(?=# %% )", path.read_text("utf-8"), flags=re.M)[1:]:
        first, _, code = text.partition("\n")
        header = HEADER.fullmatch(first.strip())
        assert header is not None, f"{path}: not a cell's first line: {first}"
        cells.append(Cell(**header.groupdict(), code=IMPORTS + code))
    return cells
