"""What one exercise is graded with: its oracles, its witnesses, and the trials of each stub.

Made once per run and used for every submission: nothing in here depends on whose work is graded, but for the
parameters a stub asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from grader.answers import Returned
from grader.box.box import Arguments
from grader.cases import RANDOM, Case
from grader.check import Verdict, check, compare
from grader.exercise import Exercise, tensor_of
from grader.forward import LOSS
from grader.oracle import Blind, Oracle, Truth
from grader.scorecard import Difference, Outcome

Reference = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Trial:
    """One call of a stub, and what it is held against.

    Args:
        name: the case's name.
        arguments: what the stub is called with.
        truth: what it should return.
        decides: whether points hang on it; elsewhere a failure is a note.
        derived: the truth vanishes although the stub's upstreams are random; see :func:`grader.check.check`.
    """

    name: str
    arguments: Arguments = field(repr=False)
    truth: Truth = field(repr=False)
    decides: bool
    derived: bool = False


@dataclass(frozen=True)
class Bench:
    """One exercise, ready to grade with.

    Args:
        exercise: the exercise.
        oracles: one per case, the lecture's first.
        reference: the instructor's solution by stub name, None where the course has none.
    """

    exercise: Exercise
    oracles: tuple[Oracle, ...]
    reference: Reference | None
    _trials: dict[tuple[str, frozenset[str]], tuple[Trial, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def blind(self) -> Blind:
        """Where the plain loss of these cases sees nothing."""
        return Blind.measure(self.oracles)

    def trials(self, ask: str, parameters: frozenset[str]) -> tuple[Trial, ...]:
        """Every call of a stub that has these parameters, the lecture's case first.

        Args:
            ask: the stub's name.
            parameters: names it asks for, all of them in :meth:`Exercise.may_ask`.
        """
        key = (ask, parameters)
        if key not in self._trials:
            self._trials[key] = tuple(self._make_trials(ask, parameters))
        return self._trials[key]

    def _make_trials(self, ask: str, parameters: frozenset[str]) -> Iterator[Trial]:
        tensor = tensor_of(ask)
        for oracle in self.oracles:
            truth = oracle.truths[tensor]
            arguments = self._arguments(oracle.truths, oracle.case, parameters)
            yield Trial(oracle.case.name, arguments, truth, decides=True)
        asked = self._upstreams(parameters) - {LOSS}
        lines = {step.name for step in self.exercise.forward.users(tensor)}
        is_blind = tensor in self.blind.tensors
        drawn = lines if is_blind and not asked else asked
        if not drawn:
            return
        fresh = self.oracles[-1] if len(self.oracles) == 1 else self.oracles[1]
        truths = fresh.random(drawn, drawn | {tensor})
        truth = truths[tensor]
        sees_path = bool(asked & lines) and any(name == tensor for name, _ in self.blind.paths)
        yield Trial(
            RANDOM,
            self._arguments(truths, fresh.case, parameters),
            truth,
            decides=is_blind or sees_path,
            derived=is_blind and truth.vanishes,
        )

    def _upstreams(self, parameters: frozenset[str]) -> frozenset[str]:
        """The tensors whose gradients are among a stub's parameters."""
        return frozenset(tensor_of(name) for name in parameters if name not in self.exercise.forward.names)

    def _arguments(self, truths: Mapping[str, Truth], case: Case, parameters: frozenset[str]) -> Arguments:
        found: dict[str, Any] = {name: case.values[name] for name in parameters if name in case.values}
        for tensor in self._upstreams(parameters):
            found[f"d{tensor}"] = torch.tensor(1.0) if tensor == LOSS else truths[tensor].autograd
        return dict(sorted(found.items()))

    @cached_property
    def faults(self) -> Mapping[str, str]:
        """The gradients whose witnesses disagree, and how: these are the grader's own fault."""
        found = {}
        for ask in self.exercise.asks:
            for oracle in self.oracles:
                truth = oracle.truths[tensor_of(ask)]
                if not truth.precise.isfinite().all() or not truth.admits(truth.autograd):
                    found[ask] = f"autograd in float32 and in float64 disagree in case {oracle.case.name}"
            for trial, verdict in self._referred(ask):
                if trial.decides and not verdict.outcome.scores:
                    what = f": {verdict.failure.message}" if verdict.failure else ""
                    found[ask] = f"the reference is {verdict.outcome} in case {trial.name}{what}"
        return found

    def reference_difference(self, ask: str, answer: torch.Tensor) -> Difference | None:
        """How far an answer to the lecture's case is from the reference's, None without a reference."""
        for trial, verdict in self._referred(ask)[:1]:
            if verdict.tensor is not None:
                return compare(answer.reshape(trial.truth.precise.shape), verdict.tensor)
        return None

    def _referred(self, ask: str) -> tuple[tuple[Trial, Verdict], ...]:
        """The reference's answers to a stub's trials, and what became of them."""
        return self._references.get(ask, ())

    @cached_property
    def _references(self) -> Mapping[str, tuple[tuple[Trial, Verdict], ...]]:
        found = {}
        for ask, function in (self.reference or {}).items():
            trials = self.trials(ask, _parameters(function))
            found[ask] = tuple((trial, _refer(function, trial)) for trial in trials)
        return found


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    code = function.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _refer(function: Callable[..., Any], trial: Trial) -> Verdict:
    copies = {n: v.clone() if isinstance(v, torch.Tensor) else v for n, v in trial.arguments.items()}
    try:
        answer = function(**copies)
    except Exception as error:
        from grader.answers import Failed

        return Verdict(Outcome.ERROR, failure=Failed(Outcome.ERROR, f"{type(error).__name__}: {error}"))
    return check(Returned(answer), trial.truth, derived=trial.derived)
