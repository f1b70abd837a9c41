"""Grade one submission, from its boxes to its scorecard.

The judge alone knows the expected gradients and writes the score. It has every function asked in order, compares
each part of an answer with what is expected, and keeps one function's trouble from the others: upstreams are the
true ones, and no function answers for what another did in its box.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch

import grader
from grader.checks.cases import RANDOM
from grader.checks.compare import Verdict, measure
from grader.checks.error_map import error_map, worst
from grader.checks.suite import ExerciseSuite
from grader.checks.witnesses import largest
from grader.course.exercise import Exercise, Function
from grader.course.settings import Settings
from grader.grading.incremental import FunctionCache, Reusable
from grader.grading.patience import Patience
from grader.grading.placing import placed
from grader.grading.plan import BoxPlan, box_plans
from grader.grading.runner import FunctionResult, Runner
from grader.grading.suites import own_suites
from grader.hints import diagnose, reduced
from grader.sandbox.answers import Failed
from grader.sandbox.process import Limits, Opener
from grader.scorecard.model import (
    SCHEMA_ID,
    CaseResult,
    Difference,
    ExerciseResult,
    GraderInfo,
    Gradient,
    Outcome,
    Scorecard,
    StudentError,
    SubmissionId,
    Training,
)
from grader.submissions.notebooks.stubs import Work, interpret
from grader.submissions.submission import Submission

FRAGILE = "right for this loss, but not for other upstreams: it leans on what happens to hold here"
UNKNOWN = Difference(None, None)


@dataclass(frozen=True)
class Judge:
    """Grades submissions on some exercises of a course, one at a time.

    Args:
        opener: opens boxes.
        suites: what the exercises are graded with.
        settings: what the operator chose.
        exercises: all of the course, by which a script's derivations are told apart; those graded where empty.
        memory: the last results of functions, where one person's work is graded again and again.
    """

    opener: Opener
    suites: tuple[ExerciseSuite, ...]
    settings: Settings
    exercises: tuple[Exercise, ...] = ()
    memory: FunctionCache | None = None

    def grade(self, submission: Submission) -> Scorecard:
        """The scorecard of one submission.

        Raises:
            IsolationError: no box can be opened.
        """
        exercises = self.exercises or tuple(suite.exercise for suite in self.suites)
        work = interpret(submission.files, exercises)
        suites = {suite.exercise.id: suite for suite in self._suites(submission)}
        reusable = self._reusable(work)
        answers = dict(self._ask(suites, work, reusable))
        results = tuple(
            self._exercise(suite, work.get(name), answers, reusable) for name, suite in suites.items()
        )
        return self._scorecard(submission, results)

    def refuse(self, submission: Submission, reason: str) -> Scorecard:
        """A scorecard that says of every gradient that the grader failed; the submission is not touched.

        Args:
            submission: whose.
            reason: why the grader failed.
        """
        failed = FunctionResult(Failed(Outcome.GRADER_FAULT, reason))
        failures = {(b.exercise.id, name): failed for b in self.suites for name in b.exercise.stubs}
        plain = replace(self, memory=None)
        results = tuple(plain._exercise(suite, None, failures, Reusable()) for suite in self.suites)
        return self._scorecard(submission, results)

    def _scorecard(self, submission: Submission, results: tuple[ExerciseResult, ...]) -> Scorecard:
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

    @cached_property
    def _plans(self) -> tuple[BoxPlan, ...]:
        return box_plans(self.suites, self.settings)

    def _suites(self, submission: Submission) -> tuple[ExerciseSuite, ...]:
        """What a submission is graded with."""
        if not self.settings.own_cases:
            return self.suites
        return own_suites(self.suites, self.settings, submission.digest)

    def _reusable(self, work: Mapping[str, Work]) -> Reusable:
        if self.memory is None:
            return Reusable()
        sources = {name: one.handed_in.source for name, one in work.items()}
        found = ((suite.exercise, sources.get(suite.exercise.id)) for suite in self.suites)
        return self.memory.reusable((exercise, source) for exercise, source in found if source is not None)

    def _ask(
        self, suites: Mapping[str, ExerciseSuite], work: Mapping[str, Work], reusable: Reusable
    ) -> Iterator[tuple[tuple[str, str], FunctionResult]]:
        """The result of each function that is not known already, by its exercise and its name."""
        patience = self._patience(suites)
        for plan in self._plans:
            apart = reusable.apart(planned.exercise.id for planned in plan.calls)
            with Runner(self.opener, plan.limits, patience[plan.limits], apart) as runner:
                for planned in plan.calls:
                    suite, function = suites[planned.exercise.id], planned.function
                    place = (planned.exercise.id, function.name)
                    if place not in reusable.known:
                        yield place, self._function(suite, function, work.get(place[0]), runner)

    def _patience(self, suites: Mapping[str, ExerciseSuite]) -> Mapping[Limits, Patience]:
        """The time that one submission has, of all functions that run under the same limits."""
        needs: dict[Limits, dict[Hashable, Callable[[], float]]] = {}
        for plan in self._plans:
            for planned in plan.calls:
                suite = suites[planned.exercise.id]
                place = (planned.exercise.id, planned.function.name)
                needs.setdefault(plan.limits, {})[place] = partial(suite.reference_s, planned.function)
        return {limits: Patience(limits.time_limit_s, found) for limits, found in needs.items()}

    def _function(
        self, suite: ExerciseSuite, function: Function, work: Work | None, runner: Runner
    ) -> FunctionResult:
        if work is None:
            return FunctionResult(Failed(Outcome.MISSING, f"no file {suite.exercise.id}.py"))
        handed_in = work.handed_in
        if handed_in.is_ours:
            return FunctionResult(Failed(Outcome.GRADER_FAULT, f"{handed_in.filename}: {handed_in.problem}"))
        if handed_in.problem is not None or handed_in.source is None:
            fault = StudentError("UnreadableFile", f"{handed_in.filename}: {handed_in.problem}", None, ())
            return FunctionResult(Failed(Outcome.ERROR, fault.message, fault))
        return runner.ask(suite, function, handed_in.source)

    def _exercise(
        self,
        suite: ExerciseSuite,
        work: Work | None,
        every: Mapping[tuple[str, str], FunctionResult],
        reusable: Reusable,
    ) -> ExerciseResult:
        exercise = suite.exercise
        own = {name: result for (owner, name), result in every.items() if owner == exercise.id}
        known = reusable.gradients(exercise.id)
        gradients = tuple(
            known.get(ask) or self._gradient(suite, ask, own[exercise.function_of(ask).name])
            for ask in exercise.asks
        )
        descent = next(_trainings(suite, own), None) or reusable.descent(exercise.id)
        if self.memory is not None:
            self.memory.keep(exercise, reusable, gradients, descent)
        if work is not None:
            gradients = tuple(placed(work, gradient, self.settings.hints) for gradient in gradients)
        graded = [gradient for gradient in gradients if gradient.score is not None]
        return ExerciseResult(
            id=exercise.id,
            title=exercise.title,
            file=work.handed_in.filename if work else None,
            score=sum(gradient.score or 0 for gradient in graded),
            max_score=sum(gradient.max_score for gradient in graded),
            gradients=gradients,
            forward=suite.lines,
            descent=descent,
        )

    def _gradient(self, suite: ExerciseSuite, ask: str, result: FunctionResult) -> Gradient:
        # Confirming an expected gradient may take long: skip that if the function was not handed in.
        wanted = result.stub is not None or not suite.of_ask(ask).is_costly
        fault = suite.fault(ask) if wanted else None
        if fault is not None:
            result = FunctionResult(Failed(Outcome.GRADER_FAULT, fault))
        return report(suite, ask, result, self.settings.hints)


def report(suite: ExerciseSuite, ask: str, result: FunctionResult, hints: str = "full") -> Gradient:
    """One ask's line in the scorecard; ``hints`` says how much its hint may tell.

    It is made once for all submissions of which the same came back from the same line.
    """
    if result.told is None or result.stub is None:
        return _report(suite, ask, result.about(ask), hints).timed(result.seconds)
    key = (ask, hints, result.stub.line, result.told)
    told = suite.cache.report(key, lambda: _report(suite, ask, result.about(ask), hints))
    return told.timed(result.seconds)


def _report(suite: ExerciseSuite, ask: str, result: FunctionResult, hints: str) -> Gradient:
    """The same, without the time it took."""
    exercise = suite.exercise
    decided = result.deciding
    first = [(check, verdict) for check, verdict in result.checks if check.call == 0]
    answers = [verdict.tensor for _, verdict in first if verdict.tensor is not None]
    whole = bool(first) and len(answers) == len(first)
    autograd = (
        largest([measure(a, t.expected.autograd) for a, (t, _) in zip(answers, first, strict=True)])
        if whole
        else UNKNOWN
    )
    shown = next((pair for pair in result.checks if pair[1] is decided), None)
    hint = diagnose(suite, ask, result.checks, decided, result.called[0] if result.called else None)
    ours = decided.outcome is Outcome.GRADER_FAULT
    return Gradient(
        name=ask,
        outcome=decided.outcome,
        score=None if ours else exercise.points * decided.outcome.scores,
        max_score=exercise.points,
        exact=whole and all(verdict.exact for _, verdict in first),
        max_abs_diff=autograd.max_abs_diff,
        line=result.stub.line if result.stub else None,
        seconds=0.0,
        autograd=autograd,
        reference=suite.reference_differences(ask, answers) if whole else None,
        cases=tuple(_case_results(suite, ask, result)),
        hint=reduced(hint, hints),
        error=decided.failure.fault if decided.failure else None,
        through=tuple(step.name for step in exercise.through(ask)),
        shown_case=shown[0].name if shown else suite.of_ask(ask).planned(ask)[0][0],
        expected_shape=tuple(shown[0].expected.precise.shape) if shown else suite.of_ask(ask).shape(ask),
        found_shape=decided.found_shape,
        worst=worst(shown[1].tensor, shown[0].expected) if shown and _is_off(decided) else None,
        error_map=error_map(shown[1].tensor, shown[0].expected) if shown and _is_off(decided) else None,
        notes=tuple(_notes(result)),
        output=result.output,
    )


def _is_off(verdict: Verdict) -> bool:
    """Whether there is a tensor of the right shape with wrong numbers in it, so that one can show where."""
    return verdict.tensor is not None and not verdict.outcome.scores


def _case_results(suite: ExerciseSuite, ask: str, result: FunctionResult) -> Iterator[CaseResult]:
    for check, verdict in result.checks:
        yield CaseResult(
            check.name, verdict.outcome, verdict.difference, check.expected.tolerance, check.decides
        )
    if not result.checks:
        outcome = result.deciding.outcome
        for position, (name, tolerance) in enumerate(suite.of_ask(ask).planned(ask)):
            yield CaseResult(name, Outcome.NOT_RUN if position else outcome, None, tolerance, True)


def _trainings(suite: ExerciseSuite, results: Mapping[str, FunctionResult]) -> Iterator[Training]:
    """What was trained, of the functions that came to an end."""
    for name, result in results.items():
        made = suite.of(suite.exercise.function(name)).trained(result.called, result.seconds)
        if made is not None:
            yield made


def _notes(result: FunctionResult) -> Iterator[str]:
    decided = result.deciding
    if decided.failure is not None and decided.failure.fault is None:
        yield decided.failure.message
    yield from dict.fromkeys(note for _, verdict in result.checks for note in verdict.notes)
    for check, verdict in result.checks:
        if (
            check.name == RANDOM
            and not check.decides
            and decided.outcome.scores
            and not verdict.outcome.scores
        ):
            yield FRAGILE
