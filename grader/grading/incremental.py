"""Reuse the result of a function if nothing that it can notice has changed since it was graded.

People save one file again and again, and most of it stays as it was. A function's answers follow from its own
text, from what it mentions, and from what runs when the file is imported; where a file holds something through
which its functions could reach each other unseen, from all of the file. Only one's own work is graded in this way:
when others are graded, every function is called.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from grader.bounded import BoundedDict
from grader.course.exercise import Exercise
from grader.scorecard.model import Gradient, Outcome, Training
from grader.submissions.notebooks.effects import effects
from grader.submissions.source import Source

UNSEEN = frozenset(
    {
        "globals", "locals", "vars", "eval", "exec", "compile", "getattr", "setattr", "delattr", "__import__",
        "open", "sys", "gc", "inspect", "importlib", "ctypes", "os", "threading", "random",
    }
)  # fmt: skip
"""Names through which one function can reach another, or what both use, without mentioning it."""

UNSEEN_PREFIXES = (
    "__",
    "set_",
    "use_",
    "enable_",
    "manual_",
    "seed",
    "rand",
    "normal",
    "bernoulli",
    "multinomial",
)
"""Beginnings of attributes that change what all functions see, torch's generator of random numbers included."""

FLEETING = frozenset(
    {Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY, Outcome.CRASHED, Outcome.NOT_RUN, Outcome.GRADER_FAULT}
)
"""Outcomes that may differ the next time."""


@dataclass(frozen=True)
class FunctionFingerprint:
    """A function as it stands in a file.

    Args:
        meaning: a digest of all that its answers follow from, comments and places left out.
        places: the lines on which that stands, which its errors quote; the function's own first.
        apart: whether no other function can reach it, so that it does not matter which were called before.
        is_plain: whether nothing in its file lets a function reach another without mentioning it.
    """

    meaning: bytes
    places: tuple[int, ...]
    apart: bool
    is_plain: bool

    @property
    def line(self) -> int:
        """Where the function itself begins."""
        return self.places[0]


@dataclass(frozen=True)
class Kept:
    """The result of one function.

    Args:
        fingerprint: the function as it stood.
        gradients: what was graded of it.
        descent: the steps it is graded by, where it trains.
    """

    fingerprint: FunctionFingerprint
    gradients: tuple[Gradient, ...]
    descent: Training | None

    def fits(self, fingerprint: FunctionFingerprint) -> bool:
        """Whether it holds for the function as it stands now; what quotes lines, only where they did not move."""
        return self.fingerprint.places == fingerprint.places or all(
            gradient.error is None for gradient in self.gradients
        )

    def moved(self, line: int) -> Kept:
        """The same, of a function that begins on another line."""
        return replace(self, gradients=tuple(replace(gradient, line=line) for gradient in self.gradients))


Place = tuple[str, str]
"""An exercise and one of its functions."""


@dataclass(frozen=True)
class Reusable:
    """What is known of one submission before anything of it is run.

    Args:
        fingerprints: its functions as they stand, by exercise.
        known: the results of those that are as they were, with the lines they stand on now.
    """

    fingerprints: Mapping[str, Mapping[str, FunctionFingerprint]] = field(default_factory=dict)
    known: Mapping[Place, Kept] = field(default_factory=dict)

    def apart(self, exercises: Iterable[str]) -> frozenset[Place]:
        """The functions of some files that no other can reach; none where one of the files may hide a way."""
        found = {name: self.fingerprints[name] for name in exercises if name in self.fingerprints}
        if not all(fingerprint.is_plain for own in found.values() for fingerprint in own.values()) or not all(
            found.values()
        ):
            return frozenset()
        return frozenset(
            (exercise, n)
            for exercise, own in found.items()
            for n, fingerprint in own.items()
            if fingerprint.apart
        )

    def gradients(self, exercise: str) -> Mapping[str, Gradient]:
        """Return the known outcomes of an exercise's gradients."""
        kept = (one for (owner, _), one in self.known.items() if owner == exercise)
        return {gradient.name: gradient for one in kept for gradient in one.gradients}

    def descent(self, exercise: str) -> Training | None:
        """Return the known steps of an exercise that trains."""
        kept = (one.descent for (owner, _), one in self.known.items() if owner == exercise)
        return next((descent for descent in kept if descent is not None), None)


@dataclass(frozen=True)
class FunctionCache:
    """The results of the functions graded last, by their fingerprints."""

    _kept: dict[tuple[str, str, bytes], Kept] = field(default_factory=BoundedDict, repr=False)

    def reusable(self, files: Iterable[tuple[Exercise, Source]]) -> Reusable:
        """What is known of a submission, of its file for each exercise."""
        seen = {exercise.id: fingerprints(source, exercise.stubs) for exercise, source in files}
        known = (found for name, own in seen.items() for found in self._known(name, own))
        return Reusable(seen, dict(known))

    def _known(
        self, exercise: str, fingerprints: Mapping[str, FunctionFingerprint]
    ) -> Iterator[tuple[Place, Kept]]:
        for name, fingerprint in fingerprints.items():
            kept = self._kept.get((exercise, name, fingerprint.meaning))
            if kept is not None and kept.fits(fingerprint):
                yield (exercise, name), kept.moved(fingerprint.line)

    def keep(
        self,
        exercise: Exercise,
        reusable: Reusable,
        gradients: Iterable[Gradient],
        descent: Training | None,
    ) -> None:
        """Keep the results of the functions of an exercise, by what was graded of them."""
        by_name = {gradient.name: gradient for gradient in gradients}
        for name, fingerprint in reusable.fingerprints.get(exercise.id, {}).items():
            function = exercise.function(name)
            graded = tuple(by_name[ask] for ask in function.asks)
            if all(g.line == fingerprint.line and g.outcome not in FLEETING for g in graded):
                trained = descent if function in exercise.training else None
                self._kept[exercise.id, name, fingerprint.meaning] = Kept(fingerprint, graded, trained)


def fingerprints(source: Source, names: Iterable[str]) -> Mapping[str, FunctionFingerprint]:
    """The fingerprints of a file's functions, as far as they are plain ones; none if it cannot be parsed.

    Args:
        source: the file.
        names: the functions of interest.
    """
    try:
        module = _Module.read(source)
        return {name: module.fingerprint(name) for name in names if module.defines(name)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


@dataclass(frozen=True)
class _Module:
    """The statements of a file by the names they bind.

    Args:
        body: the statements.
        is_plain: whether nothing in it lets a function reach another without mentioning it.
        beside: the modules beside it that it may import, as their bytes.
        binders: the statements that give a name a value, by place.
        mentions: the names that each statement reads.
    """

    body: tuple[ast.stmt, ...]
    is_plain: bool
    beside: tuple[bytes, ...]
    binders: Mapping[str, tuple[int, ...]]
    mentions: tuple[frozenset[str], ...]

    @classmethod
    def read(cls, source: Source) -> _Module:
        tree = ast.parse(source.content)
        helpers = {name.removesuffix(".py") for name in source.helpers}
        binders: dict[str, list[int]] = {}
        mentions = []
        for index, node in enumerate(tree.body):
            done = effects(node)
            mentions.append(done.reads)
            for name in done.writes:
                binders.setdefault(name, []).append(index)
        is_plain = not any(_is_unseen(node, helpers) for node in ast.walk(tree))
        beside = () if is_plain else tuple(code for _, code in sorted(source.helpers.items()))
        return cls(
            tuple(tree.body), is_plain, beside, {n: tuple(i) for n, i in binders.items()}, tuple(mentions)
        )

    def defines(self, name: str) -> bool:
        """Whether a name is that of a function defined here, and of nothing else."""
        found = self.binders.get(name, ())
        return bool(found) and all(isinstance(self.body[index], ast.FunctionDef) for index in found)

    def fingerprint(self, name: str) -> FunctionFingerprint:
        """The fingerprint of one function: of what it mentions, or of all the file where others may reach it."""
        start = self.binders[name][-1]
        taken = self._mentioned(start)
        apart = self.is_plain and all(_is_constant(self.body[index]) for index in taken)
        if apart:
            # What binds no name is run for what it does, whoever mentions it.
            always = {
                i for i, node in enumerate(self.body) if not isinstance(node, BINDING) and not _is_idle(node)
            }
            taken |= always | self._mentioned(*always)
        else:
            taken = set(range(len(self.body)))
        parts = [ast.dump(self.body[index]).encode() for index in sorted(taken)]
        digest = hashlib.sha256(b"\0".join([*parts, *(() if apart else self.beside)]))
        places = tuple(self.body[index].lineno for index in (start, *sorted(taken)))
        return FunctionFingerprint(digest.digest(), places, apart, self.is_plain)

    def _mentioned(self, *start: int) -> set[int]:
        """Some statements and all that give a value to what they mention, to what those mention, and so on."""
        taken: set[int] = set()
        pending = list(start)
        while pending:
            index = pending.pop()
            if index not in taken:
                taken.add(index)
                pending += (i for name in self.mentions[index] for i in self.binders.get(name, ()))
        return taken


BINDING = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


IMMUTABLE = (
    ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.expr_context,
)  # fmt: skip


def _is_idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_unseen(node: ast.AST, helpers: set[str]) -> bool:
    """Whether a function could reach another by this without mentioning it."""
    match node:
        case ast.Global() | ast.Nonlocal():
            return True
        case ast.Name(id=name):
            return name in UNSEEN
        case ast.Attribute(attr=name, ctx=context):
            return not isinstance(context, ast.Load) or name.startswith(UNSEEN_PREFIXES)
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in helpers | UNSEEN for alias in names)
        case ast.ImportFrom(module=module, names=names):
            return (module or "").partition(".")[0] in helpers | UNSEEN | {""} or any(
                a.name == "*" for a in names
            )
    return False


def _is_constant(node: ast.stmt) -> bool:
    """Whether what a statement makes stays as it is, whoever uses it."""
    match node:
        case ast.FunctionDef(args=args, decorator_list=[]):
            defaults = [*args.defaults, *(default for default in args.kw_defaults if default is not None)]
            return all(map(_is_immutable, defaults))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return _is_immutable(value)
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _is_immutable(node: ast.expr) -> bool:
    if isinstance(node, ast.Lambda):
        return not node.args.defaults and not any(node.args.kw_defaults)
    return all(isinstance(inner, IMMUTABLE) for inner in ast.walk(node))
