"""Conducts one submission from box to scorecard.

The judge alone knows the truth and writes the score. It asks every function in order, nearest the loss first,
holds each part of an answer against the truth, and never lets one function's trouble reach another: upstreams
are the true ones, a box that is lost in one function is replaced for the next, and a function that fails in a
box where others ran before it is asked once more in a fresh one.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import torch

import grader
from grader.answers import Called, Failed, Stub
from grader.bench import Bench, Trial, largest
from grader.box.box import Box, BoxDied, Limits, Opener, Source
from grader.cases import RANDOM, cases
from grader.check import NOT_RUN, Verdict, check, compare
from grader.course import Course
from grader.diagnose import diagnose, reduced
from grader.exercise import Exercise, Function
from grader.forward import did_you_mean
from grader.heat import error_map, worst
from grader.interpret import Work, interpret
from grader.memory import FLEETING, Memory, looks
from grader.oracle import Oracle
from grader.scorecard import (
    SCHEMA_ID,
    CaseResult,
    Difference,
    ExerciseResult,
    Fault,
    ForwardLine,
    GraderInfo,
    Gradient,
    Outcome,
    Scorecard,
    Span,
    SubmissionId,
    Timing,
)
from grader.settings import Settings
from grader.submission import HandedIn, Submission
from grader.trajectory import Trajectory

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
        benches.append(
            Bench(exercise, oracles, course.reference(exercise), prepare_trajectories(exercise, settings))
        )
    return tuple(benches)


def prepare_trajectories(exercise: Exercise, settings: Settings) -> Mapping[str, Trajectory]:
    """What the functions of an exercise that descend are held against, by name; worked out when needed."""
    words = settings.words or exercise.words
    return {
        function.name: Trajectory(exercise.forward, function.descent, settings.seed, words)
        for function in exercise.functions
        if function.descent is not None and words is not None
    }


@dataclass(frozen=True)
class Judge:
    """Grades submissions on some exercises of a course, one at a time.

    Args:
        opener: opens boxes.
        benches: what the exercises are graded with.
        settings: what the operator chose.
        fault: why the grader fails on whatever it is given, where it does: a scorecard then says so of every
            gradient.
        exercises: all of the course, by which a script's derivations are told apart; those graded where empty.
        memory: what became of functions the last time, where one person's work is graded again and again.
    """

    opener: Opener
    benches: tuple[Bench, ...]
    settings: Settings
    fault: str | None = None
    exercises: tuple[Exercise, ...] = ()
    memory: Memory | None = None

    def grade(self, submission: Submission) -> Scorecard:
        """The scorecard of one submission.

        Raises:
            IsolationError: no box can be opened.
        """
        exercises = self.exercises or tuple(bench.exercise for bench in self.benches)
        work = interpret(submission.files, exercises)
        results = tuple(self._exercise(bench, work.get(bench.exercise.id)) for bench in self.benches)
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

    def _exercise(self, bench: Bench, work: Work | None) -> ExerciseResult:
        exercise = bench.exercise
        handed_in = work.handed_in if work else None
        limits = self.settings.limits(exercise)
        source = handed_in.source if handed_in else None
        seen = looks(source, exercise.stubs) if self.memory is not None and source is not None else {}
        known = self.memory.recall(exercise, seen) if self.memory is not None else {}
        apart = frozenset(name for name, look in seen.items() if look.apart)
        with Hearing(self.opener, limits, source, exercise.stubs, apart) as hearing:
            heard = {
                f.name: self._function(bench, f, handed_in, hearing)
                for f in exercise.functions
                if f.name not in known
            }
        remembered = {gradient.name: gradient for kept in known.values() for gradient in kept.gradients}
        gradients = tuple(
            remembered.get(ask) or self._gradient(bench, ask, heard[exercise.function_of(ask).name])
            for ask in exercise.asks
        )
        timing = next(_timings(bench, heard), None) or next(
            (k.timing for k in known.values() if k.timing), None
        )
        if self.memory is not None:
            self.memory.keep(exercise, seen, {g.name: g for g in gradients}, timing)
        if work is not None:
            gradients = tuple(work.placed(gradient, self.settings.hints) for gradient in gradients)
        graded = [gradient for gradient in gradients if gradient.score is not None]
        return ExerciseResult(
            id=exercise.id,
            title=exercise.title,
            file=handed_in.filename if handed_in else None,
            score=sum(gradient.score or 0 for gradient in graded),
            max_score=sum(gradient.max_score for gradient in graded),
            gradients=gradients,
            forward=_forward_lines(exercise),
            timing=timing,
        )

    def _function(
        self, bench: Bench, function: Function, handed_in: HandedIn | None, hearing: Hearing
    ) -> Hearsay:
        if self.fault is not None:
            return Hearsay(Failed(Outcome.GRADER_FAULT, self.fault))
        if handed_in is None:
            return Hearsay(Failed(Outcome.MISSING, f"no file {bench.exercise.id}.py"))
        if handed_in.problem is not None:
            fault = Fault("UnreadableFile", f"{handed_in.filename}: {handed_in.problem}", None, ())
            return Hearsay(Failed(Outcome.ERROR, fault.message, fault))
        return hearing.ask(bench, function)

    def _gradient(self, bench: Bench, ask: str, heard: Hearsay) -> Gradient:
        # A descent's witnesses take a while: they are not heard where no descent was handed in.
        wanted = heard.stub is not None or ask in bench.exercise.gradients
        fault = bench.fault(ask) if wanted else None
        if fault is not None:
            heard = Hearsay(Failed(Outcome.GRADER_FAULT, fault))
        return report(bench, ask, heard.about(ask), self.settings.hints)


@dataclass(frozen=True)
class Hearsay:
    """What became of one function, or of one thing asked of it.

    Args:
        failed: the failure that came before any trial.
        stub: the function as it stands in the submission.
        trials: the trials and their verdicts, of all that is asked of the function or of one ask.
        output: what it printed.
        seconds: how long it took, all cases together.
        called: what came of each call, as far as they were made.
        asked: the trials of each ask.
    """

    failed: Failed | None = None
    stub: Stub | None = None
    trials: tuple[tuple[Trial, Verdict], ...] = ()
    output: str | None = None
    seconds: float = 0.0
    called: tuple[Called, ...] = ()
    asked: Mapping[str, tuple[tuple[Trial, Verdict], ...]] = field(default_factory=dict)

    @property
    def deciding(self) -> Verdict:
        """The verdict that decides: the first that costs the points, else that of the lecture's case."""
        if self.failed is not None:
            return Verdict(self.failed.outcome, failure=self.failed)
        decisive = [verdict for trial, verdict in self.trials if trial.decides]
        return next((verdict for verdict in decisive if not verdict.outcome.scores), decisive[0])

    def about(self, ask: str) -> Hearsay:
        """What became of one of the things asked of the function."""
        return replace(self, trials=self.asked.get(ask, ()))


@dataclass
class Hearing:
    """Asks the stubs of one file, one after another; opens another box where one was lost or is in doubt.

    Args:
        opener: opens boxes.
        limits: what a box may use.
        source: the file.
        asks: its stubs.
        apart: those that the others cannot reach, so that it does not matter who was asked before.
    """

    opener: Opener
    limits: Limits
    source: Source | None
    asks: tuple[str, ...]
    apart: frozenset[str] = frozenset()
    _box: Box | None = None
    _stubs: Mapping[str, Stub] = field(default_factory=dict)
    _failed: Failed | None = None
    _output: str | None = None
    _used: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def ask(self, bench: Bench, function: Function) -> Hearsay:
        """Put all trials to one function; once more in a fresh box if it fails where others ran before it."""
        self._enter()
        used = self._used
        heard = self._hear(bench, function)
        outcome = heard.deciding.outcome
        settled = outcome.scores or outcome in (Outcome.MISSING, Outcome.TIMED_OUT)
        is_apart = function.name in self.apart and outcome not in FLEETING
        if not used or settled or is_apart or heard.stub is None:
            return heard
        self._leave()
        self._enter()
        return self._hear(bench, function)

    def _hear(self, bench: Bench, function: Function) -> Hearsay:
        failed = self._failed or self._unanswerable(bench.exercise, function.name)
        stub = self._stubs.get(function.name)
        if failed is not None or stub is None or self._box is None:
            return Hearsay(failed, stub, output=self._output)
        parameters = frozenset(_asked(bench.exercise, function.name, stub))
        self._used = True
        try:
            reply = self._box.call(
                function.name, bench.calls(function, parameters), after=bench.after(function)
            )
        except BoxDied as death:
            self._leave()
            return Hearsay(death.failed, stub)
        asked = {
            ask: tuple(_verdicts(bench.exercise, bench.trials(ask, parameters), reply.called))
            for ask in function.asks
        }
        every = tuple(pair for pairs in asked.values() for pair in pairs)
        return Hearsay(None, stub, every, reply.output, reply.seconds, reply.called, asked)

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


def _verdicts(
    exercise: Exercise, trials: Sequence[Trial], called: Sequence[Called]
) -> Iterator[tuple[Trial, Verdict]]:
    """Each answer checked; trials that were not come to, because the function raised, are not run."""
    for trial in trials:
        if trial.call >= len(called):
            yield trial, NOT_RUN
        else:
            answer = trial.extract(called[trial.call])
            strict = exercise.strict_shapes
            yield trial, check(answer, trial.truth, strict_shapes=strict, derived=trial.derived)


def report(bench: Bench, ask: str, heard: Hearsay, hints: str = "full") -> Gradient:
    """One ask's line in the scorecard; ``hints`` says how much its hint may tell."""
    exercise = bench.exercise
    decided = heard.deciding
    first = [(trial, verdict) for trial, verdict in heard.trials if trial.call == 0]
    answers = [verdict.tensor for _, verdict in first if verdict.tensor is not None]
    whole = bool(first) and len(answers) == len(first)
    autograd = (
        largest([compare(a, t.truth.autograd) for a, (t, _) in zip(answers, first, strict=True)])
        if whole
        else UNKNOWN
    )
    shown = next((pair for pair in heard.trials if pair[1] is decided), None)
    hint = bench.hint(ask, decided, heard.called[0] if heard.called else None)
    ours = decided.outcome is Outcome.GRADER_FAULT
    return Gradient(
        name=ask,
        outcome=decided.outcome,
        score=None if ours else exercise.points * decided.outcome.scores,
        max_score=exercise.points,
        exact=whole and all(verdict.exact for _, verdict in first),
        max_abs_diff=autograd.max_abs_diff,
        line=heard.stub.line if heard.stub else None,
        seconds=heard.seconds,
        autograd=autograd,
        reference=bench.reference_differences(ask, answers) if whole else None,
        cases=tuple(_case_results(bench, ask, heard)),
        hint=reduced(hint or diagnose(bench, ask, heard.trials), hints),
        error=decided.failure.fault if decided.failure else None,
        through=tuple(step.name for step in exercise.through(ask)),
        shown_case=shown[0].name if shown else bench.planned(ask)[0][0],
        expected_shape=tuple(shown[0].truth.precise.shape) if shown else bench.shape(ask),
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
        yield CaseResult(
            trial.name, verdict.outcome, verdict.difference, trial.truth.tolerance, trial.decides
        )
    if not heard.trials:
        outcome = heard.deciding.outcome
        for position, (name, tolerance) in enumerate(bench.planned(ask)):
            yield CaseResult(name, Outcome.NOT_RUN if position else outcome, None, tolerance, True)


def _timings(bench: Bench, heard: Mapping[str, Hearsay]) -> Iterator[Timing]:
    """How long a descent took, by hand and by autograd."""
    for name, trajectory in bench.trajectories.items():
        if name in heard and heard[name].called and not isinstance(heard[name].called[0].answer, Failed):
            yield Timing(trajectory.descent.steps, Span(heard[name].seconds), Span(trajectory.seconds))


def _notes(heard: Hearsay) -> Iterator[str]:
    decided = heard.deciding
    if decided.failure is not None and decided.failure.fault is None:
        yield decided.failure.message
    yield from dict.fromkeys(note for _, verdict in heard.trials for note in verdict.notes)
    for trial, verdict in heard.trials:
        if (
            trial.name == RANDOM
            and not trial.decides
            and decided.outcome.scores
            and not verdict.outcome.scores
        ):
            yield FRAGILE


def _forward_lines(exercise: Exercise) -> tuple[ForwardLine, ...]:
    """The forward pass, each line with the gradients that are complete once one has gone back through it."""
    complete: dict[str, list[str]] = {step.name: [] for step in exercise.forward.steps}
    for ask in exercise.gradients:
        complete[exercise.through(ask)[0].name].append(ask)
    return tuple(
        ForwardLine(step.name, step.source, tuple(complete[step.name])) for step in exercise.forward.steps
    )
