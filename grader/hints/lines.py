"""One forward line taken apart: where it uses a tensor, what it reads by index, which constants it holds.

Everything here comes from the line's syntax tree, so it holds for lines nobody has seen before.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import CodeType

import torch
from torch import Tensor

from grader.course.forward import Forward, Step, Values

PART = "_part"
"""The name that stands for a replaced part of a line."""

SMALL = 1e-2
"""A constant that is added and no larger than this guards against zero, like the eps of a variance."""

Rewrite = Callable[[ast.AST], ast.AST | None]


@dataclass(frozen=True)
class OtherDim:
    """A line with a dimension exchanged: the one that is written, the one in its place, and the code for that."""

    written: int
    other: int
    code: CodeType


@dataclass(frozen=True)
class Line:
    """One step of a forward pass, ready to go back through, as it is or altered.

    Args:
        forward: the forward pass.
        step: the step.
        expression: its right-hand side.
    """

    forward: Forward
    step: Step
    expression: ast.expr = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The tensor this line assigns."""
        return self.step.name

    def uses(self, tensor: str) -> int:
        """How many times the line names a tensor, not counting places that only ask for its shape."""
        return len(self._places(tensor))

    def _places(self, tensor: str) -> list[ast.Name]:
        asked = {
            id(node.value)
            for node in ast.walk(self.expression)
            if isinstance(node, ast.Attribute) and node.attr == "shape"
        }
        names = (
            node for node in ast.walk(self.expression) if isinstance(node, ast.Name) and node.id == tensor
        )
        return sorted((n for n in names if id(n) not in asked), key=lambda n: (n.lineno, n.col_offset))

    def use(self, tensor: str, index: int) -> CodeType:
        """The line with one use of a tensor, the ``index``-th, named :data:`PART`."""
        place = self._places(tensor)[index]
        at = (place.lineno, place.col_offset)
        return self._rewritten(
            lambda node: (
                ast.Name(PART, ast.Load())
                if isinstance(node, ast.Name) and node.id == tensor and (node.lineno, node.col_offset) == at
                else None
            )
        )

    def readings(self, tensor: str) -> Iterator[tuple[CodeType, CodeType]]:
        """Each ``tensor[...]`` in the line: its code, and that of the line with :data:`PART` in its place."""
        for node in ast.walk(self.expression):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id == tensor
            ):
                yield _compiled(node), self._rewritten(partial(_stand_in, node))

    @cached_property
    def constants(self) -> tuple[float, ...]:
        """The numbers written in the line, signs included."""
        return tuple(dict.fromkeys(_constants(self.expression)))

    @cached_property
    def guards(self) -> tuple[tuple[float, CodeType], ...]:
        """Each small constant that the line adds, and the line without it."""
        found = []
        for node in ast.walk(self.expression):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                for guard, rest in ((node.right, node.left), (node.left, node.right)):
                    if (
                        isinstance(guard, ast.Constant)
                        and isinstance(guard.value, float)
                        and 0 < guard.value <= SMALL
                    ):
                        found.append((guard.value, self._without(node, rest)))
        return tuple(found)

    def _without(self, node: ast.BinOp, rest: ast.expr) -> CodeType:
        text = ast.dump(node, include_attributes=True)
        return self._rewritten(
            lambda other: (
                rest
                if isinstance(other, ast.BinOp) and ast.dump(other, include_attributes=True) == text
                else None
            )
        )

    @cached_property
    def other_dims(self) -> tuple[OtherDim, ...]:
        """The line with the dimension of a call such as ``softmax(x, 1)`` or ``x.sum(1)`` exchanged."""
        return tuple(
            OtherDim(place.value, dim, self._with_constant(place, dim))
            for node in ast.walk(self.expression)
            for place in _dims(node)
            for dim in (0, 1, 2, -1)
            if isinstance(place.value, int) and place.value != dim
        )

    def _with_constant(self, place: ast.Constant, value: int) -> CodeType:
        at = (place.lineno, place.col_offset)
        return self._rewritten(
            lambda other: (
                ast.Constant(value)
                if isinstance(other, ast.Constant) and (other.lineno, other.col_offset) == at
                else None
            )
        )

    def _rewritten(self, rewrite: Rewrite) -> CodeType:
        return _compiled(_Rewriter(rewrite).visit(copy.deepcopy(self.expression)))

    def value(self, values: Mapping[str, object], code: CodeType | None = None) -> Tensor:
        """The line's value, or that of other code in its place."""
        result = eval(code or self.step.code, {**self.forward.module, **values})
        assert isinstance(result, Tensor)
        return result

    def back(
        self, values: Values, tensor: str, upstream: Tensor | None, code: CodeType | None = None
    ) -> Tensor | None:
        """What flows back through the line into one tensor.

        Args:
            values: forward values, in float64.
            tensor: the name with respect to which to go back, perhaps :data:`PART`.
            upstream: the gradient that arrives at the line, None for ones.
            code: the line altered, None for the line as it is.

        Returns:
            The vector-Jacobian product, or None where the altered line does not run or does not fit.
        """
        leaf = values[tensor].detach().requires_grad_()
        try:
            result = self.value({**values, tensor: leaf}, code)
            if upstream is not None and upstream.shape != result.shape:
                return None
            total = (result if upstream is None else result * upstream).sum()
            if not total.requires_grad:
                return None
            share: Tensor = torch.autograd.grad(total, leaf)[0]
        except (RuntimeError, IndexError, TypeError, ValueError, AssertionError):
            return None
        return share


def read(forward: Forward) -> Mapping[str, Line]:
    """The lines of a forward pass, by the tensor each assigns."""
    tree = ast.parse(forward.path.read_text("utf-8"))
    assigned = {
        (node.lineno, node.targets[0].id): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return {step.name: Line(forward, step, assigned[step.line, step.name]) for step in forward.steps}


def _stand_in(place: ast.Subscript, node: ast.AST) -> ast.AST | None:
    """:data:`PART` for the subscript that stands at one place, nothing for all other nodes."""
    # `C[i][j]` starts where `C[i]` does: only their ends tell them apart.
    same = isinstance(node, ast.Subscript) and _span(node) == _span(place)
    return ast.Name(PART, ast.Load()) if same else None


def _span(node: ast.expr) -> tuple[int, int, int | None, int | None]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


class _Rewriter(ast.NodeTransformer):
    """Replaces every node for which ``rewrite`` gives another."""

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewrite = rewrite

    def visit(self, node: ast.AST) -> ast.AST:
        changed = self._rewrite(node)
        return copy.deepcopy(changed) if changed is not None else self.generic_visit(node)


def _compiled(expression: ast.AST) -> CodeType:
    assert isinstance(expression, ast.expr)
    return compile(ast.fix_missing_locations(ast.Expression(expression)), "<altered line>", "eval")


def _constants(node: ast.AST) -> Iterator[float]:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        if isinstance(node.operand.value, (int, float)):
            yield -float(node.operand.value)
        return
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, (int, float))
        and not isinstance(node.value, bool)
    ):
        yield float(node.value)
    for child in ast.iter_child_nodes(node):
        yield from _constants(child)


def _dims(node: ast.AST) -> Iterator[ast.Constant]:
    """The constants that may be a dimension: an integer argument of a call, by position or as ``dim=``."""
    if isinstance(node, ast.Call):
        for value in [*node.args, *(k.value for k in node.keywords if k.arg in ("dim", "axis"))]:
            if isinstance(value, ast.Constant) and type(value.value) is int:
                yield value
