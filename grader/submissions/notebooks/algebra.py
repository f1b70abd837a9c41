"""Expressions in a normal form, in which two ways to write the same tensor line are the same tree.

Only rewritings that hold for all values are made: ``a - b`` is ``a + -1 * b``, ``a / b`` is ``a * b**-1``,
``torch.tanh(a)`` is ``a.tanh()``, ``keepdims`` is ``keepdim``.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Reference = tuple[str, int]
"""A value: its name and the statement that gave it to it, -1 where none did."""

Resolve = Callable[[str], Reference]


@dataclass(frozen=True)
class Name:
    """A value by reference."""

    reference: Reference


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Rows:
    """The number of rows that a mean was taken over."""


@dataclass(frozen=True)
class Node:
    """An operation: ``add`` and ``mul`` of parts in any order, or one whose parts have their places."""

    operation: str
    parts: tuple[Tree, ...]
    options: tuple[tuple[str, Tree], ...] = ()

    @property
    def commutes(self) -> bool:
        """Whether the order of its parts does not matter."""
        return self.operation in ("add", "mul")


Tree = Name | Number | Rows | Node

MODULES = {"torch", "F", "np", "numpy", "math", "nn", "functional"}
REDUCTIONS = {"sum", "mean", "max", "amax", "var", "std", "softmax", "log_softmax", "argmax", "prod"}
KEYWORDS = {"keepdims": "keepdim", "axis": "dim"}
IDENTITIES = {"clone", "contiguous", "detach", "float"}
LARGEST = 1e300
"""Numbers beyond are left alone; an integer may be too large for a float."""

TEXT_LIMIT = 200
"""Letters of an expression that has no normal form."""

SAME = {
    "mm": "matmul",
    "multiply": "mul",
    "subtract": "sub",
    "divide": "div",
    "pow": "pow",
    "negative": "neg",
}


def tree(expression: ast.expr, resolve: Resolve) -> Tree:
    """The normal form of an expression.

    Args:
        expression: what to read.
        resolve: the value that a name stands for in it.
    """
    return _Reader(resolve).read(expression)


def _text(expression: ast.expr) -> str:
    """An expression in letters, as far as it takes to tell most from each other."""
    try:
        return ast.dump(expression)[:TEXT_LIMIT]
    except ValueError:  # Python writes no integer of more than some thousand digits in decimal
        words = " ".join(word for node in ast.walk(expression) for word in _words(node))
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def _words(node: ast.AST) -> Iterator[str]:
    """A node without those in it, its integers in a base that every one can be written in."""
    yield type(node).__name__
    for _, value in ast.iter_fields(node):
        if isinstance(value, (int, str)):
            yield hex(value) if isinstance(value, int) else value


def size(expression: ast.expr, limit: int) -> int:
    """How many nodes of syntax an expression has, counted no further than to a limit."""
    return sum(1 for _ in itertools.islice(ast.walk(expression), limit))


@dataclass(frozen=True)
class _Reader:
    resolve: Resolve

    def read(self, node: ast.expr) -> Tree:
        match node:
            case ast.Name(id=name):
                return Name(self.resolve(name))
            case ast.Constant(value=bool() | int() | float() as value) if abs(value) < LARGEST:
                return Number(float(value))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negative(self.read(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                return operation(type(operator).__name__.lower(), self.read(left), self.read(right))
            case ast.Subscript(value=value, slice=index):
                return self._index(value, index)
            case ast.Attribute(value=value, attr=attribute):
                return self._attribute(value, attribute)
            case ast.Call():
                return self._call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return Node("tuple", tuple(map(self.read, elements)))
        return Node(f"other {_text(node)}", ())

    def _index(self, value: ast.expr, index: ast.expr) -> Tree:
        inner = self.read(value)
        if isinstance(inner, Node) and inner.operation == "max" and _is_number(index, 0):
            return Node("amax", inner.parts, inner.options)
        indices = index.elts if isinstance(index, ast.Tuple) else [index]
        return Node("index", (inner, *map(self.read, indices)))

    def _attribute(self, value: ast.expr, attribute: str) -> Tree:
        inner = self.read(value)
        if attribute == "values" and isinstance(inner, Node) and inner.operation == "max":
            return Node("amax", inner.parts, inner.options)
        if attribute == "data":
            return inner
        return Node(attribute, (inner,))

    def _call(self, call: ast.Call) -> Tree:
        function, arguments = _function(call)
        options = {KEYWORDS.get(k.arg, k.arg): self.read(k.value) for k in call.keywords if k.arg is not None}
        parts = [self.read(argument) for argument in arguments]
        if function in REDUCTIONS:
            for key in ("dim", "keepdim"):
                if len(parts) > 1 and key not in options:
                    options[key] = parts.pop(1)
            if options.get("keepdim") == Number(0.0):
                del options["keepdim"]
        return called(function, tuple(parts), tuple(sorted(options.items())), arguments)


def _function(call: ast.Call) -> tuple[str, list[ast.expr]]:
    """The function's name and its arguments, the tensor a method is called on as the first."""
    match call.func:
        case ast.Attribute(value=value, attr=name):
            root = value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in MODULES:
                return SAME.get(name, name), list(call.args)
            return SAME.get(name, name), [value, *call.args]
        case ast.Name(id=name):
            return name, list(call.args)
    return "call", [call.func, *call.args]


def called(
    function: str, parts: tuple[Tree, ...], options: tuple[tuple[str, Tree], ...], arguments: list[ast.expr]
) -> Tree:
    """The normal form of a call: operators by name become operators, the ways to flatten become one."""
    match function, parts:
        case (("add" | "sub" | "mul" | "div" | "pow" | "matmul"), (left, right)):
            return operation({"mul": "mult", "matmul": "matmult"}.get(function, function), left, right)
        case (("addmm" | "baddbmm"), (one, left, right)) if not options:
            return total([one, operation("matmult", left, right)])
        case "neg", (one,):
            return negative(one)
        case "square", (one,):
            return power(one, 2.0)
        case "sqrt", (one,):
            return power(one, 0.5)
        case "rsqrt", (one,):
            return power(one, -0.5)
        case "reciprocal", (one,):
            return power(one, -1.0)
        case "list", (Node(operation="arange") as inner,):
            return inner
        case (("range" | "arange"), (count,)):
            return Node("arange", (count,))
        case "embedding", (index, table):
            return Node("index", (table, index))
        case "mean", (one,):
            return _mean(one, options)
        case (("flatten" | "view" | "reshape"), _) if _flattens(function, parts, options, arguments):
            return Node("flat", parts[:1])
        case "cat" | "concat", (Node(operation="unbind", parts=(one, Number(1.0))), Number(1.0)):
            return Node("flat", (one,))
    if function in IDENTITIES and len(parts) == 1:
        return parts[0]
    return Node(function, parts, options)


def _mean(one: Tree, options: tuple[tuple[str, Tree], ...]) -> Tree:
    given = dict(options)
    if given.get("dim") == Number(0.0):
        return product([power(Rows(), -1.0), Node("sum", (one,), options)])
    if not given and isinstance(one, Node) and one.operation == "index":
        for index in one.parts[1:]:
            if isinstance(index, Node) and index.operation == "arange":  # it picks one entry for each number
                return product([power(index.parts[0], -1.0), Node("sum", (one,))])
    return Node("mean", (one,), options)


def _flattens(
    function: str, parts: tuple[Tree, ...], options: tuple[tuple[str, Tree], ...], arguments: list[ast.expr]
) -> bool:
    """Whether a call keeps the rows and flattens the rest: ``a.view(rows, -1)``, ``a.view(-1, 3 * 10)``."""
    if function == "flatten":
        return parts[1:] == (Number(1.0),) or dict(options) == {"start_dim": Number(1.0)}
    sizes = arguments[1:]
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple):
        sizes = sizes[0].elts
    if len(sizes) != 2:
        return False
    # A bare name could be the size of one embedding, which makes a row of each character.
    return _is_number(sizes[1], -1) or not isinstance(sizes[1], ast.Name)


def operation(name: str, left: Tree, right: Tree) -> Tree:
    """The normal form of a binary operation, by the name of its operator."""
    match name:
        case "add":
            return total([left, right])
        case "sub":
            return total([left, negative(right)])
        case "mult":
            return product([left, right])
        case "div":
            return product([left, power(right, -1.0)])
        case "pow" if isinstance(right, Number):
            return power(left, right.value)
    return Node(name, (left, right))


def negative(one: Tree) -> Tree:
    """``-a``, as ``-1 * a``."""
    return product([Number(-1.0), one])


def total(terms: list[Tree]) -> Tree:
    """A sum of terms, sums within it taken apart, its numbers added up."""
    flat = [inner for term in terms for inner in _parts(term, "add")]
    number = sum(term.value for term in flat if isinstance(term, Number))
    rest: list[Tree] = [term for term in flat if not isinstance(term, Number)]
    if number:
        rest.append(Number(number))
    return rest[0] if len(rest) == 1 else Node("add", tuple(rest)) if rest else Number(0.0)


def product(factors: list[Tree]) -> Tree:
    """A product of factors, products within it taken apart, its numbers and powers of one base gathered."""
    flat = [inner for factor in factors for inner in _parts(factor, "mul")]
    number = 1.0
    powers: dict[Tree, float] = {}
    for factor in flat:
        if isinstance(factor, Number):
            number *= factor.value
        else:
            base, exponent = _base(factor)
            powers[base] = powers.get(base, 0.0) + exponent
    rest: list[Tree] = [power(base, exponent) for base, exponent in powers.items() if exponent]
    if number != 1.0 or not rest:
        rest.insert(0, Number(number))
    return rest[0] if len(rest) == 1 else Node("mul", tuple(rest))


def power(base: Tree, exponent: float) -> Tree:
    """A power with a number for exponent; powers of powers and reciprocals of products are taken apart."""
    if exponent == 1.0:
        return base
    if isinstance(base, Number) and (base.value > 0 or (base.value and exponent == -1.0)):
        return Number(_bounded(base.value, exponent))
    inner, first = _base(base)
    if inner is not base and (exponent.is_integer() or first % 2):  # (a**2)**0.5 is not a
        return power(inner, first * exponent)
    if _is(base, "mul") and exponent == -1.0 and isinstance(base, Node):
        return product([power(part, -1.0) for part in base.parts])
    return Node("pow", (base, Number(exponent)))


def _bounded(base: float, exponent: float) -> float:
    try:
        return float(base**exponent)
    except OverflowError:
        return float("inf")


def _base(factor: Tree) -> tuple[Tree, float]:
    match factor:
        case Node(operation="pow", parts=(base, Number(value=exponent))):
            return base, exponent
    return factor, 1.0


def _parts(one: Tree, operation: str) -> tuple[Tree, ...]:
    """The parts of an operation, or all of a tree that is another."""
    return one.parts if isinstance(one, Node) and one.operation == operation else (one,)


def _is(one: Tree, name: str) -> bool:
    return isinstance(one, Node) and one.operation == name


def _is_number(node: ast.expr, value: int) -> bool:
    try:
        return bool(ast.literal_eval(node) == value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
