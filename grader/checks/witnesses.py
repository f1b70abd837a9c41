"""The sources an expected gradient is confirmed by: autograd in two precisions, and the instructor's solution.

Where they disagree the exercise is broken: that is the grader's fault, and never a student's zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from grader.bounded import BoundedDict
from grader.checks.check import Check
from grader.checks.compare import Verdict, measure
from grader.checks.descent import DescentOracle
from grader.course.exercise import Exercise, Function
from grader.sandbox import values
from grader.sandbox.answers import Called, Failed
from grader.sandbox.replies import read_answer
from grader.sandbox.requests import Arguments, Calls
from grader.scorecard.model import Difference, Outcome

Reference = Mapping[str, Callable[..., Any]]
"""The instructor's solution: its functions by name."""


class Confirmed(Protocol):
    """What is confirmed: see :class:`grader.checks.suite.ExerciseSuite`."""

    @property
    def exercise(self) -> Exercise: ...  # noqa: D102  (told there)
    @property
    def reference(self) -> Reference | None: ...  # noqa: D102
    @property
    def descents(self) -> Mapping[str, DescentOracle]: ...  # noqa: D102
    def checks(self, ask: str, parameters: frozenset[str]) -> tuple[Check, ...]: ...  # noqa: D102
    def calls(self, function: Function, parameters: frozenset[str]) -> Calls: ...  # noqa: D102
    def after(self, function: Function) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Witnesses:
    """What confirms the expected gradients of one suite; each is heard once.

    Args:
        suite: the suite.
    """

    suite: Confirmed = field(repr=False)
    _faults: BoundedDict[str, str | None] = field(default_factory=BoundedDict, repr=False)
    _called: BoundedDict[str, Sequence[Called]] = field(default_factory=BoundedDict, repr=False)
    _seconds: dict[str, float] = field(default_factory=dict, repr=False)
    _verdicts: BoundedDict[str, tuple[tuple[Check, Verdict], ...]] = field(
        default_factory=BoundedDict, repr=False
    )

    def fault(self, ask: str) -> str | None:
        """How the witnesses of one ask disagree, None where they do not."""
        return self._faults.once(ask, lambda: next(self._disagreements(ask), None))

    def seconds(self, function: Function) -> float:
        """Processor seconds that the reference needs for all calls of a function; 0 where that is not known.

        Where a function that trains has no reference, autograd's own training stands in.
        """
        reference = (self.suite.reference or {}).get(function.name)
        if reference is not None:
            self._called.once(function.name, lambda: self._call(function, reference))
            return self._seconds[function.name]
        descent = self.suite.descents.get(function.name)
        return descent.single.seconds if descent is not None else 0.0

    def differences(self, ask: str, answers: Sequence[torch.Tensor]) -> Difference | None:
        """How far the answers to the first case are from the reference's, None without a reference."""
        pairs = [
            (answer.reshape(check.expected.precise.shape), verdict.tensor)
            for answer, (check, verdict) in zip(answers, self._referred(ask), strict=False)
            if verdict.tensor is not None
        ]
        return largest([measure(*pair) for pair in pairs]) if pairs else None

    def _disagreements(self, ask: str) -> Iterator[str]:
        # What is expected is the same whatever the function takes.
        for check in self.suite.checks(ask, frozenset()):
            expected = check.expected
            if check.decides and not (
                expected.precise.isfinite().all() and expected.admits(expected.autograd)
            ):
                yield f"autograd in float32 and in float64 disagree in case {check.name}"
        for check, verdict in self._referred(ask):
            if check.decides and not verdict.outcome.scores:
                what = f": {verdict.failure.message}" if verdict.failure else ""
                yield f"the reference is {verdict.outcome} in case {check.name}{what}"

    def _referred(self, ask: str) -> tuple[tuple[Check, Verdict], ...]:
        """The reference's answers to an ask's checks, and the verdicts on them."""
        return self._verdicts.once(ask, lambda: self._refer(ask))

    def _refer(self, ask: str) -> tuple[tuple[Check, Verdict], ...]:
        function = self.suite.exercise.function_of(ask)
        reference = (self.suite.reference or {}).get(function.name)
        if reference is None:
            return ()
        checks = self.suite.checks(ask, _parameters(reference))
        called = self._called.once(function.name, lambda: self._call(function, reference))
        return tuple((check, check.verdict(called[check.call])) for check in checks)

    def _call(self, function: Function, reference: Callable[..., Any]) -> Sequence[Called]:
        """What the reference makes of each call of a function."""
        calls = self.suite.calls(function, _parameters(reference))
        started = time.thread_time()
        called = [_call(reference, one, self.suite.after(function)) for one in calls]
        self._seconds[function.name] = time.thread_time() - started
        return called


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    code = function.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _call(function: Callable[..., Any], arguments: Arguments, after: Sequence[str]) -> Called:
    """Call a reference as a box calls a submission."""
    tensors: dict[str, torch.Tensor] = {}
    packed = {name: values.pack(value, name, tensors) for name, value in arguments.items()}
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    own = {name: values.build(described, copies) for name, described in packed.items()}
    try:
        returned = function(**own)
    except Exception as error:
        return Called(Failed(Outcome.ERROR, f"{type(error).__name__}: {error}"))
    found: dict[str, torch.Tensor] = {}
    describer = values.Describer(found)
    told = describer.describe(returned, "returned")
    left = {name: describer.describe(own[name], name) for name in after}
    return Called(read_answer(told, found), {name: read_answer(about, found) for name, about in left.items()})


def largest(differences: Sequence[Difference]) -> Difference:
    """The largest of some differences, unknown where one of them is."""
    absolute = [difference.max_abs_diff for difference in differences]
    relative = [difference.max_rel_diff for difference in differences]
    return Difference(_largest(absolute), _largest(relative))


def _largest(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None
