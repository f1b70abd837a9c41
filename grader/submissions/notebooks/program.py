"""A script as one straight line of statements: who defines what, who changes it, who shares its storage."""

from __future__ import annotations

import ast
import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from grader.course.forward import LOSS
from grader.submissions.notebooks.cell import Cell, Origin
from grader.submissions.notebooks.effects import Effects, Mutators, effects, mutator, storage_root
from grader.submissions.notebooks.errors import ScriptError
from grader.submissions.notebooks.syntax import Parser, Written

MARKER = re.compile(r"[\W_]*(?:ex|exc?er\w{0,8}(?<!s))[\W_]{0,3}(\d{1,3})(?![\d.])", re.I)
"""What opens an exercise in a heading or a comment, however it is spelt."""

STATEMENTS_LIMIT = 2500
"""The completed lecture has fewer than two hundred."""

TRAINING_NAMES = 8
"""A loop that gives this many names a value trains; a double loop for one gradient has half of them."""

ONE_FUNCTION = 5
"""Gradients in one function from which on it holds the whole backward pass, and is no helper."""


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement of a script.

    Args:
        index: its place in the program, from 0.
        node: its syntax.
        text: its lines, verbatim but for the indentation.
        origin: where its first line stands.
        effects: what it reads and writes.
        section: the exercise it stands under, by number; None before the first heading.
        broken: why it does not parse, in words, or None.
        training: whether it is a training loop, which is not run where it stands.
        body: the statements of a training loop.
    """

    index: int
    node: ast.stmt
    text: tuple[str, ...]
    origin: Origin
    effects: Effects
    section: int | None
    broken: str | None = None
    training: bool = False
    body: tuple[Statement, ...] = ()

    @cached_property
    def value(self) -> ast.expr | None:
        """The right-hand side of a plain assignment to one name, else None."""
        match self.node:
            case (
                ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(target=ast.Name(), value=value)
            ):
                return value
        return None

    @cached_property
    def target(self) -> str:
        """The name that a plain assignment to one name assigns, else nothing."""
        match self.node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return name
        return ""

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that stands in it."""
        return frozenset(node.id for node in ast.walk(self.node) if isinstance(node, ast.Name))

    def is_stub(self, asks: frozenset[str]) -> bool:
        """Whether it is a function that returns a gradient asked for by its name."""
        return isinstance(self.node, ast.FunctionDef) and is_stub(self.node, asks)


@dataclass(frozen=True)
class Change:
    """A statement that changes a storage in place, and the name it reaches it by."""

    index: int
    name: str


Storage = int
"""A number for each tensor that statements make; names that share one share the number."""


@dataclass(frozen=True)
class _Definitions:
    """The statements that give one name a value.

    Args:
        indices: their places in the program, in order.
        since: for each, which of them was the last up to it that is certain to; the first if none was.
    """

    indices: list[int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)

    def add(self, index: int, *, certain: bool) -> None:
        """Add a later statement."""
        self.since.append(len(self.indices) if certain or not self.since else self.since[-1])
        self.indices.append(index)


_NOWHERE = _Definitions()


@dataclass(frozen=True, eq=False)
class Program:
    """Statements in the order they stand in, and what follows from it.

    Args:
        statements: all of them, training loops included.
        asks: the gradients that the course asks for, by their own names.
    """

    statements: tuple[Statement, ...]
    asks: frozenset[str]
    _definitions: Mapping[str, _Definitions] = field(default_factory=dict, repr=False)
    _storages: Mapping[tuple[int, str], Storage] = field(default_factory=dict, repr=False)
    _changes: Mapping[Storage, list[Change]] = field(default_factory=dict, repr=False)
    _free: Mapping[str, Storage] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, cells: Sequence[Cell], asks: frozenset[str]) -> Program:
        """The program that some cells are.

        Raises:
            ScriptError: it is too long to be taken apart.
            RecursionError: it is nested too deeply.
        """
        return cls.of(_Reader(cells, asks).read(), asks)

    @classmethod
    def of(cls, statements: Iterable[Statement], asks: frozenset[str]) -> Program:
        """The program that some statements are, in this order."""
        made = tuple(replace(one, index=index) for index, one in enumerate(statements))
        return cls(made, asks, *_scan(made))

    def __getitem__(self, index: int) -> Statement:
        return self.statements[index]

    def reaching(self, name: str, at: int) -> tuple[int, ...]:
        """The statements that may have given a name its value before statement ``at``, the last one first."""
        made = self._definitions.get(name, _NOWHERE)
        until = bisect.bisect_left(made.indices, at)
        return tuple(reversed(made.indices[made.since[until - 1] : until])) if until else ()

    def latest(self, name: str, at: int) -> int:
        """The last statement that may have given a name its value before statement ``at``, -1 if none did."""
        made = self._definitions.get(name, _NOWHERE).indices
        until = bisect.bisect_left(made, at)
        return made[until - 1] if until else -1

    def defined(self, name: str) -> Sequence[int]:
        """Every statement that gives a name a value."""
        return self._definitions.get(name, _NOWHERE).indices

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that is given a value, in order of appearance."""
        return tuple(self._definitions)

    def storage(self, name: str, definition: int | None) -> Storage | None:
        """The storage a name has from one of its definitions on; from the start where that is None."""
        return self._free.get(name) if definition is None else self._storages[definition, name]

    def changes(self, name: str, definition: int | None, until: int, since: int = -1) -> Iterator[Change]:
        """What changes the value that a name was given by a definition in place, in order.

        Args:
            name: the name.
            definition: the statement that gave it its value, None where none did.
            until: changes before this statement count,
            since: and after this one and the definition.
        """
        first = max(since, -1 if definition is None else definition) + 1
        storage = self.storage(name, definition)
        made = self._changes.get(storage, []) if storage is not None else []
        start = bisect.bisect_left(made, first, key=lambda change: change.index)
        yield from itertools.takewhile(
            lambda change: change.index < until, itertools.islice(made, start, None)
        )


def is_stub(function: ast.FunctionDef, asks: frozenset[str]) -> bool:
    """Whether a function is named for a gradient and returns something or is still to be filled."""
    return function.name in asks and any(
        isinstance(node, (ast.Return, ast.Raise)) for node in ast.walk(function)
    )


@dataclass(frozen=True)
class _Piece:
    """A statement before it has its place: its syntax and where it was written."""

    node: ast.stmt
    written: Written
    cell: int
    section: int | None


@dataclass(frozen=True)
class _Markers:
    """The exercise numbers that headings or comments of a cell open, and the lines these stand in, in order."""

    lines: tuple[int, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, cell: Cell) -> _Markers:
        found = {}
        for number, line in enumerate(cell.source.splitlines(), 1):
            if not cell.is_code or line.lstrip().startswith("#"):
                marker = MARKER.match(line)
                if marker:
                    found[number] = int(marker[1])
        return cls(tuple(found), tuple(found.values()))

    def before(self, line: int, otherwise: int | None, first: int = 0) -> int | None:
        """The number opened last from one line to another; else what it is otherwise."""
        past = bisect.bisect_right(self.lines, line)
        return self.numbers[past - 1] if past and self.lines[past - 1] >= first else otherwise


@dataclass
class _Reader:
    """Takes cells apart into statements."""

    cells: Sequence[Cell]
    asks: frozenset[str]
    calls: dict[str, ast.Call] = field(default_factory=dict)
    at_top: set[str] = field(default_factory=set)
    inside: int = 0
    _known: dict[int, Effects] = field(default_factory=dict)
    _trains: dict[int, bool] = field(default_factory=dict)
    _markers: dict[int, _Markers] = field(default_factory=dict)

    def read(self) -> Iterator[Statement]:
        pieces = list(itertools.islice(self._pieces(), STATEMENTS_LIMIT + 1))
        if len(pieces) > STATEMENTS_LIMIT:
            raise ScriptError(f"expected at most {STATEMENTS_LIMIT} statements, found more")
        for piece in pieces:
            self._survey(piece.node)
        flat = [one for piece in pieces for one in self._flat(piece)]
        functions = [piece.node for piece in flat if isinstance(piece.node, ast.FunctionDef)]
        mutators: Mutators = {f.name: found for f in functions if (found := mutator(f)) is not None}
        for index, piece in enumerate(flat):
            yield self._statement(index, piece, mutators)

    def _pieces(self) -> Iterator[_Piece]:
        section: int | None = None
        parser = Parser()
        for place, cell in enumerate(self.cells):
            markers = self._markers[place] = _Markers.of(cell)
            if not cell.is_code:
                numbers = set(markers.numbers)
                section = numbers.pop() if len(numbers) == 1 else section
                continue
            for written in parser.statements(cell):
                line = written.origin(written.node).line
                yield _Piece(written.node, written, place, markers.before(line, section))
            section = markers.numbers[-1] if markers.numbers else section

    def _effects(self, node: ast.stmt) -> Effects:
        """A statement's effects but for what functions do, worked out once."""
        # The tree is alive as long as this is, so that no other node can have its id.
        if id(node) not in self._known:
            self._known[id(node)] = effects(node)
        return self._known[id(node)]

    def _survey(self, node: ast.stmt) -> None:
        """Take down which names are assigned at top level, and which functions are called with what."""
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            return
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
                self.calls.setdefault(inner.func.id, inner)
        if not self._is_training(node):
            self.at_top |= self._effects(node).writes

    def _flat(self, piece: _Piece) -> Iterator[_Piece]:
        """A statement, or those inside it where it only wraps them: ``no_grad()``, a function around all."""
        match piece.node:
            case ast.With(items=items, body=body) if all(item.optional_vars is None for item in items):
                yield from self._inside(piece, body)
            case ast.If(test=ast.Constant(), body=body):
                yield from self._inside(piece, body)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=body):
                yield from self._inside(piece, body)
            case ast.FunctionDef() as function if self._holds_it_all(function):
                marker = MARKER.match(function.name)
                inside = replace(piece, section=int(marker[1])) if marker else piece
                yield from self._arguments(inside, function)
                yield from self._inside(inside, function.body)
            case ast.Global() | ast.Nonlocal() | ast.Return():
                pass
            case _:
                yield piece

    def _inside(self, piece: _Piece, body: Iterable[ast.stmt]) -> Iterator[_Piece]:
        first = piece.written.origin(piece.node).line
        for node in body:
            line = piece.written.origin(node).line
            section = self._markers[piece.cell].before(line, piece.section, first)
            yield from self._flat(replace(piece, node=node, section=section))

    def _arguments(self, piece: _Piece, function: ast.FunctionDef) -> Iterator[_Piece]:
        """What a call of the function binds its parameters to, where the names differ."""
        call = self.calls.get(function.name)
        for parameter, argument in zip(function.args.args, call.args if call else (), strict=False):
            if isinstance(argument, ast.Name) and argument.id != parameter.arg:
                source = f"{parameter.arg} = {argument.id}"
                written = Written(ast.parse(source).body[0], (source,), piece.written.origin(function))
                yield replace(piece, node=written.node, written=written)

    def _holds_it_all(self, function: ast.FunctionDef) -> bool:
        """Whether a function holds a backward or forward pass that would stand at top level elsewhere."""
        if is_stub(function, self.asks):
            return False
        found: set[str] = set()
        for node in function.body:
            if not self._is_training(node):
                found |= self._effects(node).writes
        gradients = {name for name in found if name in self.asks}
        ds = {name for name in found if name.startswith("d")}
        whole = (
            ds
            if len(ds) >= ONE_FUNCTION
            else gradients | (found & {LOSS} if len(found) > ONE_FUNCTION else set())
        )
        return bool(whole) and not whole & self.at_top

    def _is_training(self, node: ast.stmt) -> bool:
        """Whether a loop trains: it calls ``backward()``, makes a loss, or does too much for one gradient."""
        if not isinstance(node, (ast.For, ast.While)):
            return False
        if id(node) not in self._trains:
            self._trains[id(node)] = self._trains_by(node)
        return self._trains[id(node)]

    def _trains_by(self, node: ast.For | ast.While) -> bool:
        written = self._effects(node).writes
        backward = any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in ast.walk(node))
        return backward or LOSS in written or len(written) >= TRAINING_NAMES or len(written & self.asks) > 2

    def _statement(self, index: int, piece: _Piece, mutators: Mutators) -> Statement:
        written = piece.written
        origin = written.origin(piece.node)
        if written.broken is not None:
            done = Effects(written.changes, binds=written.assigns, mutates=written.changes)
            return Statement(index, piece.node, (), written.first, done, piece.section, written.broken)
        training = self._is_training(piece.node)
        body: tuple[Statement, ...] = ()
        if training and isinstance(piece.node, (ast.For, ast.While)):
            inside = list(itertools.islice(self._inside(piece, piece.node.body), STATEMENTS_LIMIT + 1))
            self.inside += len(inside)
            if self.inside > STATEMENTS_LIMIT:
                raise ScriptError(f"expected at most {STATEMENTS_LIMIT} statements in loops, found more")
            body = tuple(self._statement(place, one, mutators) for place, one in enumerate(inside))
        done = effects(piece.node, mutators) if mutators else self._effects(piece.node)
        if training:
            done = Effects(frozenset())
        return Statement(
            index, piece.node, written.text(piece.node), origin, done, piece.section, None, training, body
        )


def _scan(
    made: Sequence[Statement],
) -> tuple[
    dict[str, _Definitions],
    dict[tuple[int, str], Storage],
    dict[Storage, list[Change]],
    dict[str, Storage],
]:
    """Follow names and their storages through the statements, top to bottom."""
    definitions: dict[str, _Definitions] = defaultdict(_Definitions)
    storages: dict[tuple[int, str], Storage] = {}
    changes: dict[Storage, list[Change]] = defaultdict(list)
    free: dict[str, Storage] = {}
    current: dict[str, Storage] = {}
    numbers = iter(range(1 << 30))

    def of(name: str) -> Storage:
        if name not in current:
            current[name] = free[name] = next(numbers)
        return current[name]

    for statement in made:
        done = statement.effects
        for name in sorted(done.mutates):
            changes[of(name)].append(Change(statement.index, name))
        shared = {a: of(b) for a, b in _aliases(statement.node) if a in done.binds}
        for name in sorted(done.binds | done.may_bind):
            if name in done.binds:
                current[name] = shared[name] if name in shared else next(numbers)
            # Else it may still be what it was, so that what changes it from here on may change that.
            storages[statement.index, name] = of(name)
            definitions[name].add(statement.index, certain=name in done.binds)
    return definitions, storages, changes, free


def _aliases(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Which names share the storage of which after an assignment."""
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=False))
        for left, right in pairs:
            root = storage_root(right)
            if isinstance(left, ast.Name) and root is not None and root != left.id:
                yield left.id, root
    names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    for name in names[1:]:
        yield name, names[0]
