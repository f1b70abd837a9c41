"""Notebooks from reviewable text: Python files in percent format, a cell from each ``# %%`` line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DATA = Path(__file__).parent / "data"

Piece = tuple[str, str]
"""A cell's kind (code or markdown) and its text."""


def pieces(name: str) -> list[Piece]:
    """The cells of one stored text; what stands before the first is about the file."""
    return list(map(_piece, re.split(r"^# %%", (DATA / f"{name}.py").read_text("utf-8"), flags=re.M)[1:]))


def _piece(text: str) -> Piece:
    kind, _, source = text.partition("\n")
    if kind.strip() == "[markdown]":
        return "markdown", re.sub(r"^# ?", "", source.rstrip("\n"), flags=re.M)
    return "code", source.rstrip("\n")


def notebook(cells: Sequence[Piece]) -> bytes:
    """An ``.ipynb`` file with these cells."""
    make = {"code": new_code_cell, "markdown": new_markdown_cell}
    made = [make[kind](source, id=f"c{number}") for number, (kind, source) in enumerate(cells)]
    return nbformat.writes(new_notebook(cells=made)).encode()


def stored(name: str) -> bytes:
    """A stored text as a notebook."""
    return notebook(pieces(name))
