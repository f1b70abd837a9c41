"""The derivations of one gradient in a script, and which of them answers which exercise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from grader.course.exercise import Exercise, tensor_of
from grader.submissions.notebooks.naming import Naming
from grader.submissions.notebooks.program import Change, Program, Statement


@dataclass(frozen=True)
class Version:
    """One derivation: an assignment and what is added to it later.

    Args:
        tensor: whose gradient, by the exercise's name.
        name: the student's name for the gradient.
        starts: the statements that give the name a value; more than one where it is made over from itself.
        changes: the statements that change it in place.
        breaks: those that change it by the name of another gradient, for the two share their storage.
        section: the exercise it stands under, None before the first heading.
        reads: the tensors whose gradients it reads itself.
        is_stub: whether it is a function in the form of a stub.
        broken: whether it does not parse.
    """

    tensor: str
    name: str
    starts: tuple[int, ...]
    changes: tuple[Change, ...]
    breaks: tuple[Change, ...]
    section: int | None
    reads: frozenset[str]
    is_stub: bool
    broken: bool

    @property
    def start(self) -> int:
        """Its first statement."""
        return self.starts[0]

    @property
    def end(self) -> int:
        """The statement after its last: from here on it is complete."""
        return max([*self.starts, *(change.index for change in self.changes)]) + 1


@dataclass(frozen=True)
class Versions:
    """Every derivation of every gradient in a script."""

    program: Program
    naming: Naming

    @cached_property
    def of(self) -> Mapping[str, tuple[Version, ...]]:
        """The derivations of each tensor's gradient, in order."""
        found: dict[str, list[Version]] = {}
        for name, tensor in self.naming.gradients.items():
            found.setdefault(tensor, []).extend(self._of_name(name, tensor))
        return {tensor: tuple(sorted(made, key=lambda v: v.start)) for tensor, made in found.items()}

    def holding(self, name: str, at: int) -> Version | None:
        """The derivation that a gradient's name stands for before statement ``at``."""
        tensor = self.naming.gradients.get(name)
        made = [v for v in self.of.get(tensor or "", ()) if v.name == name and v.start < at]
        return made[-1] if made else None

    def _of_name(self, name: str, tensor: str) -> Iterator[Version]:
        starts: list[int] = []
        definitions = self.program.defined(name)
        for place, index in enumerate(definitions):
            statement = self.program[index]
            if starts and not self._makes_over(statement, name):
                yield self._version(name, tensor, starts, index)
                starts = []
            starts.append(index)
            if place == len(definitions) - 1:
                yield self._version(name, tensor, starts, len(self.program.statements))

    def _makes_over(self, statement: Statement, name: str) -> bool:
        """Whether a statement goes on with a value: it reads it, or may leave it as it is."""
        return statement.broken is None and (
            name in statement.effects.reads or name in statement.effects.may_bind
        )

    def _version(self, name: str, tensor: str, starts: list[int], until: int) -> Version:
        changes: list[Change] = []
        breaks: list[Change] = []
        for start, stop in zip(starts, [*starts[1:], until], strict=True):
            for change in self.program.changes(name, start, stop):
                theirs = self.naming.gradients.get(change.name) or self.naming.tensors.get(change.name)
                source = self.program[start].effects.reads  # b += … after a = b goes on with a, too
                own = theirs in (None, tensor) or change.name in source
                (changes if own else breaks).append(change)
        first = self.program[starts[0]]
        lines = [self.program[i] for i in [*starts, *(c.index for c in changes)]]
        gradients = self.naming.gradients
        reads = {gradients[r] for line in lines for r in _reads(line) if r in gradients}
        return Version(
            tensor, name, tuple(starts), tuple(changes), tuple(breaks), first.section,
            frozenset(reads - {tensor}), first.is_stub(frozenset({name})), first.broken is not None,
        )  # fmt: skip


def _reads(statement: Statement) -> frozenset[str]:
    """The names a statement reads; those a stub asks for are its parameters."""
    if isinstance(statement.node, ast.FunctionDef):
        return statement.effects.reads | {a.arg for a in statement.node.args.args}
    return statement.effects.reads


@dataclass(frozen=True)
class Choice:
    """Picks the derivation that answers an exercise, among exercises that ask for the same gradient.

    Headings decide where they tell the exercises apart. Elsewhere a derivation that makes do with the
    gradients a later exercise hands out is taken for that one, and so is the last one after the first
    exercise is over.
    """

    versions: Versions
    exercises: tuple[Exercise, ...]
    _over: dict[str, int] = field(default_factory=dict, repr=False)

    def choose(self, exercise: Exercise, ask: str) -> Version | None:
        """The derivation of ``ask`` that answers an exercise, None where there is none."""
        made = self.versions.of.get(tensor_of(ask), ())
        rivals = [e for e in self.exercises if ask in e.asks and e.forward == exercise.forward]
        if exercise is rivals[0]:
            return _last(self._for_the_first(exercise, ask, made, rivals[1:]))
        return self._for_a_later(exercise, ask, made, rivals)

    def _for_the_first(
        self, exercise: Exercise, ask: str, made: Sequence[Version], later: Sequence[Exercise]
    ) -> Sequence[Version]:
        numbers = {self._number(e) for e in self.exercises}
        for rival in later:
            marked = self._marked(rival, made)
            if marked:
                made = [v for v in made if v not in marked]
                continue
            opened = [v for v in made if not self._is_closed(v, rival, ask)]
            made = [v for v in opened if v.start < self._end_of_first(exercise, opened)] or made[:1]
        here = [v for v in made if v.section == self._number(exercise)]
        return here or [v for v in made if v.section is None or v.section in numbers] or made

    def _for_a_later(
        self, exercise: Exercise, ask: str, made: Sequence[Version], rivals: Sequence[Exercise]
    ) -> Version | None:
        marked = self._marked(exercise, made)
        if marked:
            return _last(marked)
        others = [v for rival in rivals[1:] for v in self._marked(rival, made)]
        made = [v for v in made if v not in others]
        closed = [v for v in made if self._is_closed(v, exercise, ask)]
        if closed:
            return _last(closed)
        first = self.choose(rivals[0], ask)
        return _last([v for v in made if first is None or v.start > first.start])

    def _marked(self, exercise: Exercise, made: Sequence[Version]) -> Sequence[Version]:
        """The derivations under an exercise's heading; none where the heading does not tell several apart."""
        marked = [v for v in made if v.section == self._number(exercise)]
        return marked if len(marked) < len(made) or len(made) == 1 else []

    def _is_closed(self, version: Version, exercise: Exercise, ask: str) -> bool:
        """Whether a derivation reads no gradient but those an exercise hands out."""
        return not version.broken and version.reads <= exercise.known(ask)

    def _end_of_first(self, exercise: Exercise, versions: Sequence[Version]) -> int:
        """Where an exercise is over: after the last gradient that it alone asks for."""
        if exercise.id not in self._over:
            alone = [
                a for a in exercise.asks if not any(a in e.asks for e in self.exercises if e is not exercise)
            ]
            starts = [v.start for a in alone for v in self.versions.of.get(tensor_of(a), ())[:1]]
            self._over[exercise.id] = max(starts, default=1 << 30)
        end = self._over[exercise.id]
        return end if any(v.start < end for v in versions) else 1 << 30

    def _number(self, exercise: Exercise) -> int:
        """The number a heading calls an exercise by: the one in its id, else its place."""
        found = re.search(r"\d+", exercise.id)
        return int(found[0]) if found else self.exercises.index(exercise) + 1


def _last(versions: Sequence[Version]) -> Version | None:
    """The last of some derivations; one that does not parse only where there is no other."""
    whole = [version for version in versions if not version.broken] or versions
    return whole[-1] if whole else None
