"""Which functions share a box, and in which order they are asked: no answer is handed out before its question.

A box is handed the true gradients that its functions ask for. What one function was handed another can find, in
the same box or, by whatever channel may be left, in a later one. So whatever is graded on the same cases is asked
in *one order in time*, however many boxes that takes, in which

* the gradient of a tensor is handed out only once every function of which it is asked has answered, and
* whoever is asked could work out all that has been handed out before from what they may ask for, without coming
  a step nearer to their own answer.

A box that is lost is replaced by one that is asked the rest of the same order, so nothing that an earlier box
could leave behind is of use in it. Exercises that have no such order, or that run under other limits, are drawn
cases of their own (:func:`case_owners`): what one of them is handed says nothing about the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.checks.cases import CaseSource
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Exercise, Function, tensor_of
from grader.course.settings import Settings
from grader.sandbox.process import Limits


@dataclass(frozen=True)
class PlannedCall:
    """One function that is to be asked.

    Args:
        exercise: its exercise.
        function: the function.
    """

    exercise: Exercise
    function: Function

    @cached_property
    def asked(self) -> frozenset[str]:
        """The tensors whose gradients it has to give."""
        return frozenset(map(tensor_of, self.function.gradients))

    @cached_property
    def handed(self) -> frozenset[str]:
        """The tensors whose gradients it may be handed."""
        return frozenset().union(*map(self.exercise.known, self.function.asks))

    @cached_property
    def harmless(self) -> frozenset[str]:
        """The tensors whose gradients bring it no nearer to its answer than what it may be handed.

        They lie nearer to the loss than that, or follow from it and lie on no way from its own tensors to the
        loss, as a weight does.
        """
        forward = self.exercise.forward
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
    """Every function of some exercises, in as few boxes as can be.

    Args:
        suites: what the exercises are graded with.
        settings: what the operator chose, limits among it.
    """
    together: dict[tuple[tuple[CaseSource, ...], Limits], list[Exercise]] = {}
    for suite in suites:
        sources = tuple(oracle.case.source for oracle in suite.oracles)
        limits = limits_of(settings, suite.exercise)
        together.setdefault((sources, limits), []).append(suite.exercise)
    return tuple(
        BoxPlan(limits, calls) for (_, limits), group in together.items() for calls in _orders(group)
    )


def case_owners(exercises: Iterable[Exercise], settings: Settings) -> Mapping[str, str]:
    """Return, by id, a name for the cases each exercise uses: exercises share cases if they can share a box.

    Args:
        exercises: all that are graded together.
        settings: what the operator chose, limits among it.
    """
    owners: dict[str, str] = {}
    groups: dict[Path, dict[str, list[Exercise]]] = {}
    for exercise in exercises:
        path = exercise.forward.path
        found = groups.setdefault(path, {})
        home = path.parent.name
        fits = (name for name, group in found.items() if _can_join(exercise, group, settings))
        owner = next(fits, f"{home}/{exercise.id}" if found else home)
        found.setdefault(owner, []).append(exercise)
        owners[exercise.id] = owner
    return owners


def _can_join(exercise: Exercise, group: Sequence[Exercise], settings: Settings) -> bool:
    """Whether an exercise can be asked in the same box as others on the same forward pass."""
    same_limits = limits_of(settings, exercise) == limits_of(settings, group[0])
    return same_limits and len(list(_orders([*group, exercise]))) == 1


def limits_of(settings: Settings, exercise: Exercise) -> Limits:
    """What a box of this exercise may use: what the operator chose, else what the exercise says."""
    return Limits(
        settings.time_limit_s or exercise.time_limit_s, settings.memory_limit_mb or exercise.memory_limit_mb
    )


def _orders(exercises: Sequence[Exercise]) -> Iterator[tuple[PlannedCall, ...]]:
    """The calls of exercises on the same cases: all in one order or, where there is none, each by itself."""
    each = [
        tuple(PlannedCall(exercise, function) for function in exercise.functions) for exercise in exercises
    ]
    merged = tuple(_merged(each))
    is_whole = len(merged) == sum(map(len, each))
    yield from (merged,) if is_whole else each


def _merged(each: Sequence[Sequence[PlannedCall]]) -> Iterator[PlannedCall]:
    """Calls of several exercises, each exercise's in its own order, for as long as one may come next."""
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
    """Whether what a function is handed gives nothing away to those that still wait."""
    told = handed | planned.handed
    others = [other for other in waiting if other is not planned]
    return all(told.isdisjoint(other.asked) and told <= other.harmless for other in others)
