"""A CSV file in which single cells can be changed while every other byte stays.

Python's ``csv`` gives the values and forgets how they were written; a gradebook that goes back to where it
came from should differ in the grades and in nothing else.

Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180 ; for cells that a spreadsheet takes for a formula,
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from grader.reports.wording import one_line

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, wide forms included."""

BOM = "\ufeff"


def harmless(text: str) -> str:
    """A student's text for a cell: on one line, and no formula to any spreadsheet."""
    flat = one_line(text)
    return f"'{flat}" if flat.startswith(FORMULA) else flat


@dataclass
class Row:
    """A row as it is written: its cells, quotes included, and its line end."""

    cells: list[str]
    end: str


class Sheet:
    """A CSV text, its cells found but not changed.

    Args:
        text: the file's text, with its line ends.
        delimiters: which characters may part cells; the one that finds most of them in the first row does.
    """

    def __init__(self, text: str, delimiters: str = ",;\t") -> None:
        self.delimiter = max(delimiters, key=lambda one: len(next(_rows(text, one), Row([], "")).cells))
        self._rows = list(_rows(text, self.delimiter))

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> Self:
        """A new sheet with these values."""
        return cls("".join(",".join(_written(value, ",") for value in row) + "\r\n" for row in rows), ",")

    def __len__(self) -> int:
        return len(self._rows)

    def __str__(self) -> str:
        return "".join(self.delimiter.join(row.cells) + row.end for row in self._rows)

    def row(self, index: int) -> tuple[str, ...]:
        """The values of a row, without quotes."""
        return tuple(_value(cell) for cell in self._rows[index].cells)

    def value(self, row: int, column: int) -> str:
        """The value of a cell; nothing where the row is too short."""
        cells = self._rows[row].cells
        return _value(cells[column]) if column < len(cells) else ""

    def put(self, row: int, column: int, value: str) -> None:
        """Change one cell, if that changes its value; a cell that was quoted stays quoted."""
        cells = self._rows[row].cells
        cells += [""] * (column + 1 - len(cells))
        old = cells[column]
        if _value(old) != value:
            quoted = old.startswith(('"', f'{BOM}"'))
            cells[column] = _quoted(value) if quoted else _written(value, self.delimiter)


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    part = re.escape(delimiter)
    cell = re.compile(rf'(\ufeff?"(?:[^"]|"")*"[^{part}\r\n]*|[^{part}\r\n]*)({part}|\r\n|\r|\n|\Z)')
    place = 0
    cells: list[str] = []
    while place < len(text) or cells:
        found = cell.match(text, place)
        if found is None:  # a quote that is never closed: the rest is one cell
            cells.append(text[place:])
            yield Row(cells, "")
            return
        cells.append(found[1])
        place = found.end()
        if found[2] != delimiter:
            yield Row(cells, found[2])
            cells = []


def _value(cell: str) -> str:
    bare = cell.removeprefix(BOM)
    return bare[1:-1].replace('""', '"') if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare


def _written(value: str, delimiter: str) -> str:
    needs = any(character in value for character in (delimiter, '"', "\r", "\n")) or value != value.strip()
    return _quoted(value) if needs and value else value


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
