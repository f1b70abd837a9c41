"""Conducts one submission from box to scorecard.

The judge alone knows the truth and writes the score. It asks every stub in order, nearest the loss first, holds
each answer against the oracle, and never lets one stub's trouble reach another: upstreams are the true ones,
a box that is lost in one stub is replaced for the next, and a stub that fails in a box where others ran before
it is asked once more in a fresh one.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import torch

import grader
from grader.answers import Answer, Failed, Stub
from grader.bench import Bench, Trial
from grader.box.box import Box, BoxDied, Limits, Opener, Source
from grader.cases import RANDOM, cases
from grader.check import NOT_RUN, Verdict, check, compare
from grader.course import Course
from grader.exercise import Exercise, tensor_of
from grader.forward import did_you_mean
from grader.heat import error_map, worst
from grader.oracle import Oracle
from grader.scorecard import (
    SCHEMA_ID,
    CaseResult,
    Difference,
    ExerciseResult,
    Fault,
    ForwardLine,
    Gradient,
    GraderInfo,
    Outcome,
    Scorecard,
    SubmissionId,
)
from grader.settings import Settings
from grader.submission import HandedIn, Submission

FRAGILE = "right for this loss, but not for other upstreams: it leans on what happens to hold here"
UNKNOWN = Difference(None, None)


def prepare_benches(course: Course, exercises: Sequence[Exercise], settings: Settings) -> tuple[Bench, ...]:
    """Draw the cases and gather the witnesses of some exercises.

    Raises:
        CourseError, OperatorError: the course or the word list is broken.
    """
    torch.set_num_threads(1)
    made: dict[int, tuple[Oracle, ...]] = {}
    benches = []
    for exercise in exercises:
        drawn = cases(exercise, settings.seed, settings.words)
        oracles = made.setdefault(id(drawn), tuple(Oracle(case) for case in drawn))
        benches.append(Bench(exercise, oracles, course.reference(exercise)))
    return tuple(benches)


@dataclass(frozen=True)
class Judge:
    """Grades submissions on some exercises of a course, one at a time."""

    opener: Opener
    benches: tuple[Bench, ...]
    settings: Settings

    def grade(self, submission: Submission) -> Scorecard:
        """The scorecard of one submission.

        Raises:
            IsolationError: no box can be opened.
        """
        results = tuple(self._exercise(bench, submission.files.get(bench.exercise.id)) for bench in self.benches)
        return Scorecard(
            schema=SCHEMA_ID,
            submission=SubmissionId(submission.name, submission.digest),
            grader=GraderInfo(
                grader.__version__, platform.python_version(), str(torch.__version__), self.settings.seed
            ),
            isolation=self.opener.isolation,
            score=sum(result.score for result in results),
            max_score=sum(result.max_score for result in results),
            exercises=results,
        )

    def _exercise(self, bench: Bench, handed_in: HandedIn | None) -> ExerciseResult:
        exercise = bench.exercise
        limits = self.settings.limits(exercise)
        with Hearing(self.opener, limits, handed_in.source if handed_in else None, exercise.asks) as hearing:
            gradients = tuple(self._gradient(bench, ask, handed_in, hearing) for ask in exercise.asks)
        graded = [gradient for gradient in gradients if gradient.score is not None]
        return ExerciseResult(
            id=exercise.id,
            title=exercise.title,
            file=handed_in.filename if handed_in else None,
            score=sum(gradient.score or 0 for gradient in graded),
            max_score=sum(gradient.max_score for gradient in graded),
            gradients=gradients,
            forward=_forward_lines(exercise),
        )

    def _gradient(self, bench: Bench, ask: str, handed_in: HandedIn | None, hearing: Hearing) -> Gradient:
        if ask in bench.faults:
            return report(bench, ask, Hearsay(Failed(Outcome.GRADER_FAULT, bench.faults[ask])))
        if handed_in is None:
            return report(bench, ask, Hearsay(Failed(Outcome.MISSING, f"no file {bench.exercise.id}.py")))
        if handed_in.problem is not None:
            fault = Fault("UnreadableFile", f"{handed_in.filename}: {handed_in.problem}", None, ())
            return report(bench, ask, Hearsay(Failed(Outcome.ERROR, fault.message, fault)))
        return report(bench, ask, hearing.ask(bench, ask))


@dataclass(frozen=True)
class Hearsay:
    """What became of one stub: its trials and their verdicts, or the failure that came before any trial."""

    failed: Failed | None = None
    stub: Stub | None = None
    trials: tuple[tuple[Trial, Verdict], ...] = ()
    output: str | None = None
    seconds: float = 0.0

    @property
    def deciding(self) -> Verdict:
        """The verdict that decides: the first that costs the points, else that of the lecture's case."""
        if self.failed is not None:
            return Verdict(self.failed.outcome, failure=self.failed)
        decisive = [verdict for trial, verdict in self.trials if trial.decides]
        return next((verdict for verdict in decisive if not verdict.outcome.scores), decisive[0])


@dataclass
class Hearing:
    """Asks the stubs of one file, one after another, and opens another box where one was lost or is in doubt."""

    opener: Opener
    limits: Limits
    source: Source | None
    asks: tuple[str, ...]
    _box: Box | None = None
    _stubs: Mapping[str, Stub] = field(default_factory=dict)
    _failed: Failed | None = None
    _output: str | None = None
    _used: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()

    def ask(self, bench: Bench, name: str) -> Hearsay:
        """Ask one stub all its trials; once more in a fresh box if it fails where others ran before it."""
        self._enter()
        used = self._used
        heard = self._hear(bench, name)
        worth_another = heard.deciding.outcome not in (Outcome.MISSING, Outcome.TIMED_OUT)
        if not used or not worth_another or heard.deciding.outcome.scores or heard.stub is None:
            return heard
        self._leave()
        self._enter()
        return self._hear(bench, name)

    def _hear(self, bench: Bench, name: str) -> Hearsay:
        failed = self._failed or self._unanswerable(bench.exercise, name)
        stub = self._stubs.get(name)
        if failed is not None or stub is None or self._box is None:
            return Hearsay(failed, stub, output=self._output)
        trials = bench.trials(name, frozenset(_asked(bench.exercise, name, stub)))
        self._used = True
        try:
            reply = self._box.call(name, [trial.arguments for trial in trials])
        except BoxDied as death:
            self._leave()
            return Hearsay(death.failed, stub)
        verdicts = _verdicts(bench.exercise, trials, reply.answers)
        return Hearsay(None, stub, tuple(zip(trials, verdicts, strict=True)), reply.output, reply.seconds)

    def _unanswerable(self, exercise: Exercise, name: str) -> Failed | None:
        """Why a stub cannot be called, if it cannot: it is not there, or asks for what there is not."""
        stub = self._stubs.get(name)
        if stub is None:
            filename = self.source.filename if self.source else f"{exercise.id}.py"
            return Failed(Outcome.MISSING, f"no function {name} in {filename}")
        allowed = exercise.may_ask(name)
        for parameter in stub.parameters:
            if parameter.required and parameter.name not in allowed:
                message = f"{name} asks for `{parameter.name}`, which is not handed out"
                message += did_you_mean(parameter.name, allowed)
                return Failed(Outcome.ERROR, message, Fault("UnknownParameter", message, stub.line, ()))
        return None

    def _enter(self) -> None:
        """See to it that there is a box in which the file has been loaded, unless it cannot be."""
        if self._box is not None or self._failed is not None or self.source is None:
            return
        self._box = Box(self.opener.open(self.limits), self.limits)
        self._used = False
        try:
            self._stubs, self._failed, self._output = self._box.load(self.source, self.asks)
        except BoxDied as death:
            self._leave()
            self._failed = death.failed

    def _leave(self) -> None:
        if self._box is not None:
            self._box.close()
            self._box = None


def _asked(exercise: Exercise, name: str, stub: Stub) -> Iterator[str]:
    """The parameters of a stub that can be handed out; the others have defaults."""
    allowed = exercise.may_ask(name)
    return (parameter.name for parameter in stub.parameters if parameter.name in allowed)


def _verdicts(exercise: Exercise, trials: Sequence[Trial], answers: Sequence[Answer]) -> list[Verdict]:
    """Each answer checked; trials that were not come to, because the stub raised, are not run."""
    heard = [
        check(answer, trial.truth, strict_shapes=exercise.strict_shapes, derived=trial.derived)
        for trial, answer in zip(trials, answers, strict=False)
    ]
    return heard + [NOT_RUN] * (len(trials) - len(heard))


def report(bench: Bench, ask: str, heard: Hearsay) -> Gradient:
    """One gradient's line in the scorecard."""
    exercise = bench.exercise
    decided = heard.deciding
    truth = bench.oracles[0].truths[tensor_of(ask)]
    first = heard.trials[0][1] if heard.trials else Verdict(decided.outcome)
    lecture = first.tensor
    autograd = compare(lecture, truth.autograd) if lecture is not None else UNKNOWN
    shown = next((pair for pair in heard.trials if pair[1] is decided), None)
    ours = decided.outcome is Outcome.GRADER_FAULT
    return Gradient(
        name=ask,
        outcome=decided.outcome,
        score=None if ours else exercise.points * decided.outcome.scores,
        max_score=exercise.points,
        exact=first.exact,
        max_abs_diff=autograd.max_abs_diff,
        line=heard.stub.line if heard.stub else None,
        seconds=heard.seconds,
        autograd=autograd,
        reference=bench.reference_difference(ask, lecture) if lecture is not None else None,
        cases=tuple(_case_results(bench, ask, heard)),
        hint=None,
        error=decided.failure.fault if decided.failure else None,
        through=tuple(step.name for step in exercise.through(ask)),
        shown_case=shown[0].name if shown else bench.oracles[0].case.name,
        expected_shape=tuple(shown[0].truth.precise.shape) if shown else tuple(truth.precise.shape),
        found_shape=decided.found_shape,
        worst=worst(shown[1].tensor, shown[0].truth) if shown and _is_off(decided) else None,
        error_map=error_map(shown[1].tensor, shown[0].truth) if shown and _is_off(decided) else None,
        notes=tuple(_notes(heard)),
        output=heard.output,
    )


def _is_off(verdict: Verdict) -> bool:
    """Whether there is a tensor of the right shape with wrong numbers in it, so that one can show where."""
    return verdict.tensor is not None and not verdict.outcome.scores


def _case_results(bench: Bench, ask: str, heard: Hearsay) -> Iterator[CaseResult]:
    for trial, verdict in heard.trials:
        yield CaseResult(trial.name, verdict.outcome, verdict.difference, trial.truth.tolerance, trial.decides)
    if not heard.trials:
        outcome = heard.deciding.outcome
        for oracle in bench.oracles:
            ran = outcome if oracle is bench.oracles[0] else Outcome.NOT_RUN
            yield CaseResult(oracle.case.name, ran, None, oracle.truths[tensor_of(ask)].tolerance, True)


def _notes(heard: Hearsay) -> Iterator[str]:
    decided = heard.deciding
    if decided.failure is not None and decided.failure.fault is None:
        yield decided.failure.message
    yield from dict.fromkeys(note for _, verdict in heard.trials for note in verdict.notes)
    for trial, verdict in heard.trials:
        if trial.name == RANDOM and not trial.decides and decided.outcome.scores and not verdict.outcome.scores:
            yield FRAGILE


def _forward_lines(exercise: Exercise) -> tuple[ForwardLine, ...]:
    """The forward pass, each line with the gradients that are complete once one has gone back through it."""
    complete: dict[str, list[str]] = {step.name: [] for step in exercise.forward.steps}
    for ask in exercise.asks:
        complete[exercise.through(ask)[0].name].append(ask)
    return tuple(
        ForwardLine(step.name, step.source, tuple(complete[step.name])) for step in exercise.forward.steps
    )
