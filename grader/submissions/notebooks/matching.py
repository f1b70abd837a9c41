"""Whose value is whose: a student's forward pass matched to the exercise's, line by line, whatever its names.

Two lines are the same if their normal forms are equal up to a renaming that all lines share. A line that one
side writes in two is put together again. What cannot be shown to be equal is not matched.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from grader.course.forward import LOSS, Forward, Step
from grader.submissions.notebooks.algebra import (
    Name,
    Node,
    Number,
    Reference,
    Rows,
    Tree,
    power,
    product,
    size,
    total,
    tree,
)
from grader.submissions.notebooks.program import Program, Statement

EFFORT = 5_000
"""Units of work, at most, for one line, one for two parts compared; an honest one takes some hundreds."""

EFFORT_IN_ALL = 300_000
"""Units of work for a whole script, whatever it is matched to; an honest one takes some ten thousand."""

SIZE_LIMIT = 400
"""Nodes of syntax of one line that is read; the longest honest ones have half of them."""

UNREAD = Node("too long or too deep to be read", ())
"""What a line is taken for that is not read: it is like no line of an exercise."""

STARTS = 12
"""Lines tried, at most, as the first of the forward pass."""

PARTS_LIMIT = 7
"""Terms of one sum (or factors of one product) that are tried in any order."""


@dataclass(frozen=True)
class Renaming:
    """The exercise's names and the student's values they stand for, one to one."""

    theirs: Mapping[str, Reference] = field(default_factory=dict)

    @cached_property
    def ours(self) -> Mapping[Reference, str]:
        """The exercise's name of each value that has one."""
        return {reference: name for name, reference in self.theirs.items()}

    def bound(self, name: str, reference: Reference) -> Renaming | None:
        """This renaming and one pair more; None if either side is taken by another."""
        if name in self.theirs or reference in self.ours:
            return self if self.theirs.get(name) == reference else None
        return Renaming({**self.theirs, name: reference})


@dataclass(frozen=True)
class Match:
    """What of a student's forward pass is known.

    Args:
        renaming: the values matched.
        again: further statements that compute a matched value once more, with its name.
        assumed: the exercise's names that are matched by name alone.
    """

    renaming: Renaming
    again: Mapping[Reference, str]
    assumed: frozenset[str] = frozenset()

    @property
    def shown(self) -> frozenset[str]:
        """The exercise's names whose lines were shown to be the student's."""
        return frozenset(self.renaming.theirs) - self.assumed


class TooHard(Exception):
    """A comparison took more effort than any honest line does."""


@dataclass
class Effort:
    """What the matching of one script has cost, in units of work.

    Args:
        spent: on all of it.
        on_line: on the line at hand.
    """

    spent: int = 0
    on_line: int = 0

    @property
    def is_left(self) -> bool:
        """Whether there is any left for another line."""
        return self.spent < EFFORT_IN_ALL

    def spend(self, units: int = 1) -> None:
        """Count some units of work.

        Raises:
            TooHard: it is more than a line or a script may cost.
        """
        self.spent += units
        self.on_line += units
        if self.on_line > EFFORT or self.spent > EFFORT_IN_ALL:
            raise TooHard


def match(program: Program, forward: Forward, effort: Effort | None = None) -> Match:
    """Match a script's forward pass to an exercise's.

    Args:
        program: the student's script.
        forward: the exercise's forward pass.
        effort: what the script has cost so far, which is added to.
    """
    return _Matcher(program, forward, effort or Effort()).match()


@dataclass
class _Matcher:
    program: Program
    forward: Forward
    effort: Effort
    _known: dict[int, Tree] = field(default_factory=dict)
    _orders: dict[str, list[Statement]] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Mapping[str, Tree]:
        """The exercise's lines in normal form, by name."""
        found = {}
        for step in self.forward.steps:
            (line,) = ast.parse(step.source).body
            assert isinstance(line, ast.Assign)
            found[step.name] = tree(line.value, lambda name: (name, -1))
        return found

    @cached_property
    def lines(self) -> tuple[Statement, ...]:
        """The student's straight-line assignments."""
        return tuple(s for s in self.program.statements if s.value is not None and s.broken is None)

    def match(self) -> Match:
        first = self.forward.steps[0].name
        fits = (r for line in self._tried(self._ordered(first)) for r in self._unify(first, line, Renaming()))
        starts = list(itertools.islice(fits, STARTS)) or [Renaming()]
        found, assumed = max(map(self._follow, starts), key=lambda pair: len(pair[0].theirs))
        return Match(found, dict(self._again(found)), assumed)

    def _by_name(self, step: Step, renaming: Renaming) -> Renaming | None:
        """A line that is like none of the exercise's, taken by its name where names are the exercise's so far."""
        used = {name: renaming.theirs[name][0] for name in step.uses if name in renaming.theirs}
        if not used or any(ours != theirs for ours, theirs in used.items()):
            return None
        lines = (s for s in self.lines if s.target == step.name and s.effects.reads & set(used))
        return next((renaming.bound(step.name, (line.target, line.index)) for line in lines), None)

    def _ordered(self, name: str) -> list[Statement]:
        """The lines that may be the one of that name: those that have the name first."""
        if name not in self._orders:
            self._orders[name] = sorted(self.lines, key=lambda line: line.target != name)
        return self._orders[name]

    def _tried(self, lines: Iterable[Statement]) -> Iterator[Statement]:
        """Some lines, as long as there is effort left for them."""
        return itertools.takewhile(lambda _: self.effort.is_left, lines)

    def _follow(self, renaming: Renaming) -> tuple[Renaming, frozenset[str]]:
        """Match line after line, each to the first that fits; and which of them by their names alone."""
        assumed = set()
        for step in self.forward.steps:
            if step.name in renaming.theirs:
                continue
            lines = self._ordered(step.name)
            named = [line for line in lines if line.target == step.name]
            fit = self._fit(step.name, named, renaming)
            if fit is None:
                # A line of that name goes before one that would fit: that may be of another pass, as when the
                # statistics of a batch norm are measured once more at the end.
                fit = self._by_name(step, renaming)
                if fit is not None:
                    assumed.add(step.name)
                else:
                    fit = self._fit(step.name, lines[len(named) :], renaming)
            renaming = fit or renaming
        return renaming, frozenset(assumed)

    def _fit(self, name: str, lines: Sequence[Statement], renaming: Renaming) -> Renaming | None:
        """The renaming under which the first of some lines that fits is the exercise's line of that name."""
        taken = renaming.ours
        fits = (
            r
            for line in self._tried(lines)
            if (line.target, line.index) not in taken
            for r in self._unify(name, line, renaming)
        )
        return next(fits, None)

    def _again(self, renaming: Renaming) -> Iterator[tuple[Reference, str]]:
        without = {
            step.name: Renaming({n: r for n, r in renaming.theirs.items() if n != step.name})
            for step in self.forward.steps
            if step.name in renaming.theirs and step.name != LOSS
        }
        for line in self._tried(self.lines):
            reference = (line.target, line.index)
            if reference in renaming.ours:
                continue
            for name, free in without.items():
                if any(len(r.theirs) == len(free.theirs) + 1 for r in self._unify(name, line, free)):
                    yield reference, name
                    break

    def _unify(self, name: str, line: Statement, renaming: Renaming) -> Iterator[Renaming]:
        """The ways to extend a renaming under which a student's line is the exercise's line of that name."""
        self.effort.on_line = 0
        try:
            self.effort.spend()
            found = list(self._same(self.steps[name], self._tree(line), renaming))
        except (TooHard, RecursionError):
            return
        for renamed in found:
            bound = renamed.bound(name, (line.target, line.index))
            if bound is not None:
                yield bound

    def _tree(self, line: Statement) -> Tree:
        """A line in normal form, read once however often it is tried: also one that cannot be read."""
        if line.index not in self._known:
            assert line.value is not None
            nodes = size(line.value, SIZE_LIMIT + 1)
            self._known[line.index] = self._read(line, line.value) if nodes <= SIZE_LIMIT else UNREAD
            # Sums in sums are put together over and over: what a long line takes grows with its square.
            self.effort.spend(nodes + nodes**2 // 64)
        return self._known[line.index]

    def _read(self, line: Statement, value: ast.expr) -> Tree:
        try:
            return tree(value, lambda name: self._reference(name, line.index))
        except RecursionError:
            return UNREAD

    def _reference(self, name: str, at: int) -> Reference:
        return name, self.program.latest(name, at)

    def _definition(self, reference: Reference) -> Tree | None:
        """What a value of the student's was computed as, if a plain line did it."""
        self.effort.spend()
        _, index = reference
        if index < 0 or self.program[index].target != reference[0] or self.program[index].broken:
            return None
        return self._tree(self.program[index]) if self.program[index].value is not None else None

    def _root(self, reference: Reference) -> Reference:
        """What a value is another name of, such as ``batch_size`` for ``n = batch_size``; else itself."""
        while isinstance(definition := self._definition(reference), Name):
            reference = definition.reference
        return reference

    def _same(self, ours: Tree, theirs: Tree, renaming: Renaming) -> Iterator[Renaming]:
        """The ways to extend a renaming under which two trees are the same."""
        self.effort.spend()
        match ours, theirs:
            case Name(reference=(name, _)), Name(reference=reference):
                yield from self._same_value(name, reference, renaming)
            case Name(reference=(name, _)), Rows():
                if name in self.forward.inputs:
                    yield renaming
            case Name(reference=(name, _)), _:
                if name in self.steps:
                    yield from self._same(self.steps[name], theirs, renaming)
            case _, Name(reference=reference):
                definition = self._definition(reference)
                if definition is not None:
                    yield from self._same(ours, definition, renaming)
            case Node(), Node():
                yield from self._same_node(ours, theirs, renaming)
            case _:
                if ours == theirs:
                    yield renaming

    def _same_value(self, name: str, reference: Reference, renaming: Renaming) -> Iterator[Renaming]:
        if renaming.theirs.get(name) == reference:
            yield renaming
        elif name in self.forward.inputs:
            bound = renaming.bound(name, reference)
            if bound is not None:
                yield bound
            elif name in renaming.theirs and self._root(renaming.theirs[name]) == self._root(reference):
                yield renaming  # n = batch_size, and now the one is written, now the other
        else:
            definition = self._definition(reference)
            if definition is not None:  # the same value, by another name or computed once more
                for renamed in self._same(self.steps[name], definition, renaming):
                    yield renamed.bound(name, reference) or renamed

    def _same_node(self, ours: Node, theirs: Node, renaming: Renaming) -> Iterator[Renaming]:
        if ours.operation != theirs.operation:
            return
        if ours.commutes:
            for parts in self._regrouped(ours, theirs):
                yield from self._any_order(ours.parts, parts, renaming)
            return
        if len(ours.parts) == len(theirs.parts) and _keys(ours) == _keys(theirs):
            mine = (*ours.parts, *(value for _, value in ours.options))
            yield from self._in_place(
                mine, (*theirs.parts, *(value for _, value in theirs.options)), renaming
            )
        if ours.operation == "pow" and isinstance(theirs.parts[0], Name):
            definition = self._definition(theirs.parts[0].reference)
            if definition is not None and isinstance(theirs.parts[1], Number):
                self._take_apart(definition)
                yield from self._same(ours, power(definition, theirs.parts[1].value), renaming)

    def _regrouped(self, ours: Node, theirs: Node) -> Iterator[tuple[Tree, ...]]:
        """The student's terms: as they are, then with those taken apart that an earlier line put together."""
        if len(theirs.parts) == len(ours.parts):
            yield theirs.parts
        if len(theirs.parts) >= len(ours.parts):
            return  # taken apart, it would have more parts still
        for at, part in enumerate(theirs.parts):
            definition = self._definition(part.reference) if isinstance(part, Name) else None
            if isinstance(definition, Node) and definition.operation == ours.operation:
                self._take_apart(definition)
                build = total if ours.operation == "add" else product
                whole = build([*theirs.parts[:at], definition, *theirs.parts[at + 1 :]])
                if isinstance(whole, Node) and len(theirs.parts) < len(whole.parts) <= len(ours.parts):
                    yield from self._regrouped(ours, whole)

    def _take_apart(self, definition: Tree) -> None:
        """Count what it costs to put a definition's parts in the place of its name."""
        if isinstance(definition, Node):
            self.effort.spend(len(definition.parts))

    def _any_order(
        self, ours: tuple[Tree, ...], theirs: tuple[Tree, ...], renaming: Renaming
    ) -> Iterator[Renaming]:
        if not ours:
            yield renaming
            return
        # Numbers first: they fit one place or none.
        first = min(range(len(ours)), key=lambda at: not isinstance(ours[at], Number))
        rest = ours[:first] + ours[first + 1 :]
        for at, candidate in enumerate(theirs[:PARTS_LIMIT]):
            for renamed in self._same(ours[first], candidate, renaming):
                yield from self._any_order(rest, theirs[:at] + theirs[at + 1 :], renamed)

    def _in_place(
        self, ours: tuple[Tree, ...], theirs: tuple[Tree, ...], renaming: Renaming
    ) -> Iterator[Renaming]:
        if not ours:
            yield renaming
            return
        for renamed in self._same(ours[0], theirs[0], renaming):
            yield from self._in_place(ours[1:], theirs[1:], renamed)


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(key for key, _ in node.options)
