"""Which functions share a box, and in which order they are asked there: no answer is in it before its question.

A box is handed the true gradients that its functions ask for, and what one function has been handed, another in
the same box can find. So exercises share a box only where they are graded on the same cases under the same limits,
and in an order in which

* the gradient of a tensor is handed out only once every function of which it is asked has answered, and
* whoever is asked could work out all that has been handed out before from what they may ask for, without coming
  a step nearer to their own answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Exercise, Function, tensor_of
from grader.course.settings import Settings
from grader.sandbox.process import Limits


@dataclass(frozen=True)
class PlannedCall:
    """One function's turn to be asked.

    Args:
        suite: its exercise, ready to grade with.
        function: the function.
    """

    suite: ExerciseSuite
    function: Function

    @cached_property
    def asked(self) -> frozenset[str]:
        """The tensors whose gradients it has to give."""
        gradients = self.suite.exercise.gradients
        return frozenset(tensor_of(ask) for ask in self.function.asks if ask in gradients)

    @cached_property
    def handed(self) -> frozenset[str]:
        """The tensors whose gradients it may be handed."""
        return frozenset().union(*map(self.suite.exercise.known, self.function.asks))

    @cached_property
    def harmless(self) -> frozenset[str]:
        """The tensors whose gradients bring it no nearer to its answer than what it may be handed.

        They lie nearer to the loss than that, or hang on it and on no way from its own tensors to the loss, as a
        weight does.
        """
        forward = self.suite.exercise.forward
        found = self.handed.union(*map(forward.descendants, self.handed))
        own = self.asked.union(*map(forward.descendants, self.asked))
        for name in reversed(forward.names):
            users = {step.name for step in forward.users(name)}
            if users and users <= found and name not in own:
                found |= {name}
        return found


@dataclass(frozen=True)
class BoxPlan:
    """The functions that are asked in one box, as long as it lasts, and what it may use."""

    limits: Limits
    calls: tuple[PlannedCall, ...]


def box_plans(suites: Iterable[ExerciseSuite], settings: Settings) -> tuple[BoxPlan, ...]:
    """Every function of some exercises, in as few sittings as can be.

    Args:
        suites: what the exercises are graded with.
        settings: what the operator chose, limits among it.
    """
    together: dict[tuple[int, Limits], list[ExerciseSuite]] = {}
    for suite in suites:
        limits = limits_of(settings, suite.exercise)
        together.setdefault((id(suite.oracles), limits), []).append(suite)
    return tuple(BoxPlan(limits, calls) for (_, limits), group in together.items() for calls in _plans(group))


def limits_of(settings: Settings, exercise: Exercise) -> Limits:
    """What a box of this exercise may use: what the operator chose, else what the exercise says."""
    return Limits(
        settings.time_limit_s or exercise.time_limit_s, settings.memory_limit_mb or exercise.memory_limit_mb
    )


def _plans(suites: Sequence[ExerciseSuite]) -> Iterator[tuple[PlannedCall, ...]]:
    """The turns of exercises on the same cases: all in one order, or where there is none, each by itself."""
    each = [tuple(PlannedCall(suite, function) for function in suite.exercise.functions) for suite in suites]
    merged = tuple(_merged(each))
    whole = len(merged) == sum(map(len, each))
    yield from (merged,) if whole else each


def _merged(each: Sequence[Sequence[PlannedCall]]) -> Iterator[PlannedCall]:
    """Turns of several exercises, each exercise's in its own order, for as long as one may come next."""
    waiting = [list(calls) for calls in each]
    handed: frozenset[str] = frozenset()
    while True:
        heads = [calls[0] for calls in waiting if calls]
        rest = [planned for calls in waiting for planned in calls]
        planned = next((head for head in heads if _may_come_next(head, rest, handed)), None)
        if planned is None:
            return
        yield planned
        handed |= planned.handed
        next(calls for calls in waiting if calls and calls[0] is planned).pop(0)


def _may_come_next(planned: PlannedCall, waiting: Sequence[PlannedCall], handed: frozenset[str]) -> bool:
    """Whether what a turn is handed gives nothing away to those who still wait."""
    told = handed | planned.handed
    others = [other for other in waiting if other is not planned]
    return all(told.isdisjoint(other.asked) and told <= other.harmless for other in others)
