"""What a statement reads and writes, by name, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

VIEWS = {
    "view", "reshape", "squeeze", "unsqueeze", "detach", "contiguous", "expand", "expand_as", "view_as", "t",
    "transpose", "permute", "flatten", "unflatten", "float", "to", "diagonal", "select", "narrow",
    "requires_grad_", "retain_grad", "swapaxes", "ravel", "movedim",
}  # fmt: skip
"""Methods whose result may share its storage with the tensor they are called on."""

VIEW_ATTRIBUTES = {"T", "mT", "data", "H"}
FILLS = {"append", "extend", "insert", "update", "setdefault"}
"""Methods that fill a list or a dict."""

HARMLESS = {"requires_grad_", "retain_grad_", "manual_seed_", "share_memory_"}
GRAD = "grad"


@dataclass(frozen=True)
class Effects:
    """What one statement does.

    Args:
        reads: names whose earlier value it may need.
        binds: names it certainly gives a new value.
        may_bind: names it gives a new value only if a branch or a loop is run.
        mutates: names whose value it changes in place.
        reads_grad: whether it reads the ``.grad`` of something.
    """

    reads: frozenset[str]
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    reads_grad: bool = False

    @property
    def writes(self) -> frozenset[str]:
        """Every name it gives a value or changes."""
        return self.binds | self.may_bind | self.mutates


@dataclass(frozen=True)
class Mutator:
    """What calling a function of the student's changes in place: arguments by place, and outer names."""

    positions: tuple[int, ...]
    names: frozenset[str]


Mutators = Mapping[str, Mutator]


def effects(node: ast.stmt, mutators: Mutators | None = None) -> Effects:
    """The effects of one statement.

    Args:
        node: the statement.
        mutators: the student's own functions that change something in place.
    """
    flow = _Flow(mutators or {})
    flow.run([node])
    return flow.effects()


def mutator(function: ast.FunctionDef) -> Mutator | None:
    """What calling a function changes in place, None where nothing."""
    flow = _Flow({})
    flow.run(function.body)
    parameters = [argument.arg for argument in function.args.posonlyargs + function.args.args]
    positions = tuple(i for i, name in enumerate(parameters) if name in flow.mutated)
    outer = flow.mutated - flow.bound - set(parameters)
    declared = {n for s in ast.walk(function) if isinstance(s, (ast.Global, ast.Nonlocal)) for n in s.names}
    outer |= declared & (flow.bound | flow.mutated)
    return Mutator(positions, frozenset(outer)) if positions or outer else None


def storage_root(expression: ast.expr) -> str | None:
    """The name whose storage an expression's value shares: ``a`` for ``a``, ``a.view(-1)``, ``a[0:2]``."""
    match expression:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute) if attribute in VIEW_ATTRIBUTES:
            return storage_root(value)
        case ast.Subscript(value=value, slice=index) if _is_basic(index):
            return storage_root(value)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in VIEWS or _in_place(method):
            return storage_root(value)
    return None


def _is_basic(index: ast.expr) -> bool:
    """Whether an index takes a view (slices, None, numbers), not a copy."""
    if isinstance(index, ast.Tuple):
        return all(map(_is_basic, index.elts))
    number = index.operand if isinstance(index, ast.UnaryOp) else index
    return isinstance(index, ast.Slice) or isinstance(number, ast.Constant)


def _in_place(method: str) -> bool:
    return method in FILLS or (method.endswith("_") and not method.endswith("__") and method not in HARMLESS)


@dataclass
class _Flow:
    """Walks statements in the order in which they run."""

    mutators: Mutators
    reads: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    mutated: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    reads_grad: bool = False
    _latest: list[str] = field(default_factory=list)
    _passed: set[int] = field(default_factory=set)

    def effects(self) -> Effects:
        return Effects(
            frozenset(self.reads),
            frozenset(self.assigned),
            frozenset(self.bound - self.assigned),
            frozenset(self.mutated),
            self.reads_grad,
        )

    def run(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                self._read(value)
                for target in targets:
                    self._target(target)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self._read(value)
                    self._target(target)
            case ast.AugAssign(target=target, value=value):
                self._read(value)
                self._change(target)
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self._read(iterable)
                self._branches([[target, *body], [*orelse]], certain=False)
            case ast.While(test=test, body=body, orelse=orelse):
                self._read(test)
                self._branches([body, orelse], certain=False)
            case ast.If(test=test, body=body, orelse=orelse):
                self._read(test)
                self._branches([body, orelse], certain=True)
            case ast.With(items=items, body=body):
                for item in items:
                    self._read(item.context_expr)
                    if item.optional_vars is not None:
                        self._target(item.optional_vars)
                self.run(body)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                self._branches([body + orelse, *(handler.body for handler in handlers)], certain=False)
                self.run(finalbody)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                reads, declared = _free(node)
                self.reads |= reads - self.assigned
                self.declared |= declared
                self._bind(node.name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    self._bind(alias.asname or alias.name.partition(".")[0])
            case ast.Global(names=declared_here) | ast.Nonlocal(names=declared_here):
                self.declared.update(declared_here)
            case ast.Delete() | ast.Pass():
                pass
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._read(child)

    def _branches(self, bodies: Iterable[Iterable[ast.AST]], *, certain: bool) -> None:
        """Run alternatives side by side; what all assign is assigned, if one of them is certain to run."""
        ends = []
        for body in bodies:
            before = len(self._latest)
            for node in body:
                if isinstance(node, ast.expr):
                    self._target(node)
                elif isinstance(node, ast.stmt):
                    self._statement(node)
            ends.append(self._latest[before:])
            # Taken back one by one: a copy of all names for each branch would cost their square.
            self.assigned.difference_update(ends[-1])
            del self._latest[before:]
        for name in set.intersection(*map(set, ends)) if certain else ():
            self._assign(name)

    def _bind(self, name: str) -> None:
        self._assign(name)
        self.bound.add(name)

    def _assign(self, name: str) -> None:
        if name not in self.assigned:
            self.assigned.add(name)
            self._latest.append(name)

    def _target(self, target: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                self._bind(name)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self._target(element)
            case ast.Starred(value=value):
                self._target(value)
            case ast.Attribute(value=value, attr=attribute):
                self._read(value)
                if attribute not in (GRAD, "requires_grad"):
                    self._mutate(value)
            case _:
                self._change(target)

    def _change(self, target: ast.expr) -> None:
        """A target that is changed in place: ``a[i] = …``, ``a += …``."""
        match target:
            case ast.Name(id=name):
                self._use(name)
                if name not in self.assigned:
                    self.mutated.add(name)
            case ast.Subscript(value=value, slice=index):
                self._read(value)
                self._read(index)
                self._mutate(value)
            case ast.Attribute(value=value):
                self._read(value)
                self._mutate(value)

    def _mutate(self, value: ast.expr) -> None:
        for one in _down(value):
            if id(one) in self._passed:
                return  # a.zero_().add_(1): each call of a chain changes what the last one does
            self._passed.add(id(one))
            if isinstance(one, ast.Name) and one.id not in self.assigned:
                self.mutated.add(one.id)

    def _use(self, name: str) -> None:
        if name not in self.assigned:
            self.reads.add(name)

    def _read(self, expression: ast.AST) -> None:
        for name in _names(expression):
            self._use(name)
        for node in ast.walk(expression):
            if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
                self._bind(node.target.id)
            elif reads_grad(node):
                self.reads_grad = True
            elif isinstance(node, ast.Call):
                self._call(node)

    def _call(self, call: ast.Call) -> None:
        """The in-place methods, ``out=`` and the student's own functions that change their arguments."""
        match call.func:
            case ast.Attribute(value=value, attr=method) if _in_place(method):
                self._mutate(value)
                if _is_module(value) and call.args:  # torch.nn.init.zeros_(a)
                    self._mutate(call.args[0])
            case ast.Name(id=name) if name in self.mutators:
                known = self.mutators[name]
                for position, argument in enumerate(call.args):
                    if position in known.positions:
                        self._mutate(argument)
                self.mutated |= known.names
                self.reads |= known.names
        for keyword in call.keywords:
            if keyword.arg == "out":
                self._mutate(keyword.value)


def reads_grad(node: ast.AST) -> bool:
    """Whether a node reads the ``.grad`` of a tensor."""
    reads = isinstance(node, ast.Attribute) and node.attr == GRAD and isinstance(node.ctx, ast.Load)
    return reads and isinstance(node, ast.Attribute) and not _is_module(node.value)


def _is_module(value: ast.expr) -> bool:
    """Whether an expression is ``torch`` or something in it."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name) and value.id in ("torch", "nn", "F", "autograd")


def _down(value: ast.expr) -> Iterator[ast.expr]:
    """From ``a[i][j].data`` down to the name at its bottom: the tensor a change through it reaches."""
    while True:
        yield value
        match value:
            case ast.Subscript(value=inner) | ast.Attribute(value=inner):
                value = inner
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in VIEWS or _in_place(
                method
            ):
                value = inner
            case _:
                return


def _names(node: ast.AST) -> set[str]:
    """The names an expression reads; those of its comprehensions and lambdas are their own."""
    found: set[str] = set()
    _add_names(node, frozenset(), found)
    return found


def _add_names(node: ast.AST, local: frozenset[str], found: set[str]) -> None:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            if name not in local:
                found.add(name)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            inner = local | {
                n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)
            }
            _add_names(node.generators[0].iter, local, found)
            for child in ast.iter_child_nodes(node):
                if child is not node.generators[0]:
                    _add_names(child, inner, found)
            for condition in node.generators[0].ifs:
                _add_names(condition, inner, found)
        case ast.Lambda():
            for default in _defaults(node.args):
                _add_names(default, local, found)
            _add_names(node.body, local | _parameters(node.args), found)
        case _:
            for child in ast.iter_child_nodes(node):
                _add_names(child, local, found)


def _parameters(arguments: ast.arguments) -> set[str]:
    return {child.arg for child in ast.iter_child_nodes(arguments) if isinstance(child, ast.arg)}


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def _free(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> tuple[set[str], set[str]]:
    """The outer names that a definition may read, when it is made or later, and those it declares outer."""
    if isinstance(node, ast.ClassDef):
        parts: list[ast.AST] = [p for p in ast.iter_child_nodes(node) if not isinstance(p, ast.stmt)]
        own = set()
    else:
        parts = [*_defaults(node.args), *node.decorator_list]
        own = _parameters(node.args)
    reads, declared = _inner_reads(node.body, own)
    return reads.union(*map(_names, parts)), declared


def _inner_reads(body: list[ast.stmt], own: set[str]) -> tuple[set[str], set[str]]:
    flow = _Flow({}, assigned=set(own))
    flow.run(body)
    return flow.reads - own - (flow.bound - flow.declared), flow.declared
