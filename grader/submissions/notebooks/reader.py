"""Reading a Jupyter notebook's cells, whatever is in the file: text alone, nothing of it is run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

from grader.submissions.notebooks.cell import Cell
from grader.submissions.notebooks.errors import NotebookError as NotebookError
from grader.submissions.notebooks.errors import contained

SUFFIX = ".ipynb"

SIZE_LIMIT = 20 << 20
"""Bytes of one notebook; plots that were saved with it take a few million."""

CODE_LIMIT = 1 << 19
"""Characters of a script, or of all cells together; the completed lecture has some twenty thousand."""

CELLS_LIMIT = 2000


def read_cells(content: bytes) -> tuple[Cell, ...]:
    """The code and markdown cells of a notebook, numbered from 1 as they stand, outputs left out.

    Args:
        content: the bytes of an ``.ipynb`` file of any version of the format.

    Raises:
        NotebookError: it is not a notebook, or a huge one.
    """
    if len(content) > SIZE_LIMIT:
        raise NotebookError(
            f"expected a notebook of at most {SIZE_LIMIT} bytes, found more: clear its outputs"
        )
    cells = tuple(_cells(_document(content)))
    if sum(len(cell.source) for cell in cells) > CODE_LIMIT:
        raise NotebookError(f"expected cells of at most {CODE_LIMIT} characters together, found more")
    return cells


def _document(content: bytes) -> Any:
    """The notebook as nbformat reads it, but for outputs; nothing is validated, which is slow for hostile ones."""
    # Imported here because it is slow to load and most submissions are plain Python.
    from nbformat import converter, reader

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = reader.reads(_slim(content.decode("utf-8-sig")))  # type: ignore[no-untyped-call]
            if document.nbformat != 4:
                document = converter.convert(document, 4)  # type: ignore[no-untyped-call]
            return document
    except UnicodeDecodeError as error:
        raise NotebookError(f"expected a notebook in UTF-8, found other bytes at {error.start}") from error
    except (RecursionError, MemoryError) as error:
        raise NotebookError("expected a notebook, found JSON that is nested too deeply") from error
    except Exception as error:  # nbformat meets a malformed notebook with whatever happens to go wrong in it
        raise NotebookError(f"expected a notebook, found {_found(error)}") from error


def _slim(text: str) -> str:
    """A notebook's JSON without its outputs and metadata: nbformat makes an object of each piece of these."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text  # nbformat says what is wrong with it
    if not isinstance(document, dict):
        return text
    sheets = document.get("worksheets")
    slim = _with_cells(document)
    if isinstance(sheets, list):
        slim["worksheets"] = [_with_cells(sheet) for sheet in sheets if isinstance(sheet, dict)]
    return json.dumps(slim)


def _with_cells(holder: dict[str, Any]) -> dict[str, Any]:
    slim, cells = _kept(holder), holder.get("cells")
    if isinstance(cells, list):
        slim["cells"] = [_kept(cell) if isinstance(cell, dict) else None for cell in cells]
    return slim


def _kept(piece: dict[str, Any]) -> dict[str, Any]:
    """What is a text, lines of one, or a number; of all the rest only that it is there."""
    return {key: [] if key == "outputs" else _plain(value) for key, value in piece.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return "".join(value) if all(isinstance(line, str) for line in value) else None
    return {} if isinstance(value, dict) else value


def _found(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return f"no JSON: {cause.msg} in line {cause.lineno}"
    return f"something malformed ({type(error).__name__})"


def _cells(document: Any) -> Iterator[Cell]:
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise NotebookError("expected a notebook with a list of cells, found none")
    if len(cells) > CELLS_LIMIT:
        raise NotebookError(f"expected at most {CELLS_LIMIT} cells, found {len(cells)}")
    for number, cell in enumerate(cells, 1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        source = cell.get("source", "") if isinstance(cell, dict) else None
        if not isinstance(kind, str) or not isinstance(source, str):
            raise NotebookError(
                f"cell {number}: expected a cell with a type and a text, found something else"
            )
        if kind in ("code", "markdown"):
            yield Cell(number, source, is_code=kind == "code")


def cells_of(filename: str, content: bytes) -> tuple[Cell, ...]:
    """The cells of a notebook, or a plain script as one cell.

    Args:
        filename: the file's name, whose ending tells which it is.
        content: its bytes.

    Raises:
        NotebookError: as :func:`read_cells` does, or a huge script.
    """
    if filename.endswith(SUFFIX):
        with contained(filename):
            return read_cells(content)
    source = content.decode("utf-8", "replace")
    if len(source) > CODE_LIMIT:
        raise NotebookError(f"expected a script of at most {CODE_LIMIT} characters, found more")
    return (Cell(None, source),)
