"""The mutants of a module: its text with one change in it.

What makes no difference to a test is left as it is: annotations, decorators, docstrings and prose, which is any
text with a blank in it. How a message is worded is for its reader to judge.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators

SAME_EVERYWHERE = {"len", "isinstance", "issubclass", "cast", "TypeVar", "field", "range"}
"""Called with something left out these raise at once: no test is needed to see that."""

ENCODINGS = {'"utf-8"', '"ascii"'}
"""In capitals they are the same, and misspelt they raise at once."""

LOGS = m.Call(func=m.Attribute(value=m.Name("logger")))

SWAPPED = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        line: where it is, counted from 1.
        lines: the first and last line of the function that it is in; of the whole module, outside of any.
        text: the changed module.
    """

    line: int
    lines: tuple[int, int]
    text: str

    def change(self, original: str) -> tuple[str, str]:
        """The lines that go and those that come instead, without their indentation."""
        lines = [line for line in self.difference(original).splitlines() if line[1:].strip()]
        went, came = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
        return went, came

    def difference(self, original: str) -> str:
        """The change as a reader of patches expects it, without its head."""
        changed = difflib.unified_diff(original.splitlines(), self.text.splitlines(), lineterm="", n=0)
        return "\n".join(line for line in list(changed)[2:] if not line.startswith("@@"))


def swap_builtin(node: cst.Call) -> Iterator[cst.Call]:
    """``any`` for ``all``, ``min`` for ``max``, and the other way round."""
    if isinstance(node.func, cst.Name) and node.func.value in SWAPPED:
        yield node.with_changes(func=cst.Name(SWAPPED[node.func.value]))


def drop_call(node: cst.Expr) -> Iterator[cst.Expr]:
    """Nothing instead of a statement that calls or yields."""
    if isinstance(node.value, cst.Call | cst.Yield):
        yield node.with_changes(value=cst.Name("None"))


def return_nothing(node: cst.Return) -> Iterator[cst.Return]:
    """``return None`` instead of a value."""
    if node.value is not None and not m.matches(node.value, m.Name("None")):
        yield node.with_changes(value=cst.Name("None"))


def negate(node: cst.If | cst.While) -> Iterator[cst.CSTNode]:
    """The opposite of a condition."""
    inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(cst.Not(), inner))


OPERATORS: tuple[tuple[object, Callable[..., Iterable[cst.CSTNode]]], ...] = (
    *mutation_operators,
    (cst.Call, swap_builtin),
    (cst.Expr, drop_call),
    (cst.Return, return_nothing),
    (cst.If | cst.While, negate),
)


def mutants(text: str, sample: int | None = None, seed: int = 0) -> Iterator[Mutant]:
    """The mutants of a module that can be parsed, in the order of its lines.

    Args:
        text: the module's.
        sample: how many changes to draw at random; None makes every one. To make one takes some milliseconds.
        seed: of the draw.
    """
    wrapper = MetadataWrapper(cst.parse_module(text))
    finder = _Finder()
    wrapper.visit(finder)
    places = wrapper.resolve(PositionProvider)
    found = finder.found
    if sample is not None:
        found = random.Random(seed).sample(found, min(sample, len(found)))
    seen = {text}
    for lines, node, changed in sorted(found, key=lambda one: places[one[1]].start.line):
        mutated = wrapper.module.deep_replace(node, changed).code
        if mutated not in seen and _parses(mutated):
            seen.add(mutated)
            yield Mutant(places[node].start.line, lines, mutated)


def _is_same(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """Whether a number is the same after the change: 1e30 and one more are."""
    both = isinstance(node, cst.Integer | cst.Float) and isinstance(changed, cst.Integer | cst.Float)
    return both and node.evaluated_value == changed.evaluated_value


def _parses(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Finder(cst.CSTVisitor):
    """Walks a module and collects what is to be exchanged for what."""

    METADATA_DEPENDENCIES = (PositionProvider, ParentNodeProvider)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[tuple[int, int], cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(
            node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom | cst.FormattedStringExpression
        ):
            # A message tells what it tells; what is worked out for it beforehand is changed where that is done.
            return False
        if isinstance(node, cst.SimpleString) and (
            " " in node.value or node.value in ENCODINGS or self._stands_alone(node)
        ):
            return False
        if (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Name)
            and node.func.value in SAME_EVERYWHERE
        ):
            return node.func.value not in {"cast", "TypeVar", "field"}
        if isinstance(node, cst.If) and m.matches(node.test, m.Name("TYPE_CHECKING")):
            return False
        if m.matches(node, LOGS):
            return False  # That there is a message is changed all the same, by leaving it out.
        lines = self._function(node)
        for kind, operator in OPERATORS:
            if isinstance(node, kind):  # type: ignore[arg-type]
                self.found += [
                    (lines, node, changed) for changed in operator(node) if not _is_same(node, changed)
                ]
        return True

    def _stands_alone(self, node: cst.CSTNode) -> bool:
        return isinstance(self.get_metadata(ParentNodeProvider, node), cst.Expr)

    def _function(self, node: cst.CSTNode) -> tuple[int, int]:
        """The lines of the outermost function around a node, which is what a test calls."""
        around = node
        found = None
        while not isinstance(around, cst.Module):
            if isinstance(around, cst.FunctionDef):
                found = around
            around = self.get_metadata(ParentNodeProvider, around)
        place = self.get_metadata(PositionProvider, found or around)
        return place.start.line, place.end.line
