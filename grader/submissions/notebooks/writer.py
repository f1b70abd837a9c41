"""Stubs written out as one Python source, each line with the line of the student's that it is."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from grader.course.exercise import Exercise
from grader.submissions.notebooks.cell import Origin
from grader.submissions.notebooks.effects import reads_grad
from grader.submissions.notebooks.naming import Given, Naming
from grader.submissions.notebooks.program import Program, Statement
from grader.submissions.notebooks.slicing import Slice

HEADER = """\
import builtins
import torch
import torch.nn.functional as F


class AutogradForbidden(RuntimeError):
    pass


class NotLoaded(RuntimeError):
    pass


class CannotBeGraded(RuntimeError):
    pass


class Progress:
    trange = range

    def __new__(cls, items, *args, **kwargs):
        return items

    def tqdm(items, *args, **kwargs):
        return items
"""

READS_GRAD = "this reads .grad, which autograd filled in: derive the gradient by hand"
OURS = {"AutogradForbidden", "NotLoaded", "CannotBeGraded", "Progress", "builtins"}
PROGRESS = {"tqdm", "fastprogress"}
"""Packages that show how far a loop has come: the loop is run without them."""
DATA = {"open", "input", "read_csv", "urlopen", "urlretrieve", "load_dataset", "__import__"}
FALLS_OUTSIDE = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Nonlocal)
GLOBAL = re.compile(r"^(\s*)global\b")


@dataclass(frozen=True)
class Line:
    """One generated line, and where the student wrote it if they did."""

    text: str
    origin: Origin | None = None


def missing(name: str, why: str, parameters: Sequence[str] = ()) -> Iterator[Line]:
    """A stub that is not filled, and why."""
    yield Line(f"def {name}({', '.join(parameters)}):")
    yield Line(f"    raise NotImplementedError({why!r})")


@dataclass(frozen=True)
class Writer:
    """Writes the stubs of one exercise."""

    program: Program
    naming: Naming
    exercise: Exercise

    def stub(self, ask: str, cut: Slice) -> Iterator[Line]:
        """The stub of one gradient: its parameters are what it is handed, its body is the student's."""
        body = _Body(self.program, cut)
        start = self.program[cut.version.start]
        if cut.version.is_stub and isinstance(start.node, ast.FunctionDef) and start.broken is None:
            called, asked = self._call(ask, start.node, start.index)
            parameters = dict.fromkeys([*asked, *sorted(body.parameters)])
            yield Line(f"def {ask}({', '.join(parameters)}):", start.origin)
            yield from indented(body.lines())
            yield Line(f"    return {called}", start.origin)
            return
        yield Line(f"def {ask}({', '.join(sorted(body.parameters))}):", start.origin)
        yield from indented(body.lines())
        yield Line(f"    return {cut.version.name}", self.program[cut.version.end - 1].origin)

    def _call(self, ask: str, function: ast.FunctionDef, at: int) -> tuple[str, list[str]]:
        """A call of the student's own stub, and the parameters that it needs."""
        arguments = function.args
        placed = arguments.posonlyargs + arguments.args
        optional = len(placed) - len(arguments.defaults)
        pairs, asked = [], []
        for place, argument in enumerate([*placed, *arguments.kwonlyargs]):
            handed = self._handed(argument.arg)
            has_default = optional <= place < len(placed)
            if place >= len(placed):
                has_default = arguments.kw_defaults[place - len(placed)] is not None
            if has_default and handed not in self.exercise.may_ask(ask):
                continue
            asked.append(handed)
            pairs.append(handed if place < len(arguments.posonlyargs) else f"{argument.arg}={handed}")
        return f"{function.name}({', '.join(pairs)})", asked

    def _handed(self, parameter: str) -> str:
        tensor = self.naming.gradients.get(parameter)
        return f"d{tensor}" if tensor is not None else self.naming.tensors.get(parameter, parameter)


@dataclass
class _Body:
    """The statements of one stub, with what has to stand before them."""

    program: Program
    cut: Slice
    written: set[str] = field(init=False)
    parameters: set[str] = field(init=False)

    def __post_init__(self) -> None:
        statements = [self.program[index] for index in self.cut.statements]
        self.written = {name for s in statements for name in s.effects.binds | s.effects.may_bind}
        self.parameters = {p for given in self._all for _, g in given for p in g.parameters}

    @property
    def _all(self) -> list[list[tuple[str, Given]]]:
        return [sorted(given.items()) for _, given in sorted(self.cut.given.items())]

    def lines(self) -> Iterator[Line]:
        early, late = self._bindings()
        unbound = {name for names in self.cut.unbound.values() for name in names}
        for name in sorted(self.written & unbound):
            if hasattr(
                builtins, name
            ):  # a name that is assigned in a function is its own from the first line on
                yield Line(f"{name} = builtins.{name}")
        kept = sorted(
            {
                p
                for g in [*early.values(), *(g for b in late.values() for g in b.values())]
                for p in g.parameters
            }
        )
        if kept:
            yield Line(f"{', '.join(map(_kept, kept))} = {', '.join(kept)}")
        for name, given in sorted(early.items()):
            yield Line(f"{name} = {_expression(given)}")
        needed = {name for i in self.cut.statements for name in self.program[i].effects.reads}
        for index in self._order():
            for name, given in sorted(late.get(index, {}).items()):
                yield Line(f"{name} = {_expression(given)}")
            # Else the name would be found outside the stub: as another stub, or what this source needs.
            for name in sorted(self.cut.unbound.get(index, frozenset()) & (self.program.asks | OURS)):
                where = self.program[index].origin
                why = f"name {name!r} is not defined{self._later(name, index)}"
                yield Line(f"raise NameError({why!r})", where)
            yield from statement_lines(self.program[index], self.written, needed)

    def _later(self, name: str, index: int) -> str:
        later = [self.program[i].origin for i in self.program.defined(name) if i > index]
        return f" here: it is assigned later ({later[0]})" if later else ""

    def _order(self) -> list[int]:
        """Imports first: a notebook's cells may have been run in any order."""
        imports = (ast.Import, ast.ImportFrom)
        return sorted(self.cut.statements, key=lambda i: (not isinstance(self.program[i].node, imports), i))

    def _bindings(self) -> tuple[dict[str, Given], dict[int, dict[str, Given]]]:
        """What is bound on top, and what before one statement as the name means something else elsewhere."""
        meanings: dict[str, set[Given]] = {}
        for given in self._all:
            for name, one in given:
                meanings.setdefault(name, set()).add(one)
        late_names = {n for n, found in meanings.items() if len(found) > 1 or n in self.written}
        early = {n: next(iter(found)) for n, found in meanings.items() if n not in late_names}
        plain = {n for n, one in early.items() if one.expression == n}
        late = {
            index: {name: one for name, one in given.items() if name in late_names}
            for index, given in self.cut.given.items()
        }
        return {n: one for n, one in early.items() if n not in plain}, late


def _kept(parameter: str) -> str:
    """Where a parameter is kept while its name means something else."""
    return f"given_{parameter}_"


def _expression(given: Given) -> str:
    return re.sub(r"\b[A-Za-z_]\w*\b(?<!shape)", lambda m: _kept(m[0]), given.expression)


def statement_lines(statement: Statement, written: set[str], needed: set[str]) -> Iterator[Line]:
    """A statement as it was written, or what is raised in its place; of what it imports only what is needed."""
    where = statement.origin
    if isinstance(statement.node, (ast.Import, ast.ImportFrom)) and not _imports_all(statement):
        yield from (Line(line, where) for line in _imported(statement.node, needed))
    elif statement.broken is not None:
        yield Line(f"raise SyntaxError({f'{where}: {statement.broken}'!r})", where)
    elif _reads_grad(statement):
        yield from _instead(statement, f"raise AutogradForbidden({READS_GRAD!r})")
    elif _falls_outside(statement, written):
        yield from _instead(
            statement, f"raise CannotBeGraded({f'{where}: a statement that only works at top level'!r})"
        )
    elif _loads(statement):
        what = ", ".join(sorted(statement.effects.binds | statement.effects.may_bind)) or "this"
        why = f"{where}: {what} comes from data that is not loaded here; take sizes from the tensors"
        yield from _instead(statement, f"raise NotLoaded({why!r})")
    else:
        first = where.line - _decorators(statement)
        for number, text in enumerate(statement.text):
            # What is at top level in the script is one function further in here.
            text = GLOBAL.sub(r"\1nonlocal", text)
            yield Line(text, Origin(where.cell, first + number))


def _imported(node: ast.Import | ast.ImportFrom, needed: set[str]) -> Iterator[str]:
    """An import, of what it imports only what is needed: the rest may not be installed here."""
    package = (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[
        0
    ]
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        if name not in needed:
            continue
        if package in PROGRESS:
            yield f"{name} = Progress" + (".trange" if alias.name.endswith("range") else "")
        else:
            source = "" if isinstance(node, ast.Import) else f"from {'.' * node.level}{node.module or ''} "
            yield f"{source}import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")


def _instead(statement: Statement, line: str) -> Iterator[Line]:
    if isinstance(statement.node, ast.FunctionDef):
        yield Line(f"def {statement.node.name}(*args, **kwargs):", statement.origin)
        yield Line(f"    {line}", statement.origin)
    else:
        yield Line(line, statement.origin)


def _reads_grad(statement: Statement) -> bool:
    if not isinstance(statement.node, (ast.FunctionDef, ast.ClassDef)):
        return statement.effects.reads_grad
    return any(reads_grad(node) for node in ast.walk(statement.node))


def _falls_outside(statement: Statement, written: set[str]) -> bool:
    """Whether a statement cannot stand inside a function; a global name can if the function has it, too."""
    nodes = list(ast.walk(statement.node))
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return (
        any(isinstance(n, FALLS_OUTSIDE) for n in nodes) or not declared <= written or _imports_all(statement)
    )


def _imports_all(statement: Statement) -> bool:
    return isinstance(statement.node, ast.ImportFrom) and any(a.name == "*" for a in statement.node.names)


def _loads(statement: Statement) -> bool:
    """Whether a statement reads data from outside."""
    for node in ast.walk(statement.node):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in DATA:
                return True
    return False


def _decorators(statement: Statement) -> int:
    """How many lines of its text stand before the line a statement starts in."""
    lines = [decorator.lineno for decorator in getattr(statement.node, "decorator_list", [])]
    return statement.node.lineno - min(lines) if lines else 0


def indented(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines, one level further in."""
    for line in lines:
        yield Line(f"    {line.text}" if line.text.strip() else "", line.origin)


def numbered(lines: list[Line]) -> Mapping[int, Origin]:
    """Where each generated line was written, by its number from 1."""
    return {number: line.origin for number, line in enumerate(lines, 1) if line.origin is not None}
