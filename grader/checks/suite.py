"""What one exercise is graded with: its oracles, its witnesses, and the trials of each stub.

Made once per run and used for every submission: nothing in here depends on whose work is graded, but for the
parameters a stub asks for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from grader.bounded import BoundedDict
from grader.checks.cases import RANDOM, Case
from grader.checks.check import Check, part
from grader.checks.compare import Verdict, compare, measure
from grader.checks.descent import DescentOracle
from grader.checks.oracle import Blind, ExpectedGradient, Oracle
from grader.course.exercise import PARAMETERS, Exercise, Function, tensor_of
from grader.course.forward import LOSS
from grader.sandbox import values
from grader.sandbox.answers import Called, Failed
from grader.sandbox.replies import Content, read_answer, weight
from grader.sandbox.requests import Arguments, Calls, Replies, no_replies
from grader.scorecard.model import Difference, ForwardLine, Gradient, Outcome

Reference = Mapping[str, Callable[..., Any]]

Asked = Mapping[str, tuple[tuple[Check, Verdict], ...]]
"""The trials of each ask of a function, and what became of them."""

Told = tuple[str, frozenset[str], Content]
"""A function's name, the parameters it was asked with, and what came back from it."""

Reported = tuple[str, str, int | None, Told]
"""What there is to say of an ask follows from it, the hints wished for, the stub's line and what was told."""

ASKED_BYTES = 32 << 20
REPORTS_BYTES = 32 << 20
"""As much is kept of what is worked out of replies: some dozens for each function of a course."""

REPORT_BYTES = 16 << 10
"""What one report takes, written out; its words come on top."""


@dataclass(frozen=True)
class ExerciseSuite:
    """One exercise, ready to grade with.

    Args:
        exercise: the exercise.
        oracles: one per case, the lecture's first.
        reference: the instructor's solution by function name, None where the course has none.
        descents: what the functions that descend are held against, by function name.
        kept: what others work out about this exercise once and wish to keep, by their own name for it.
        replies: what was read out of what came back.
        asked: what became of the trials of a function, by what came back from it.
        reports: what there is to say of an ask, by all that it follows from.
    """

    exercise: Exercise
    oracles: tuple[Oracle, ...]
    reference: Reference | None
    descents: Mapping[str, DescentOracle] = field(default_factory=dict)
    kept: dict[str, object] = field(default_factory=dict, repr=False, compare=False)
    replies: Replies = field(default_factory=no_replies, repr=False, compare=False)
    asked: dict[Told, Asked] = field(
        default_factory=lambda: BoundedDict(ASKED_BYTES, lambda told, asked: weight(told[-1])),
        repr=False,
        compare=False,
    )
    reports: dict[Reported, Gradient] = field(
        default_factory=lambda: BoundedDict(
            REPORTS_BYTES, lambda key, report: REPORT_BYTES + weight(key[-1][-1])
        ),
        repr=False,
        compare=False,
    )
    _checks: dict[tuple[str, frozenset[str]], tuple[Check, ...]] = field(
        default_factory=BoundedDict, repr=False
    )
    _calls: dict[tuple[str, frozenset[str]], Calls] = field(default_factory=BoundedDict, repr=False)
    _faults: dict[str, str | None] = field(default_factory=dict, repr=False)
    _references: dict[str, Sequence[Called]] = field(default_factory=dict, repr=False)
    _reference_s: dict[str, float] = field(default_factory=dict, repr=False)
    _verdicts: dict[str, tuple[tuple[Check, Verdict], ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def lines(self) -> tuple[ForwardLine, ...]:
        """The forward pass, each line with the gradients that are complete once one has gone back through it."""
        steps = self.exercise.forward.steps
        complete: dict[str, list[str]] = {step.name: [] for step in steps}
        for ask in self.exercise.gradients:
            complete[self.exercise.through(ask)[0].name].append(ask)
        return tuple(ForwardLine(step.name, step.source, tuple(complete[step.name])) for step in steps)

    @cached_property
    def blind(self) -> Blind:
        """Where the plain loss of these cases sees nothing."""
        return Blind.measure(self.oracles)

    def checks(self, ask: str, parameters: frozenset[str]) -> tuple[Check, ...]:
        """What one ask is held against when its function has these parameters, the lecture's case first.

        Args:
            ask: what is graded.
            parameters: names it asks for, all of them in :meth:`Exercise.may_ask`.
        """
        key = (ask, parameters)
        if key not in self._checks:
            self._checks[key] = tuple(self._make_checks(ask, parameters))
        return self._checks[key]

    def calls(self, function: Function, parameters: frozenset[str]) -> Calls:
        """Every call of a function that has these parameters: what it is called with."""
        key = (function.name, parameters)
        if key not in self._calls:
            called = {t.call: t.arguments for ask in function.asks for t in self.checks(ask, parameters)}
            self._calls[key] = Calls((called[position] for position in sorted(called)), self.replies)
        return self._calls[key]

    def forget(self) -> None:
        """Forget what came back before, so that the same is checked and diagnosed as if for the first time."""
        for kept in (self.replies, self.asked, self.reports):
            kept.clear()

    def after(self, function: Function) -> tuple[str, ...]:
        """The arguments a function may change in place, and is graded by."""
        return (PARAMETERS,) if function.name in self.descents else ()

    def planned(self, ask: str) -> tuple[tuple[str, float | None], ...]:
        """The cases of an ask that was never put, by name, and their tolerances where they are at hand."""
        if ask not in self.exercise.gradients:
            descent = self.descents[self.exercise.function_of(ask).name].descent
            return ((f"{descent.steps} steps", None),)
        return tuple((o.case.name, o.expected[tensor_of(ask)].tolerance) for o in self.oracles)

    def shape(self, ask: str) -> tuple[int, ...]:
        """The shape an answer to the first case has."""
        if ask not in self.exercise.gradients:
            return self.descents[self.exercise.function_of(ask).name].shape(ask)
        return tuple(self.oracles[0].expected[tensor_of(ask)].precise.shape)

    def _make_checks(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        function = self.exercise.function_of(ask)
        if function.name in self.descents:
            yield from self.descents[function.name].checks(ask)
        elif function.parameters is not None:
            yield from self._parts(function, ask, parameters)
        else:
            yield from self._stub(ask, parameters)

    def _parts(self, function: Function, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        """One of several gradients of a function that is handed none, so that none of them can be random."""
        tensor = tensor_of(ask)
        extract = part(function.places[ask], function.returns or "")
        for call, oracle in enumerate(self.oracles):
            expected = oracle.expected[tensor]
            arguments = self._arguments(oracle.expected, oracle.case, parameters)
            derived = tensor in self.blind.tensors and expected.vanishes
            yield Check(oracle.case.name, arguments, expected, True, derived, call, extract)

    def _stub(self, ask: str, parameters: frozenset[str]) -> Iterator[Check]:
        tensor = tensor_of(ask)
        for call, oracle in enumerate(self.oracles):
            expected = oracle.expected[tensor]
            arguments = self._arguments(oracle.expected, oracle.case, parameters)
            yield Check(oracle.case.name, arguments, expected, decides=True, call=call)
        asked = self._upstreams(parameters) - {LOSS}
        lines = {step.name for step in self.exercise.forward.users(tensor)}
        is_blind = tensor in self.blind.tensors
        drawn = lines if is_blind and not asked else asked
        if not drawn:
            return
        fresh = self.oracles[-1] if len(self.oracles) == 1 else self.oracles[1]
        gradients = fresh.random(drawn, drawn | {tensor})
        expected = gradients[tensor]
        sees_path = bool(asked & lines) and any(name == tensor for name, _ in self.blind.paths)
        yield Check(
            RANDOM,
            self._arguments(gradients, fresh.case, parameters),
            expected,
            decides=is_blind or sees_path,
            derived=is_blind and expected.vanishes,
            call=len(self.oracles),
        )

    def _upstreams(self, parameters: frozenset[str]) -> frozenset[str]:
        """The tensors whose gradients are among a stub's parameters."""
        return frozenset(tensor_of(name) for name in parameters if name not in self.exercise.forward.names)

    def _arguments(
        self, expected: Mapping[str, ExpectedGradient], case: Case, parameters: frozenset[str]
    ) -> Arguments:
        found: dict[str, Any] = {name: case.values[name] for name in parameters if name in case.values}
        for tensor in self._upstreams(parameters):
            found[f"d{tensor}"] = torch.tensor(1.0) if tensor == LOSS else expected[tensor].autograd
        return dict(sorted(found.items()))

    @cached_property
    def faults(self) -> Mapping[str, str]:
        """The asks whose witnesses disagree, and how: these are the grader's own fault."""
        found = {ask: self.fault(ask) for ask in self.exercise.asks}
        return {ask: fault for ask, fault in found.items() if fault is not None}

    def fault(self, ask: str) -> str | None:
        """How the witnesses of one ask disagree, None where they do not."""
        if ask not in self._faults:
            self._faults[ask] = next(self._disagreements(ask), None)
        return self._faults[ask]

    def _disagreements(self, ask: str) -> Iterator[str]:
        function = self.exercise.function_of(ask)
        for check in self.checks(ask, frozenset(function.parameters or ())):
            expected = check.expected
            if check.decides and not (
                expected.precise.isfinite().all() and expected.admits(expected.autograd)
            ):
                yield f"autograd in float32 and in float64 disagree in case {check.name}"
        for check, verdict in self._referred(ask):
            if check.decides and not verdict.outcome.scores:
                what = f": {verdict.failure.message}" if verdict.failure else ""
                yield f"the reference is {verdict.outcome} in case {check.name}{what}"

    def reference_s(self, function: Function) -> float:
        """Processor seconds that the reference needs for all calls of a function; 0 where that is not known.

        Where a function that trains has no reference, autograd's own training stands in.
        """
        reference = (self.reference or {}).get(function.name)
        if reference is not None:
            self._called(function, reference)
            return self._reference_s[function.name]
        return self.descents[function.name].single.seconds if function.name in self.descents else 0.0

    def reference_differences(self, ask: str, answers: Sequence[torch.Tensor]) -> Difference | None:
        """How far the answers to the first case are from the reference's, None without a reference."""
        pairs = [
            (answer.reshape(check.expected.precise.shape), verdict.tensor)
            for answer, (check, verdict) in zip(answers, self._referred(ask), strict=False)
            if verdict.tensor is not None
        ]
        return largest([measure(*pair) for pair in pairs]) if pairs else None

    def _referred(self, ask: str) -> tuple[tuple[Check, Verdict], ...]:
        """The reference's answers to an ask's trials, and what became of them; worked out once."""
        if ask not in self._verdicts:
            self._verdicts[ask] = self._refer(ask)
        return self._verdicts[ask]

    def _refer(self, ask: str) -> tuple[tuple[Check, Verdict], ...]:
        function = (self.reference or {}).get(self.exercise.function_of(ask).name)
        if function is None:
            return ()
        checks = self.checks(ask, _parameters(function))
        called = self._called(self.exercise.function_of(ask), function)
        return tuple((t, compare(t.extract(called[t.call]), t.expected, derived=t.derived)) for t in checks)

    def _called(self, function: Function, reference: Callable[..., Any]) -> Sequence[Called]:
        """What the reference makes of each call of a function, worked out once."""
        if function.name not in self._references:
            calls = self.calls(function, _parameters(reference))
            started = time.thread_time()
            self._references[function.name] = [_refer(reference, one, self.after(function)) for one in calls]
            self._reference_s[function.name] = time.thread_time() - started
        return self._references[function.name]


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    code = function.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _refer(function: Callable[..., Any], arguments: Arguments, after: Sequence[str]) -> Called:
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
