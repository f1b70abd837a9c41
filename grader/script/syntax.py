"""From the text of cells to statements: magics are blanked, and one broken statement costs only itself."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from grader.script.cell import Cell, Origin

MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*|[\w, ]+=\s*[%!].*)$")
CELL_MAGIC = re.compile(r"\s*%%(\w+)")
PYTHON_MAGICS = {"time", "timeit", "capture", "prun", "python", "python3"}
CONTINUES = re.compile(r"[\s)\]}#]|(?:else|elif|except|finally)\b|$")
ASSIGNMENT = re.compile(r"^\s*(\w+(?:\s*,\s*\w+)*)\s*(?:\[[^\]]*\]\s*)*(?:[-+*/@]|\*\*)?=(?!=)", re.M)
JOINED_LIMIT = 60
"""Pieces that are put together, at most, to find the end of a statement that looks broken."""


@dataclass(frozen=True, eq=False)
class Written:
    """One top-level statement of a cell.

    Args:
        node: what it parsed to; ``pass`` where it is broken.
        lines: the lines of its cell, magics blanked, which the node's positions refer to.
        first: the first of those lines, where it stands in what the student wrote.
        broken: why it does not parse, in words, or None.
        assigns: the names it would assign if it were not broken.
    """

    node: ast.stmt
    lines: tuple[str, ...]
    first: Origin
    broken: str | None = None
    assigns: frozenset[str] = frozenset()

    def origin(self, node: ast.stmt) -> Origin:
        """Where a statement in it starts."""
        return Origin(self.first.cell, self.first.line + node.lineno - 1)

    def text(self, node: ast.stmt) -> tuple[str, ...]:
        """The lines of a statement in it, the indentation of its first line taken from all of them."""
        end = node.end_lineno or node.lineno
        start = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])])
        lines = [line.encode() for line in self.lines[start - 1 : end]]
        lines[-1] = lines[-1][: node.end_col_offset]
        margin = lines[0][: node.col_offset]
        lines[0] = lines[0][node.col_offset :]
        if not margin.isspace():  # it shares its first line with another statement
            margin = margin[: len(margin) - len(margin.lstrip())]
        return tuple(line.removeprefix(margin).decode("utf-8", "replace") for line in lines)


def statements(cell: Cell) -> Iterator[Written]:
    """The top-level statements of a code cell, in order; those that do not parse come as broken ones."""
    source = cell.source.replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ").replace("\0", " ")
    tree = _parse(source)
    if isinstance(tree, SyntaxError):
        source = _without_magics(source)
        tree = _parse(source)
    if isinstance(tree, SyntaxError):
        yield from _recovered(cell, source)
        return
    lines = tuple(source.split("\n"))
    for node in tree.body:
        yield Written(node, lines, cell.origin(1))


def _parse(source: str) -> ast.Module | SyntaxError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return SyntaxError(f"cannot be parsed: {type(error).__name__}")


def _without_magics(source: str) -> str:
    """The source with IPython's own lines blanked; a cell that is not Python at all becomes empty."""
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    magic = CELL_MAGIC.match(first)
    if magic and magic[1] not in PYTHON_MAGICS:
        return "\n" * (len(lines) - 1)
    # `pass` rather than nothing: a magic may be all there is in an indented block.
    return "\n".join(MAGIC.sub(r"\1pass", line) for line in lines)


def _recovered(cell: Cell, source: str) -> Iterator[Written]:
    """Statement after statement: each is the shortest run of pieces that parses, a piece that starts none is broken."""
    pieces = list(_pieces(source.split("\n")))
    at = 0
    while at < len(pieces):
        start, lines = pieces[at]
        whole, used = list(lines), 1
        tree = _parse("\n".join(whole))
        problem = tree if isinstance(tree, SyntaxError) else None
        while isinstance(tree, SyntaxError) and used < JOINED_LIMIT and at + used < len(pieces):
            whole += pieces[at + used][1]
            used += 1
            tree = _parse("\n".join(whole))
        if isinstance(tree, SyntaxError):
            yield _broken(cell, start, lines, problem or tree)
            at += 1
            continue
        for node in tree.body:
            yield Written(node, tuple(whole), cell.origin(start))
        at += used


def _pieces(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that begin where a statement may begin, each with the number of its first line."""
    start = 0
    for number, line in enumerate(lines[1:], 1):
        if not CONTINUES.match(line):
            yield start + 1, lines[start:number]
            start = number
    yield start + 1, lines[start:]


def _broken(cell: Cell, start: int, lines: list[str], error: SyntaxError) -> Written:
    text = "\n".join(lines)
    names = {name.strip() for found in ASSIGNMENT.findall(text) for name in found.split(",")}
    origin = cell.origin(start + min(error.lineno or 1, len(lines)) - 1)
    return Written(ast.Pass(lineno=1, col_offset=0), (), origin, error.msg, frozenset(names))
