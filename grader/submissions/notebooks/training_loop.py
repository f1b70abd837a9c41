"""A training loop read as the functions that an exercise asks for: its backward pass, and its steps.

The loop itself is not run, for it samples from data that is not here and goes on for hours. Its statements are:
those that make the loss and the gradients become the function that returns them; those that change the
parameters by them become, with these, the steps of the function that trains. Parameters, batches and learning
rates are handed in by the judge, and the statements that make them are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from grader.course.exercise import (
    DESCENT_ARGUMENTS,
    Exercise,
    Function,
    GradientsFunction,
    TrainingFunction,
    tensor_of,
)
from grader.course.forward import LOSS
from grader.submissions.notebooks.matching import Effort, match
from grader.submissions.notebooks.naming import Naming, made_sizes
from grader.submissions.notebooks.program import Program, Statement
from grader.submissions.notebooks.writer import Line, indented, statement_lines

LOOPS_LIMIT = 8
"""Loops that are looked at, the last ones; the completed lecture has one."""

IN_PLACE = (ast.AugAssign, ast.Assign)


def training_of(
    program: Program, namings: Sequence[Naming], exercise: Exercise, effort: Effort
) -> Training | None:
    """The last loop of a script that trains with most of the gradients an exercise asks for, None where none does.

    Args:
        program: the script.
        namings: what its names mean by the forward passes of the other exercises.
        exercise: the exercise.
        effort: what it has cost to match the script so far.
    """
    wanted = {tensor_of(ask) for ask in exercise.gradients}
    loops = [s.index for s in program.statements if s.training and s.body]
    for place in reversed(loops[-LOOPS_LIMIT:]):
        loop = _innermost(program[place])
        if loop is not None:
            before = [one for one in program.statements[:place] if not one.training]
            joined = Program.of([*before, *loop.body], program.asks)
            found = Training(exercise, loop, joined, len(before), tuple(namings), effort)
            if 2 * len(wanted & set(found.gradients)) >= len(wanted):
                return found
    return None


def _innermost(statement: Statement) -> Statement | None:
    """The loop over batches in a loop over epochs, or the loop itself; None where it is not one that trains."""
    if not statement.training:
        return None
    inner = [found for one in statement.body if (found := _innermost(one)) is not None]
    return inner[-1] if inner else statement


@dataclass(frozen=True)
class Training:
    """One training loop.

    Args:
        exercise: what it is read for.
        loop: the loop.
        program: the statements before it, and then those in it.
        start: where those in it begin.
        namings: what the names before it mean.
        effort: what it has cost to match the script so far.
    """

    exercise: Exercise
    loop: Statement
    program: Program
    start: int
    namings: tuple[Naming, ...]
    effort: Effort

    @cached_property
    def naming(self) -> Naming:
        """What the names inside the loop mean, by the exercise's forward pass."""
        body = Program.of(self.loop.body, self.program.asks)
        return Naming(body, self.exercise.forward, match(body, self.exercise.forward, self.effort))

    @cached_property
    def gradients(self) -> Mapping[str, str]:
        """The tensors whose gradients are made in the loop, with the author's names of these."""
        named = self.naming.gradients.items()
        return {tensor: name for name, tensor in named if self.naming.program.defined(name)}

    def name(self, ours: str) -> str:
        """The author's name for an input of the forward pass, or for the loss."""
        theirs = self.naming.match.renaming.theirs.get(ours)
        if theirs is not None:
            return theirs[0]
        return next((n.own[ours] for n in self.namings if n.own.get(ours, ours) != ours), ours)

    def stub(self, function: Function) -> Iterator[Line]:
        """A function that the exercise asks for, made of the loop's statements."""
        match function:
            case TrainingFunction():
                parameters, body = DESCENT_ARGUMENTS, self._trains(function)
            case GradientsFunction(parameters=parameters):
                body = self._goes_back(function)
            case _:
                return  # a stub of one gradient is made of the derivation itself, not of the loop
        yield Line(f"def {function.name}({', '.join(parameters)}):", self.loop.origin)
        yield from indented(body)

    def _goes_back(self, function: GradientsFunction) -> Iterator[Line]:
        returned = ast.parse(function.returns, mode="eval").body
        names = {
            node.id: self._returned(node.id) for node in ast.walk(returned) if isinstance(node, ast.Name)
        }
        cut = self._cut(function.parameters)
        cut.need([name for name in names.values() if name is not None], len(self.program.statements))
        yield from cut.bindings()
        yield from cut.lines(cut.taken)
        for node in ast.walk(returned):
            if isinstance(node, ast.Name):
                node.id = names[node.id] or "None"
        yield Line(f"return {ast.unparse(returned)}", self.loop.origin)

    def _returned(self, ours: str) -> str | None:
        """The author's name for what a function returns, None where the loop does not make it."""
        if ours == LOSS:
            name = self.name(LOSS)
            return name if self.naming.program.defined(name) else None
        return self.gradients.get(tensor_of(ours))

    def _trains(self, function: TrainingFunction) -> Iterator[Line]:
        trained, batch = function.descent.trains, function.descent.batch
        cut = self._cut((*trained, *batch))
        updates = sorted(self._updates())
        loss = self._returned(LOSS)
        rates = self._rates(updates)
        cut.given.update(dict.fromkeys(rates, rates[0] if rates else ""))
        for index in updates:
            cut.take(index)
        cut.need([loss] if loss is not None else [], len(self.program.statements))
        names = [self.name(ours) for ours in trained]
        yield Line(f"{', '.join(names)}, = handed_ = parameters")
        yield from cut.lines(index for index in cut.taken if index < self.start)
        yield Line("noted_ = []")
        targets = ", ".join(self.name(ours) for ours in batch)
        yield Line(f"for ({targets}), {rates[0] if rates else 'rate_'} in zip(batches, learning_rates):")
        yield from indented(cut.sizes_lines())
        yield from indented(cut.lines(index for index in cut.taken if index >= self.start))
        if any(set(names) & self.program[index].effects.binds for index in updates):
            # Whoever keeps a parameter by another tensor trains as well, at home.
            yield Line(f"    for kept_, now_ in zip(handed_, [{', '.join(names)}]):")
            yield Line("        kept_.data.copy_(now_)")
        yield Line(f"    noted_.append(float({loss}))", self.loop.origin)
        yield Line("return noted_", self.loop.origin)

    def _updates(self) -> set[int]:
        """The statements of the loop that change something by a gradient, and by what is made of gradients."""
        derived = set(self.gradients.values())
        made = {i for name in derived for i in self.program.defined(name)}
        found = set()
        parameters = {self.name(ours) for ours in self.exercise.forward.inputs}
        for statement in self.program.statements[self.start :]:
            done = statement.effects
            if statement.index in made or not done.reads & derived:
                continue
            if _changes(statement.node) and (isinstance(statement.node, ast.For) or done.writes & parameters):
                found.add(statement.index)
            elif statement.target and statement.target not in parameters:
                derived.add(statement.target)  # such as a list of them
        return found

    def _rates(self, updates: Sequence[int]) -> list[str]:
        """The names by which the updates know the learning rate: what else they read that is a number."""
        known = {*self.gradients.values(), *(self.name(ours) for ours in self.exercise.forward.inputs)}
        found = []
        for index in updates:
            for name in sorted(self.program[index].effects.reads - known):
                makers = self.program.reaching(name, index)
                if makers and all(i in self._rate_makers for i in makers):
                    found.append(name)
        return list(dict.fromkeys(found))

    @cached_property
    def _rate_makers(self) -> frozenset[int]:
        """The statements that may give a name the value of a learning rate."""
        return frozenset(
            s.index for s in self.program.statements if s.value is not None and _is_rate(s.value)
        )

    def _cut(self, inputs: Sequence[str]) -> _Cut:
        given = {self.name(ours): ours for ours in inputs}
        return _Cut(self.program, given, dict(self._sizes(inputs)))

    def _sizes(self, inputs: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The author's names for sizes, with where the judge's own are found."""
        for naming in self.namings:
            for (name, _), given in naming.sizes.items():
                if given.parameters <= set(inputs):
                    yield name, _renamed(given.expression, self.name)
        for ours in inputs:
            for name in self._rows(self.name(ours)):
                yield name, f"{self.name(ours)}.shape[0]"
                for other in self._others.get(name, ()):
                    yield other, f"{self.name(ours)}.shape[0]"

    @cached_property
    def _others(self) -> Mapping[str, Sequence[str]]:
        """Names, with those that stand for the same before the loop: ``n`` for ``n = batch_size``."""
        found: dict[str, list[str]] = {}
        for other in self.program.names:
            for index in self.program.reaching(other, self.start):
                value = self.program[index].value
                if isinstance(value, ast.Name):
                    found.setdefault(value.id, []).append(other)
        return found

    def _rows(self, batch: str) -> Iterator[str]:
        """The names for how many rows of the data the loop samples into a batch."""
        pending, seen = [batch], set()
        while pending:
            name = pending.pop()
            for index in self.program.defined(name):
                if index < self.start or index in seen:
                    continue
                seen.add(index)
                node = self.program[index].node
                pending += self.program[index].effects.reads
                if isinstance(node, ast.Assign):
                    yield from (size.id for size in made_sizes(node.value) if isinstance(size, ast.Name))


def _renamed(expression: str, name: Callable[[str], str]) -> str:
    tree = ast.parse(expression, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = name(node.id)
    return ast.unparse(tree)


def _changes(node: ast.stmt) -> bool:
    """Whether a statement changes something in place or gives a name another value, here or in a loop in it."""
    for inner in ast.walk(node):
        if isinstance(inner, IN_PLACE):
            return True
        if (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and inner.func.attr.endswith("_")
        ):
            return True
    return False


def _is_rate(value: ast.expr) -> bool:
    """Whether an expression is a number with a fraction, or one of several by the step."""
    match value:
        case ast.IfExp(body=body, orelse=orelse):
            return _is_rate(body) and _is_rate(orelse)
        case ast.Constant(value=float()):
            return True
        case ast.BinOp():
            names = (
                ast.BinOp,
                ast.UnaryOp,
                ast.Constant,
                ast.Name,
                ast.operator,
                ast.unaryop,
                ast.expr_context,
            )
            return all(isinstance(n, names) for n in ast.walk(value)) and any(
                isinstance(operand, ast.Constant) and isinstance(operand.value, float)
                for operand in _operands(value)
            )
    return False


def _operands(value: ast.expr) -> Iterator[ast.expr]:
    """What the operators of an expression are between."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, ast.BinOp):
            pending += (one.left, one.right)
        else:
            yield one


@dataclass
class _Cut:
    """Statements that make some values, cut out of a loop and what stands before it.

    Args:
        program: the statements.
        given: the author's names of what is handed in, with the exercise's.
        sizes: the author's names of sizes, with expressions.
    """

    program: Program
    given: dict[str, str]
    sizes: dict[str, str]
    taken: set[int] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    _pending: list[tuple[str, int]] = field(default_factory=list)
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def need(self, names: Sequence[str], at: int) -> None:
        """Take in all that makes some names' values before statement ``at``."""
        self._pending += [(name, at) for name in names]
        while self._pending:
            pair = self._pending.pop()
            if pair not in self._seen:
                self._seen.add(pair)
                self._make(*pair)

    def take(self, index: int) -> None:
        """Take in a statement, and what it reads."""
        if index in self.taken:
            return
        self.taken.add(index)
        statement = self.program[index]
        is_definition = isinstance(statement.node, (ast.FunctionDef, ast.ClassDef))
        self.need(sorted(statement.effects.reads), len(self.program.statements) if is_definition else index)

    def _make(self, name: str, at: int) -> None:
        if name in self.given or name in self.sizes:
            self.used.add(name)
            return
        for definition in self.program.reaching(name, at):
            self.take(definition)
            for change in self.program.changes(name, definition, at):
                if change.name not in self.given:
                    self.take(change.index)

    def bindings(self) -> Iterator[Line]:
        """The author's names for what is handed in, and the sizes."""
        own = {theirs: ours for theirs, ours in self.given.items() if theirs != ours}
        if own:
            yield Line(f"{', '.join(own)}, = {', '.join(own.values())},")
        yield from self.sizes_lines()

    def sizes_lines(self) -> Iterator[Line]:
        """The sizes that are read."""
        for name in sorted(self.used & set(self.sizes)):
            yield Line(f"{name} = {self.sizes[name]}")

    def lines(self, indices: Iterable[int]) -> Iterator[Line]:
        """Some of the statements, in order, imports first."""
        imports = (ast.Import, ast.ImportFrom)
        order = sorted(indices, key=lambda i: (not isinstance(self.program[i].node, imports), i))
        written = {name for i in self.taken for name in self.program[i].effects.binds}
        needed = {name for i in self.taken for name in self.program[i].effects.reads}
        for index in order:
            yield from statement_lines(self.program[index], written, needed)
