"""From the text of cells to statements: magics are blanked, and one broken statement costs only itself."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from grader.submissions.notebooks.cell import Cell, Origin

MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*|\w[\w, ]*=\s*[%!].*)$")
CELL_MAGIC = re.compile(r"\s*%%(\w+)")
PYTHON_MAGICS = {"time", "timeit", "capture", "prun", "python", "python3"}
CONTINUES = re.compile(r"[\s)\]}#]|(?:else|elif|except|finally)\b|$")
ASSIGNMENT = re.compile(
    r"^(?P<indent>[^\S\n]*)(?P<names>\w+(?:[^\S\n]*,[^\S\n]*\w+)*)[^\S\n]*(?P<index>\[.*?\][^\S\n]*)?(?P<operator>[-+*/@]?|\*\*)=(?!=)",
    re.M,
)
JOINED_LIMIT = 60
"""Pieces that are put together, at most, to find the end of a statement that looks broken."""

JOINS_LIMIT = 3000
"""Pieces that are put together in all of a script; a cell or two that do not parse take some fifty."""

LETTERS_LIMIT = 4_000_000
"""Characters that are parsed to find them, in all of a script; a cell of a hundred lines takes some hundred
thousand."""

BRACES_LIMIT = 20_000
"""Opening braces in what is parsed at once: Python takes the square of those in one f-string."""


@dataclass(frozen=True, eq=False)
class Written:
    """One top-level statement of a cell.

    Args:
        node: what it parsed to; ``pass`` where it is broken.
        lines: the lines of its cell, magics blanked, which the node's positions refer to.
        first: the first of those lines, where it stands in what the student wrote.
        broken: why it does not parse, in words, or None.
        assigns: the names it would assign if it were not broken.
        changes: the names it would change, or assign in a loop or branch.
    """

    node: ast.stmt
    lines: tuple[str, ...]
    first: Origin
    broken: str | None = None
    assigns: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()

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


@dataclass
class Parser:
    """Parses the cells of one script, with bounded effort."""

    joins_left: int = JOINS_LIMIT
    letters_left: int = LETTERS_LIMIT

    def statements(self, cell: Cell) -> Iterator[Written]:
        """The top-level statements of a code cell, in order; those that do not parse come as broken ones."""
        source = cell.source.replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ").replace("\0", " ")
        tree = _parse(source)
        if isinstance(tree, SyntaxError):
            written, source = source, _without_magics(source)
            tree = _parse(source) if source != written else tree
        if isinstance(tree, SyntaxError):
            yield from self._recovered(cell, source)
            return
        lines = tuple(source.split("\n"))
        for node in tree.body:
            yield Written(node, lines, cell.origin(1))

    def _recovered(self, cell: Cell, source: str) -> Iterator[Written]:
        """Statement after statement: the shortest run of pieces that parses; the rest is broken."""
        pieces = list(_pieces(source.split("\n")))
        at = 0
        while at < len(pieces):
            start, lines = pieces[at]
            tree, whole, used = self._joined(pieces[at : at + JOINED_LIMIT])
            if isinstance(tree, SyntaxError):
                yield from self._partly(cell, start, lines, tree)
                at += 1
                continue
            for node in tree.body:
                yield Written(node, tuple(whole), cell.origin(start))
            at += used

    def _partly(self, cell: Cell, start: int, lines: list[str], error: SyntaxError) -> Iterator[Written]:
        """What of a broken piece's first lines parses, then the rest as one broken statement."""
        for count in range(len(lines) - 1, 0, -1):
            self.joins_left -= 1
            if self.is_spent:
                break
            tree = self._try(lines[:count])
            if isinstance(tree, ast.Module) and tree.body:
                for node in tree.body:
                    yield Written(node, tuple(lines[:count]), cell.origin(start))
                yield _broken(cell, start, lines, error, count)
                return
        yield _broken(cell, start, lines, error)

    def _joined(self, pieces: list[tuple[int, list[str]]]) -> tuple[ast.Module | SyntaxError, list[str], int]:
        """What the first pieces parse to, as few of them as do; else what is wrong with the very first."""
        whole: list[str] = []
        problem: SyntaxError | None = None
        for used, (_, lines) in enumerate(pieces, 1):
            whole += lines
            tree = self._try(whole)
            if isinstance(tree, ast.Module):
                return tree, whole, used
            problem = problem or tree
            self.joins_left -= used > 1
            if self.is_spent:
                break
        return problem or SyntaxError("cannot be parsed"), whole, 1

    @property
    def is_spent(self) -> bool:
        """Whether no more is put together: what does not parse by itself is broken."""
        return self.joins_left <= 0 or self.letters_left <= 0

    def _try(self, lines: list[str]) -> ast.Module | SyntaxError:
        source = "\n".join(lines)
        self.letters_left -= len(source)
        return _parse(source)


def _parse(source: str) -> ast.Module | SyntaxError:
    if source.count("{") > BRACES_LIMIT:
        return SyntaxError("cannot be parsed: too many braces")
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


def _pieces(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that begin where a statement may begin, each with the number of its first line."""
    start = 0
    for number, line in enumerate(lines[1:], 1):
        if not CONTINUES.match(line):
            yield start + 1, lines[start:number]
            start = number
    yield start + 1, lines[start:]


def _broken(cell: Cell, start: int, lines: list[str], error: SyntaxError, skip: int = 0) -> Written:
    """A statement that does not parse; of its lines the first ``skip`` do by themselves."""
    assigns: set[str] = set()
    changes: set[str] = set()
    for found in ASSIGNMENT.finditer("\n".join(lines[skip:])):
        names = {name.strip() for name in found["names"].split(",")}
        is_whole = not (found["index"] or found["operator"]) and (skip or not found["indent"])
        (assigns if is_whole else changes).update(names)
    origin = cell.origin(start + min(error.lineno or 1, len(lines)) - 1)
    node = ast.Pass(lineno=1, col_offset=0)
    return Written(node, (), origin, error.msg, frozenset(assigns), frozenset(changes - assigns))
