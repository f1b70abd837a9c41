"""What one exercise is graded with: its cases, its checks, and the witnesses of what they expect.

Made once by an engine and used for every submission: nothing in here depends on whose work is graded, but for the
parameters a stub asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from grader.checks.cache import SuiteCache
from grader.checks.check import Check
from grader.checks.descent import DescentOracle
from grader.checks.function_checks import CaseSet, FunctionChecks, checks_of
from grader.checks.oracle import Blind, Oracle
from grader.checks.witnesses import Reference, Witnesses
from grader.course.exercise import Exercise, Function
from grader.sandbox.requests import Calls
from grader.scorecard.model import Difference, ForwardLine


@dataclass(frozen=True)
class ExerciseSuite:
    """One exercise, ready to grade with.

    Args:
        exercise: the exercise.
        oracles: one per case, the lecture's first.
        reference: the instructor's solution by function name, None where the course has none.
        descents: what the functions that train are compared with, by function name.
        model: a suite of the same exercise on other cases, or None; what it has found out about what vanishes and
            about the witnesses holds for this one, too.
        cache: what the suite keeps.
    """

    exercise: Exercise
    oracles: tuple[Oracle, ...]
    reference: Reference | None
    descents: Mapping[str, DescentOracle] = field(default_factory=dict)
    model: ExerciseSuite | None = field(default=None, repr=False)
    cache: SuiteCache = field(default_factory=SuiteCache, repr=False, compare=False)

    def on(self, oracles: tuple[Oracle, ...]) -> ExerciseSuite:
        """The same exercise on other fresh cases of the same sizes, with a cache of its own."""
        return replace(self, oracles=oracles, model=self.model or self, cache=SuiteCache())

    @cached_property
    def lines(self) -> tuple[ForwardLine, ...]:
        """The forward pass, each line with the gradients that are complete once one has gone back through it."""
        steps = self.exercise.forward.steps
        complete: dict[str, list[str]] = {step.name: [] for step in steps}
        for ask in self.exercise.gradients:
            complete[self.exercise.through(ask)[0].name].append(ask)
        return tuple(ForwardLine(step.name, step.source, tuple(complete[step.name])) for step in steps)

    @property
    def blind(self) -> Blind:
        """Where the plain loss of these cases sees nothing."""
        return self._cases.blind

    def of(self, function: Function) -> FunctionChecks:
        """What a function's answers are compared with."""
        return self._functions[function.name]

    def of_ask(self, ask: str) -> FunctionChecks:
        """What the answers of the function that an ask belongs to are compared with."""
        return self.of(self.exercise.function_of(ask))

    def checks(self, ask: str, parameters: frozenset[str]) -> tuple[Check, ...]:
        """The checks of one ask where its function has these parameters, the lecture's case first.

        Args:
            ask: what is graded.
            parameters: names it asks for, all of them in :meth:`Exercise.may_ask`.
        """
        return self.cache.checks((ask, parameters), lambda: tuple(self.of_ask(ask).checks(ask, parameters)))

    def calls(self, function: Function, parameters: frozenset[str]) -> Calls:
        """Every call of a function that has these parameters: what it is called with."""

        def make() -> Calls:
            checks = (check for ask in function.asks for check in self.checks(ask, parameters))
            called = {check.call: check.arguments for check in checks}
            return Calls((called[position] for position in sorted(called)), self.cache.replies)

        return self.cache.calls((function.name, parameters), make)

    def after(self, function: Function) -> tuple[str, ...]:
        """The arguments a function may change in place, and is graded by."""
        return self.of(function).after

    @cached_property
    def faults(self) -> Mapping[str, str]:
        """The asks whose witnesses disagree, and how: these are the grader's own fault."""
        found = {ask: self.fault(ask) for ask in self.exercise.asks}
        return {ask: fault for ask, fault in found.items() if fault is not None}

    def fault(self, ask: str) -> str | None:
        """How the witnesses of one ask disagree, None where they do not."""
        return self._witnesses.fault(ask)

    def reference_s(self, function: Function) -> float:
        """Processor seconds that the reference needs for all calls of a function; 0 where that is not known."""
        return self._witnesses.seconds(function)

    def reference_differences(self, ask: str, answers: Sequence[Tensor]) -> Difference | None:
        """How far the answers to the first case are from the reference's, None without a reference."""
        return self._witnesses.differences(ask, answers)

    @cached_property
    def _cases(self) -> CaseSet:
        return CaseSet(self.exercise, self.oracles, self.model._cases if self.model else None)

    @cached_property
    def _functions(self) -> Mapping[str, FunctionChecks]:
        return {
            function.name: checks_of(function, self._cases, self.descents)
            for function in self.exercise.functions
        }

    @cached_property
    def _witnesses(self) -> Witnesses:
        return Witnesses(self) if self.model is None else self.model._witnesses
