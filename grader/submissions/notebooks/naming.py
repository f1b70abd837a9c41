"""What a student's names mean: values of the forward pass, sizes, gradients."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from grader.course.forward import Forward
from grader.submissions.notebooks.matching import Match
from grader.submissions.notebooks.program import Program, Statement, Storage
from grader.submissions.recognise import SPELLINGS

VARIANT = re.compile(
    r"_?(?:fast|closed|direct|new|short|simple|quick|analytic\w*|alt|ex\d|v?\d|manual|one\w*)_?|_+"
)
"""What people add to a gradient's name when they derive it a second way."""

NAME_LIMIT = 100
"""Characters of a gradient's name, at most, that is taken for a variant of another."""

MAKERS = {"randn", "rand", "zeros", "ones", "empty", "normal", "full", "randint"}
COMPARES = re.compile(r"cmp|comp|check|close|equal|verif", re.I)


@dataclass(frozen=True)
class Given:
    """A value that the judge hands in: an expression, and the parameters it needs."""

    expression: str
    parameters: frozenset[str]


@dataclass(frozen=True)
class Naming:
    """The meaning of the names of one script, by one exercise's forward pass."""

    program: Program
    forward: Forward
    match: Match
    _sizes: dict[tuple[str, int], Given] = field(default_factory=dict, repr=False)

    @cached_property
    def tensors(self) -> Mapping[str, str]:
        """Student's names of forward values, with the exercise's: those of matched lines, else the same."""
        matched: dict[str, set[str]] = {}
        for ours, (theirs, _) in self.match.renaming.theirs.items():
            matched.setdefault(theirs, set()).add(ours)
        found = {theirs: next(iter(ours)) for theirs, ours in matched.items() if len(ours) == 1}
        for name in self.forward.names:
            if name not in self.match.renaming.theirs and name not in matched:
                found[name] = name
        return found

    @cached_property
    def own(self) -> Mapping[str, str]:
        """The exercise's names, with the student's own."""
        own = {name: name for name in self.forward.names}
        return own | {ours: theirs for ours, (theirs, _) in self.match.renaming.theirs.items()}

    def value(self, name: str, definition: int) -> str | None:
        """The forward value a name stands for after one of its definitions (-1 for none), or None."""
        reference = (name, definition)
        known = self.match.renaming.ours.get(reference) or self.match.again.get(reference)
        if known is not None or name not in self.tensors:
            return known
        if definition >= 0 and self._is_of_a_gradient(self.program[definition], name):
            return None
        return self.tensors[name]

    def overwrites(self, name: str, definition: int) -> bool:
        """Whether a definition gives a forward value's name to something plainly different."""
        reference = (name, definition)
        if reference in self.match.renaming.ours or reference in self.match.again or definition < 0:
            return False
        first = self.match.renaming.theirs.get(self.tensors.get(name, ""), (name, -1))[1]
        statement = self.program[definition]
        constant = isinstance(statement.value, ast.Constant)
        return name in self.tensors and 0 <= first < definition and (constant or statement.value is None)

    def _is_of_a_gradient(self, statement: Statement, name: str) -> bool:
        """Whether a statement makes something of gradients, so that it is no value of the forward pass."""
        return name in statement.effects.binds and any(
            read in self.gradients for read in statement.effects.reads
        )

    @cached_property
    def sizes(self) -> Mapping[tuple[str, int], Given]:
        """The names for sizes (``n_embd``, ``vocab_size``), read off the lines that make the parameters."""
        found: dict[tuple[str, int], Given] = {}
        for ours, (_, index) in self.match.renaming.theirs.items():
            value = self.program[index].value if index >= 0 else None
            if value is None or ours not in self.forward.inputs:
                continue
            if isinstance(value, ast.Name):  # n = batch_size
                found.setdefault(self._reference(value.id, index), Given(ours, frozenset({ours})))
            for place, size in enumerate(made_sizes(value)):
                self._size(found, size, f"{ours}.shape[{place}]", frozenset({ours}), index)
        return found

    def _size(
        self,
        found: dict[tuple[str, int], Given],
        size: ast.expr,
        expression: str,
        needs: frozenset[str],
        at: int,
    ) -> None:
        match size:
            case ast.Name(id=name):
                found.setdefault(self._reference(name, at), Given(expression, needs))
            case ast.BinOp(op=ast.Mult(), left=ast.Name(id=left), right=ast.Name(id=right)):
                for known, other in ((left, right), (right, left)):
                    factor = found.get(self._reference(known, at))
                    if factor is not None:
                        quotient = Given(f"{expression} // {factor.expression}", needs | factor.parameters)
                        found.setdefault(self._reference(other, at), quotient)
                        return

    def _reference(self, name: str, at: int) -> tuple[str, int]:
        return name, self.program.latest(name, at)

    @cached_property
    def gradients(self) -> Mapping[str, str]:
        """Student's names of gradients, with the exercise's name of the tensor each belongs to."""
        found = dict(self._compared())
        candidates = [
            name for name in self.program.names if name not in found and name not in self._matched_names
        ]
        spelt = self._spelt
        for name in candidates:
            tensor = spelt.get(name) or spelt.get(name.lower())
            if tensor is not None:
                found[name] = tensor
        for name, tensor in self._variants(found, candidates):
            found[name] = tensor
        for name, tensor in self._by_role(found, candidates):
            found[name] = tensor
        return found

    def gradient(self, name: str) -> str | None:
        """The tensor whose gradient a name is; one assigned nowhere is known by its spelling alone."""
        if name in self.gradients or self.program.defined(name) or name in self.tensors:
            return self.gradients.get(name)
        return self._spelt.get(name)

    @cached_property
    def _matched_names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.match.renaming.theirs.values())

    @cached_property
    def _spelt(self) -> Mapping[str, str]:
        """Every spelling of every tensor's gradient; the student's own name for a tensor goes first."""
        found: dict[str, str] = {}
        owned = [(theirs, ours) for ours, theirs in self.own.items()]
        for form in (str, str.lower):
            for theirs, ours in [*owned, *((name, name) for name in self.forward.names)]:
                for spelling in SPELLINGS:
                    found.setdefault(form(spelling.format(theirs)), ours)
        return found

    def _compared(self) -> Iterator[tuple[str, str]]:
        """Pairs that the student compares: ``cmp('hpreact', da, apreact)``, ``allclose(da, a.grad)``."""
        votes: dict[str, Counter[str]] = {}
        for statement in self.program.statements:
            if isinstance(statement.node, (ast.Expr, ast.Assign)) and statement.broken is None:
                for gradient, tensor in self._comparisons(statement):
                    votes.setdefault(gradient, Counter())[tensor] += 1
        for gradient, tensors in votes.items():
            yield gradient, tensors.most_common(1)[0][0]

    def _comparisons(self, statement: Statement) -> Iterator[tuple[str, str]]:
        for call in ast.walk(statement.node):
            if isinstance(call, ast.Call) and COMPARES.search(_called(call)):
                names = [_compared_name(argument) for argument in call.args]
                tensors = [(n, t) for n in names if n and (t := self._tensor(n, statement.index))]
                gradients = [n for n in names if n and n not in self.tensors and n not in self._matched_names]
                if len(tensors) == 1 and len(gradients) == 1 and self.program.defined(gradients[0]):
                    yield gradients[0], tensors[0][1]

    def _tensor(self, name: str, at: int) -> str | None:
        return self.match.renaming.ours.get(self._reference(name, at)) or self.tensors.get(name)

    def _variants(self, found: Mapping[str, str], candidates: list[str]) -> Iterator[tuple[str, str]]:
        """Names like ``dlogits_fast``, unless the plain name is made of them."""
        made_of: dict[str, frozenset[str]] = {}
        for name in candidates:
            for plain in _plainer(name, found) if name not in found else ():
                if plain not in made_of:
                    made_of[plain] = self._made_of(plain)
                if name not in made_of[plain]:
                    yield name, found[plain]
                    break

    def _made_of(self, name: str) -> frozenset[str]:
        """Every name that is read to make a value of a name, or to change it."""
        defined, end = self.program.defined(name), len(self.program.statements)
        changes = {
            c.index for start in self._of_each_storage(name) for c in self.program.changes(name, start, end)
        }
        return frozenset().union(*(self.program[i].effects.reads for i in {*defined, *changes}))

    def _of_each_storage(self, name: str) -> Iterable[int]:
        """The first of a name's definitions by which it has each of its storages."""
        first: dict[Storage | None, int] = {}
        for index in self.program.defined(name):
            first.setdefault(self.program.storage(name, index), index)
        return first.values()

    def _by_role(self, found: Mapping[str, str], candidates: list[str]) -> Iterator[tuple[str, str]]:
        """Names that are left, where what they are made of leaves one tensor only."""
        taken = set(found.values())
        left = [
            ask[1:]
            for ask in sorted(self.program.asks)
            if ask[1:] not in taken and ask[1:] in self.forward.names
        ]
        roles: dict[str, list[str]] = {}
        for name in candidates:
            if name in found or not name.lower().startswith(("d", "g")):
                continue
            reads = {
                found[r]
                for i in self.program.defined(name)
                for r in self.program[i].effects.reads
                if r in found
            }
            fits = [t for t in left if reads and reads == {step.name for step in self.forward.users(t)}]
            if len(fits) == 1:
                roles.setdefault(fits[0], []).append(name)
        for tensor, names in roles.items():
            if len(names) == 1:
                yield names[0], tensor


def _plainer(name: str, found: Mapping[str, str]) -> list[str]:
    """The names that a name is a variant of, of those that are found, the one found first as the first."""
    starts = [name[:end] for end in range(1, len(name))] if len(name) <= NAME_LIMIT else []
    plain = [start for start in starts if start in found and VARIANT.fullmatch(name[len(start) :])]
    if len(plain) < 2:
        return plain
    return [one for one in found if one in plain]


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _compared_name(argument: ast.expr) -> str | None:
    """The name behind an argument of a comparison: ``a``, ``a.grad``, ``a.view(-1)``."""
    while True:
        match argument:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Call(func=ast.Attribute(value=inner)):
                argument = inner
            case _:
                return None


def made_sizes(value: ast.expr) -> list[ast.expr]:
    """The sizes of the tensor that an expression makes: those of ``torch.randn((a, b)) * c``."""
    for call in ast.walk(value):
        if isinstance(call, ast.Call) and _called(call) in MAKERS:
            shapes = [a for a in call.args if isinstance(a, (ast.Tuple, ast.List))]
            return shapes[0].elts if shapes else list(call.args)
    return []
