"""What the answers of each kind of function are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch

from grader.checks.cases import RANDOM, Case
from grader.checks.check import Check, part
from grader.checks.descent import DescentOracle
from grader.checks.oracle import Blind, ExpectedGradient, Oracle
from grader.course.exercise import (
    PARAMETERS,
    Exercise,
    Function,
    GradientsFunction,
    GradientStub,
    TrainingFunction,
    Vanishing,
    tensor_of,
)
from grader.course.forward import LOSS
from grader.sandbox.answers import Called, Failed
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Training

UNSHOWN = "zero whatever {taken} is, so that it shows no step: take {missing}, and go back through {lines}"
VANISHES = "d{tensor} is zero but for rounding{why}"


@dataclass(frozen=True)
class CaseSet:
    """An exercise's cases, and what is expected in each.

    Args:
        exercise: the exercise.
        oracles: one per case, the lecture's first.
        model: what is known of other cases of the same sizes, whose blind spots are these cases', too; or None.
    """

    exercise: Exercise
    oracles: tuple[Oracle, ...]
    model: CaseSet | None = None

    @cached_property
    def blind(self) -> Blind:
        """Where the plain loss of these cases sees nothing."""
        return Blind.measure(self.oracles) if self.model is None else self.model.blind

    @property
    def fresh(self) -> Oracle:
        """The oracle of the first fresh case, in which random upstreams are drawn."""
        return self.oracles[-1] if len(self.oracles) == 1 else self.oracles[1]

    def upstreams(self, parameters: frozenset[str]) -> frozenset[str]:
        """The tensors whose gradients are among a function's parameters."""
        return frozenset(tensor_of(name) for name in parameters if name not in self.exercise.forward.names)

    def arguments(
        self, expected: Mapping[str, ExpectedGradient], case: Case, parameters: frozenset[str]
    ) -> Arguments:
        """What a function with these parameters is called with in a case."""
        found: dict[str, Any] = {name: case.values[name] for name in parameters if name in case.values}
        for tensor in self.upstreams(parameters):
            found[f"d{tensor}"] = torch.tensor(1.0) if tensor == LOSS else expected[tensor].autograd
        return dict(sorted(found.items()))

    def remark(self, ask: str) -> str | None:
        """What to say of a gradient that vanishes where its value is asked for."""
        if self.exercise.vanishing is Vanishing.STEP or tensor_of(ask) not in self.blind.tensors:
            return None
        why = self.exercise.why_zero.get(ask)
        return VANISHES.format(tensor=tensor_of(ask), why=f": {why}" if why else "")


class FunctionChecks(ABC):
    """What the answers of one function are compared with."""

    after: ClassVar[tuple[str, ...]] = ()
    """The arguments that the function may change in place, and is graded by."""

    is_costly: ClassVar[bool] = False
    """Whether the expected answers take so long that they are worked out only for a function that is there."""

    @abstractmethod
    def checks(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        """The checks of an ask where the function has these parameters, the lecture's case first."""

    @abstractmethod
    def planned(self, ask: str) -> tuple[tuple[str, float | None], ...]:
        """The cases of an ask by name, and their tolerances where they are at hand."""

    @abstractmethod
    def shape(self, ask: str) -> tuple[int, ...]:
        """The shape an answer to the first case has."""

    def trained(self, called: tuple[Called, ...], seconds: float) -> Training | None:
        """The training that a function has made, for the scorecard; None where it made none."""
        return None


@dataclass(frozen=True)
class GradientChecks(FunctionChecks):
    """What gradients are compared with.

    Args:
        cases: what is known of the cases.
    """

    cases: CaseSet

    def planned(self, ask: str) -> tuple[tuple[str, float | None], ...]:
        """The cases, with tolerances."""
        return tuple((o.case.name, o.expected[tensor_of(ask)].tolerance) for o in self.cases.oracles)

    def shape(self, ask: str) -> tuple[int, ...]:
        """The shape of the tensor in the lecture's case."""
        return tuple(self.cases.oracles[0].expected[tensor_of(ask)].precise.shape)


@dataclass(frozen=True)
class StubChecks(GradientChecks):
    """What the one gradient of a stub is compared with: in each case, and once more under random upstreams."""

    def checks(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        """Each case; then, where the stub takes gradients, random ones."""
        tensor, cases = tensor_of(ask), self.cases
        for call, oracle in enumerate(cases.oracles):
            expected = oracle.expected[tensor]
            arguments = cases.arguments(oracle.expected, oracle.case, parameters)
            yield Check(oracle.case.name, arguments, expected, True, call, remark=cases.remark(ask))
        taken = cases.upstreams(parameters) - {LOSS}
        lines = frozenset(step.name for step in cases.exercise.forward.users(tensor))
        is_blind = tensor in cases.blind.tensors
        wants_step = is_blind and cases.exercise.vanishing is Vanishing.STEP
        # Where the step is asked for, a stub that takes no gradient still has to give what it would come to.
        drawn = lines if wants_step and not taken else taken
        if not drawn:
            return
        gradients = cases.fresh.random(drawn, drawn | {tensor})
        expected = gradients[tensor]
        shows_nothing = wants_step and expected.vanishes and not lines <= drawn
        sees_path = not taken.isdisjoint(lines) and any(name == tensor for name, _ in cases.blind.paths)
        yield Check(
            RANDOM,
            cases.arguments(gradients, cases.fresh.case, parameters),
            expected,
            decides=is_blind or sees_path,
            call=len(cases.oracles),
            unshown=self._unshown(tensor, taken) if shows_nothing else None,
        )

    def _unshown(self, tensor: str, taken: frozenset[str]) -> str:
        steps = self.cases.exercise.forward.users(tensor)
        return UNSHOWN.format(
            taken=" and ".join(f"d{name}" for name in sorted(taken)),
            missing=" and ".join(f"d{step.name}" for step in steps),
            lines=" and ".join(f"`{step.source}`" for step in steps),
        )


@dataclass(frozen=True)
class SeveralChecks(GradientChecks):
    """What each of several gradients is compared with that a function returns at once.

    The function is handed no gradient, so that none can be random.

    Args:
        function: the function.
    """

    function: GradientsFunction

    def checks(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        """Each case, the gradient's own part of the answer."""
        tensor, cases = tensor_of(ask), self.cases
        extract = part(self.function.places[ask], self.function.returns)
        for call, oracle in enumerate(cases.oracles):
            arguments = cases.arguments(oracle.expected, oracle.case, parameters)
            yield Check(
                oracle.case.name,
                arguments,
                oracle.expected[tensor],
                True,
                call,
                extract,
                remark=cases.remark(ask),
            )


@dataclass(frozen=True)
class TrainingChecks(FunctionChecks):
    """What a function that trains is compared with: the same steps made by autograd.

    Args:
        oracle: makes the steps.
    """

    oracle: DescentOracle
    after: ClassVar[tuple[str, ...]] = (PARAMETERS,)
    is_costly: ClassVar[bool] = True

    def checks(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        """What one of the asks is compared with, all from one call."""
        yield from self.oracle.checks(ask)

    def planned(self, ask: str) -> tuple[tuple[str, float | None], ...]:
        """The one case; its tolerance takes a descent to know."""
        return ((f"{self.oracle.descent.steps} steps", None),)

    def shape(self, ask: str) -> tuple[int, ...]:
        """The shape of an answer, known without any descent."""
        return self.oracle.shape(ask)

    def trained(self, called: tuple[Called, ...], seconds: float) -> Training | None:
        """The training, beside autograd's, if it came to an end."""
        if not called or isinstance(called[0].answer, Failed):
            return None
        return self.oracle.told(called[0], seconds)


def checks_of(function: Function, cases: CaseSet, descents: Mapping[str, DescentOracle]) -> FunctionChecks:
    """What a function's answers are compared with; the one place that tells the kinds of function apart.

    Args:
        function: the function.
        cases: what is known of its exercise's cases.
        descents: the descents of functions that train, by function name.
    """
    match function:
        case GradientStub():
            return StubChecks(cases)
        case GradientsFunction():
            return SeveralChecks(cases, function)
        case TrainingFunction():
            return TrainingChecks(descents[function.name])
    raise TypeError(f"expected one of the kinds of function, found {type(function).__name__}")
