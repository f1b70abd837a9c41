"""The statements that one gradient is made by, and what they are given."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from grader.course.exercise import Exercise, tensor_of
from grader.scorecard.model import Hint
from grader.submissions.notebooks.errors import ScriptError
from grader.submissions.notebooks.naming import COMPARES, Given, Naming
from grader.submissions.notebooks.program import Change, Program, Statement
from grader.submissions.notebooks.versions import Version, Versions

NEEDS_LIMIT = 100_000
"""Times that a statement needs a value, in all slices of a script; an honest one has some hundred."""


@dataclass
class Needs:
    """How often a value was needed, in all slices so far."""

    count: int = 0

    def add(self) -> None:
        """Count one more.

        Raises:
            ScriptError: it is one too many.
        """
        self.count += 1
        if self.count > NEEDS_LIMIT:
            raise ScriptError("expected code to read, found too many values that are made of one another")


@dataclass(frozen=True)
class Slice:
    """What one stub is made of.

    Args:
        version: the derivation it is cut from.
        statements: the statements, by place in the program, in order.
        given: what each statement reads that the judge hands in, by place and student's name.
        unbound: names that are read and that no statement before gives a value, by place.
        notes: what the student should know, whether or not it costs points.
        causes: what spoils the gradient for certain, if it is wrong.
    """

    version: Version
    statements: tuple[int, ...]
    given: Mapping[int, Mapping[str, Given]]
    unbound: Mapping[int, frozenset[str]]
    notes: tuple[str, ...]
    causes: tuple[Hint, ...]


@dataclass(frozen=True)
class Slicer:
    """Cuts the statements that make a gradient out of a script.

    It goes back from the gradient through whatever is read, and stops at what the judge hands in: values of
    the forward pass, and gradients nearer to the loss that are *complete* where they are read. One that is
    read too early is what the student's statements have made of it by then.
    """

    program: Program
    naming: Naming
    versions: Versions
    needs: Needs = field(default_factory=Needs)

    @cached_property
    def beginning(self) -> int:
        """The first statement that makes a gradient; what stands before is set-up and the forward pass."""
        return min((v.start for made in self.versions.of.values() for v in made), default=0)

    def cut(self, exercise: Exercise, ask: str, version: Version) -> Slice:
        """The slice of one gradient.

        Args:
            exercise: the exercise it is for, which says what is handed in.
            ask: the gradient.
            version: the derivation that was chosen for it.

        Raises:
            ScriptError: the slices of the script are too large to be made.
        """
        broken_by = self._observed(version)
        end = max([version.end, *(change.index + 1 for change in broken_by)])
        work = _Work(self, exercise, ask, version, frozenset(change.index for change in broken_by))
        work.run(end)
        harmless = (self._broken(version, change) for change in version.breaks if change not in broken_by)
        notes = [*work.notes, *(f"{note} (nothing reads {version.name} after that)" for note in harmless)]
        causes = [
            *(Hint("aliased", self._broken(version, change), None) for change in broken_by),
            *work.causes,
        ]
        return Slice(
            version,
            tuple(sorted(work.taken)),
            work.given,
            work.missing,
            tuple(dict.fromkeys(notes)),
            tuple(dict.fromkeys(causes)),
        )

    def _observed(self, version: Version) -> tuple[Change, ...]:
        """The changes by another gradient's name after which this one is read, so that they matter."""
        return tuple(change for change in version.breaks if self._is_read_after(version, change))

    def _is_read_after(self, version: Version, change: Change) -> bool:
        again = [index for index in self.program.defined(version.name) if index > change.index]
        until = min(again, default=len(self.program.statements) - 1)
        later = self.program.statements[change.index + 1 : until + 1]
        return any(version.name in s.effects.reads and self._uses(s) for s in later)

    def _uses(self, statement: Statement) -> bool:
        """Whether a statement makes a gradient or compares one: printing and plotting do not count."""
        if any(name in self.naming.gradients for name in statement.effects.writes):
            return True
        called = [n.func for n in ast.walk(statement.node) if isinstance(n, ast.Call)]
        names = [f.id if isinstance(f, ast.Name) else getattr(f, "attr", "") for f in called]
        return any(COMPARES.search(name) for name in names)

    def _broken(self, version: Version, change: Change) -> str:
        breaker = self.program[change.index]
        line = breaker.text[0].strip() if breaker.text else ""
        return (
            f"Derived, then broken by `{line}` ({breaker.origin}). `{change.name}` and `{version.name}` "
            f"are two names of one tensor: give one of them a `.clone()`."
        )


@dataclass
class _Work:
    """One cut in progress."""

    slicer: Slicer
    exercise: Exercise
    ask: str
    version: Version
    breaks: frozenset[int]
    taken: set[int] = field(default_factory=set)
    given: dict[int, dict[str, Given]] = field(default_factory=lambda: defaultdict(dict))
    unbound: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    notes: list[str] = field(default_factory=list)
    causes: list[Hint] = field(default_factory=list)
    _asked: set[tuple[str, int]] = field(default_factory=set)
    _seen: dict[tuple[str, int | None, object], int] = field(default_factory=dict)
    _pending: list[tuple[str, int]] = field(default_factory=list)
    _reached: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def missing(self) -> Mapping[int, frozenset[str]]:
        """What each statement reads although no statement gave it a value."""
        return {at: frozenset(names) for at, names in self.unbound.items()}

    def run(self, end: int) -> None:
        """Go back from the value that the gradient has before statement ``end``."""
        self._inline(self.version.name, end)
        while self._pending:
            name, at = self._pending.pop()
            given = self._given(name, at)
            if given is not None:
                self.given[at][name] = given
            else:
                self._inline(name, at)

    def _need(self, name: str, at: int) -> None:
        self.slicer.needs.add()
        if (name, at) not in self._asked:
            self._asked.add((name, at))
            self._pending.append((name, at))

    def _take(self, index: int, at: int) -> None:
        """Take a statement in, with what it reads; a function reads where it is called."""
        statement = self.slicer.program[index]
        is_function = isinstance(statement.node, (ast.FunctionDef, ast.ClassDef))
        if index in self.taken and not is_function:
            return
        self.taken.add(index)
        for name in sorted(statement.effects.reads):
            self._need(name, at if is_function and at < len(self.slicer.program.statements) else index)

    def _inline(self, name: str, at: int) -> None:
        """Take in the statements that make a value."""
        program = self.slicer.program
        holding = self.slicer.versions.holding(name, at)
        foreign = {c.index for c in holding.breaks} - self.breaks if holding else set()
        reaching = program.reaching(name, at)
        for definition in self._not_yet(name, reaching):
            self._take(definition, at)
        # Those after the first only may have given it a new value: what changes it by then is among these.
        for change in self._changes(name, reaching[-1], at, None) if reaching else ():
            if change.index not in foreign:
                self._take(change.index, at)
        if not reaching:
            self.unbound[at].add(name)

    def _not_yet(self, name: str, reaching: tuple[int, ...]) -> Iterator[int]:
        """Of the statements that may have made a value, those not looked at before, and the first in any case."""
        first = reaching[-1] if reaching else -1
        known = self._reached.get((name, first), first)
        self._reached[name, first] = max([known, *reaching[:1]])
        yield from itertools.takewhile(lambda definition: definition > known, reaching)
        yield from reaching[-1:]

    def _changes(self, name: str, definition: int | None, at: int, why: object) -> Iterator[Change]:
        """The changes to a value before statement ``at`` not looked at before for the same reason."""
        seen = self._seen.get((name, definition, why), 0)
        if at > seen:
            self._seen[name, definition, why] = at
            yield from self.slicer.program.changes(name, definition, at, seen - 1)

    def _cell(self, at: int) -> int | None:
        statements = self.slicer.program.statements
        return statements[at].origin.cell if at < len(statements) else -1

    def _given(self, name: str, at: int) -> Given | None:
        """What the judge hands in for a name, None if the student's statements make it."""
        tensor = self.slicer.naming.gradient(name)
        if tensor is not None:
            return self._upstream(name, tensor, at)
        return self._forward_value(name, at)

    def _upstream(self, name: str, tensor: str, at: int) -> Given | None:
        holding = self.slicer.versions.holding(name, at)
        gradient = f"d{tensor}"
        if tensor == tensor_of(self.ask) or tensor not in self.exercise.known(self.ask):
            return None
        if holding is None:
            # To leave one out costs that one; to assign it later is a mistake of this one, unless the exercise
            # itself hands it out: then it stands for an exercise of its own, wherever its cells are.
            handed_out = self.exercise.upstreams is not None or not self.slicer.program.defined(name)
            return Given(gradient, frozenset({gradient})) if handed_out else None
        if holding.end > at:
            late = self.slicer.program[holding.end - 1]
            line = late.text[0].strip() if late.text else ""
            said = f"Reads `{name}` too early: `{line}` ({late.origin}) still adds to it."
            self.causes.append(Hint("too_early", said, None))
            return None
        return Given(gradient, frozenset({gradient}))

    def _forward_value(self, name: str, at: int) -> Given | None:
        naming, program = self.slicer.naming, self.slicer.program
        reaching = program.reaching(name, at)
        value = naming.value(name, reaching[-1] if reaching else -1)
        if value is None:
            return naming.sizes.get((name, reaching[-1])) if len(reaching) == 1 else None
        for definition in reaching:
            if naming.overwrites(name, definition):
                where = program[definition].origin
                self.notes.append(
                    f"{name} is overwritten ({where}); you were graded with the forward pass's own"
                )
        for change in self._changes(name, reaching[-1] if reaching else None, at, (self._cell(at),)):
            if self._is_near(change, at):  # the statement changes what is handed in
                self._take(change.index, at)
        return Given(value, frozenset({value}))

    def _is_near(self, change: Change, at: int) -> bool:
        """Whether a forward value is changed on purpose for what follows: by its name, in the same cell."""
        if change.name in self.slicer.naming.gradients or change.index < self.slicer.beginning:
            return False
        return self._cell(change.index) == self._cell(at)
