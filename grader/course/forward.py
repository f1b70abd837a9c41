"""A forward pass read as a specification.

A forward pass is a function named ``forward`` whose body is a straight line of single-name assignments that
ends in ``loss = ...``. Parsed once, it yields the named tensors, their order and who uses whom; run, it yields
their values. Everything an exercise needs follows from it.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

from grader.errors import CourseError

LOSS = "loss"


Values = dict[str, Any]
"""Forward values by name: tensors, and plain numbers such as the batch size ``n``."""

Transform = Callable[["Step", Any], Any]
"""What to make of a step's value before the next step sees it."""


@dataclass(frozen=True)
class Step:
    """One line of a forward pass.

    Args:
        name: the tensor this line assigns.
        source: the line as it is written, such as ``counts_sum = counts.sum(1, keepdim=True)``.
        uses: the earlier names on its right-hand side, in order of appearance.
        line: its line number in the forward pass's file.
        code: its right-hand side, compiled.
    """

    name: str
    source: str
    uses: tuple[str, ...]
    line: int
    code: CodeType = field(repr=False, compare=False)


@dataclass(frozen=True)
class Forward:
    """A forward pass as a specification: its inputs and its steps, top to bottom.

    Args:
        path: its file.
        inputs: the names of its arguments.
        steps: its lines.
        text: all that stands in the file; two forward passes with the same text are the same.
        module: what the file defines, by name.
    """

    path: Path
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    text: str = field(repr=False)
    module: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def load(cls, path: Path) -> Forward:
        """Read the forward pass in a file.

        Args:
            path: a Python file with a function ``forward`` in the form this module describes.

        Raises:
            CourseError: the file cannot be read or run, or breaks the form; the message names file and line
                and says what to write instead.
        """
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise CourseError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CourseError(f"{path}: expected UTF-8: {error}") from error
        return _load(path, text)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every forward value: the inputs, then the steps in order."""
        return self.inputs + tuple(step.name for step in self.steps)

    @cached_property
    def _by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.steps}

    def step(self, name: str) -> Step:
        """The step that assigns ``name``."""
        return self._by_name[name]

    def users(self, name: str) -> tuple[Step, ...]:
        """The steps that use ``name``, top to bottom."""
        return tuple(step for step in self.steps if name in step.uses)

    def descendants(self, name: str) -> frozenset[str]:
        """Every step that depends on ``name``, directly or not."""
        found: set[str] = set()
        for step in self.steps:
            if name in step.uses or not found.isdisjoint(step.uses):
                found.add(step.name)
        return frozenset(found)

    def frontier(self, name: str, known: frozenset[str]) -> tuple[Step, ...]:
        """The lines one goes back through from the tensors whose gradient is known to ``name``.

        Args:
            name: the tensor whose gradient is wanted.
            known: the tensors whose gradients may be used; the walk stops at them.

        Returns:
            The steps between, top to bottom: just the users of ``name`` where all their gradients are known.
        """
        reached: set[str] = set()
        pending = [name]
        while pending:
            for step in self.users(pending.pop()):
                if step.name not in reached:
                    reached.add(step.name)
                    if step.name not in known:
                        pending.append(step.name)
        return tuple(step for step in self.steps if step.name in reached)

    def evaluate(self, step: Step, values: Mapping[str, Any]) -> Any:
        """The value of one step, given the values it uses."""
        # Values go in as globals: a comprehension inside the expression could not see locals.
        return eval(step.code, {**self.module, **values})

    def run(self, inputs: Mapping[str, Any], transform: Transform = lambda step, value: value) -> Values:
        """Run every step.

        Args:
            inputs: a value for each of :attr:`inputs`.
            transform: applied to each step's value before later steps see it, such as a rounding error.

        Returns:
            The inputs and every step's value, by name.
        """
        values = dict(inputs)
        for step in self.steps:
            values[step.name] = transform(step, self.evaluate(step, values))
        return values


def _load(path: Path, text: str) -> Forward:
    try:
        tree = ast.parse(text, str(path))
        module = runpy.run_path(str(path))
    except SyntaxError as error:
        raise CourseError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise CourseError(f"{path}: cannot be run: {type(error).__name__}: {error}") from error
    return _Reader(path, text, module).read(tree)


@dataclass
class _Reader:
    """Reads one file's syntax tree into a :class:`Forward`, or says which line breaks the form."""

    path: Path
    source: str
    module: Mapping[str, Any]

    def read(self, tree: ast.Module) -> Forward:
        function = self._function(tree)
        inputs = self._inputs(function)
        steps = tuple(self._steps(function, inputs))
        if not steps or steps[-1].name != LOSS:
            last = steps[-1].name if steps else "nothing"
            raise self._broken(function, f"the last assignment must be `{LOSS} = ...`, found {last}")
        return Forward(self.path, inputs, steps, self.source, self.module)

    def _function(self, tree: ast.Module) -> ast.FunctionDef:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "forward":
                return node
        raise CourseError(f"{self.path}: expected a function `def forward(...)`, found none")

    def _inputs(self, function: ast.FunctionDef) -> tuple[str, ...]:
        arguments = function.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
            raise self._broken(function, "forward takes plain parameters only: write each input's name")
        return tuple(argument.arg for argument in arguments.args)

    def _steps(self, function: ast.FunctionDef, inputs: tuple[str, ...]) -> Iterator[Step]:
        defined = list(inputs)
        for node in _without_frame(function.body):
            name = self._target(node)
            assert isinstance(node, ast.Assign)
            if name in defined:
                raise self._broken(node, f"`{name}` is assigned twice: give every line a name of its own")
            uses = tuple(self._uses(node.value, defined))
            code = compile(ast.Expression(node.value), str(self.path), "eval")
            yield Step(name, self._quote(node), uses, node.lineno, code)
            defined.append(name)

    def _target(self, node: ast.stmt) -> str:
        if not isinstance(node, ast.Assign):
            kind = type(node).__name__
            raise self._broken(node, f"expected `name = expression`, found a statement of kind {kind}")
        if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise self._broken(
                node, "assign to one name: write `name = expression`, one line for each tensor"
            )
        return node.targets[0].id

    def _uses(self, expression: ast.expr, defined: list[str]) -> Iterator[str]:
        seen: set[str] = set()
        bound = {
            n.id for n in ast.walk(expression) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        names = [n for n in ast.walk(expression) if isinstance(n, ast.Name) and n.id not in bound]
        for node in sorted(names, key=lambda n: (n.lineno, n.col_offset)):
            if node.id in defined and node.id not in seen:
                seen.add(node.id)
                yield node.id
            elif node.id not in defined and node.id not in self.module and not hasattr(builtins, node.id):
                raise self._broken(node, f"`{node.id}` is not defined above{did_you_mean(node.id, defined)}")

    def _quote(self, node: ast.stmt) -> str:
        lines = [line.encode() for line in self.source.splitlines()[node.lineno - 1 : node.end_lineno]]
        lines[-1] = lines[-1][: node.end_col_offset]
        return " ".join(line.decode().strip() for line in lines)

    def _broken(self, node: ast.AST, message: str) -> CourseError:
        return CourseError(f"{self.path}:{getattr(node, 'lineno', 0)}: {message}")


def _without_frame(body: list[ast.stmt]) -> list[ast.stmt]:
    """A function's body without its docstring and its closing ``return loss``."""
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if body and isinstance(body[-1], ast.Return):
        value = body[-1].value
        if isinstance(value, ast.Name) and value.id == LOSS:
            body = body[:-1]
    return body


def did_you_mean(name: str, known: list[str] | tuple[str, ...]) -> str:
    """``; did you mean ...?`` for a misspelt name, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
