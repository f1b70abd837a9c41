"""What became of a function the last time, where nothing that it can notice has changed since.

Who works at one file saves it again and again, and most of it stays as it was. A function's answers follow from
its own text, from what it mentions, and from what runs when the file is imported. Where a file holds something
through which its functions could reach each other unseen, nothing of it is remembered; nor is anything for
whoever grades others: their work is asked in full.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from grader.box.box import Source
from grader.exercise import Exercise
from grader.recent import Recent
from grader.scorecard import Gradient, Outcome
from grader.script.effects import effects

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
"""Outcomes that may be others the next time."""


@dataclass(frozen=True)
class Look:
    """A function as it stands in a file.

    Args:
        meaning: a digest of all that its answers follow from, comments and places left out.
        places: the lines on which that stands, which its errors quote.
    """

    meaning: bytes
    places: tuple[int, ...]

    @property
    def line(self) -> int:
        """Where the function itself begins."""
        return self.places[0]


Place = tuple[str, str]
"""An exercise and one of its functions."""


@dataclass(frozen=True)
class Recollection:
    """What is known of one submission before anything of it is run.

    Args:
        looks: the functions that can be told to be as they were, by exercise.
        known: the gradients that are as they were, with the lines they stand on now.
    """

    looks: Mapping[str, Mapping[str, Look]] = field(default_factory=dict)
    known: Mapping[Place, Gradient] = field(default_factory=dict)

    def apart(self, exercises: Iterable[str]) -> frozenset[Place]:
        """The functions of some files that cannot reach each other; none where one of the files may hide a way."""
        found = {name: self.looks.get(name, {}) for name in exercises if name in self.looks}
        if not all(found.values()):
            return frozenset()
        return frozenset((exercise, name) for exercise, looks in found.items() for name in looks)


@dataclass(frozen=True)
class Memory:
    """The gradients graded last, by the look of their functions."""

    _kept: dict[tuple[str, str, bytes], tuple[Look, Gradient]] = field(default_factory=Recent, repr=False)

    def recollect(self, files: Iterable[tuple[Exercise, Source]]) -> Recollection:
        """What is known of a submission, of its file for each exercise."""
        seen = {exercise.id: looks(source, exercise.stubs) for exercise, source in files}
        known = (found for name, own in seen.items() for found in self._recall(name, own))
        return Recollection(seen, dict(known))

    def _recall(self, exercise: str, looks: Mapping[str, Look]) -> Iterator[tuple[Place, Gradient]]:
        for name, look in looks.items():
            kept = self._kept.get((exercise, name, look.meaning))
            if kept is not None and (kept[1].error is None or kept[0].places == look.places):
                yield (exercise, name), replace(kept[1], line=look.line)

    def keep(self, exercise: Exercise, remembered: Recollection, gradients: Iterable[Gradient]) -> None:
        """Remember what became of the functions of an exercise."""
        for gradient in gradients:
            look = remembered.looks.get(exercise.id, {}).get(gradient.name)
            if look is not None and gradient.line == look.line and gradient.outcome not in FLEETING:
                self._kept[exercise.id, gradient.name, look.meaning] = (look, gradient)


def looks(source: Source, names: Iterable[str]) -> Mapping[str, Look]:
    """The looks of those functions of a file that can be told to be as they were.

    Args:
        source: the file.
        names: the functions of interest; those that are anything but plain functions are left out.
    """
    try:
        module = _Module.read(source)
        return {name: look for name in names if module.is_plain and (look := module.look(name)) is not None}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


@dataclass(frozen=True)
class _Module:
    """The statements of a file by the names they bind."""

    body: tuple[ast.stmt, ...]
    is_plain: bool
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
        return cls(tuple(tree.body), is_plain, {n: tuple(i) for n, i in binders.items()}, tuple(mentions))

    def look(self, name: str) -> Look | None:
        """The look of one function; None where it may depend on what other functions have done."""
        found = self.binders.get(name, ())
        if not found or not all(isinstance(self.body[index], ast.FunctionDef) for index in found):
            return None
        start = found[-1]
        taken = self._mentioned(start)
        if not all(_is_constant(self.body[index]) for index in taken):
            return None
        # What binds no name is run for what it does, whoever mentions it.
        always = {
            i for i, node in enumerate(self.body) if not isinstance(node, BINDING) and not _is_idle(node)
        }
        order = sorted(taken | always | self._mentioned(*always))
        digest = hashlib.sha256("\n".join(ast.dump(self.body[index]) for index in order).encode())
        return Look(digest.digest(), tuple(self.body[index].lineno for index in (start, *order)))

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
