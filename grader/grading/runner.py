"""Ask the functions of a submission in a box, one after another.

A function never answers for another: a box that is lost in one is replaced for the next, and a function that fails
in a box where anything else ran before it is asked once more in a fresh one.

Nor does it answer for the machine: a function whose box was killed by neither the judge nor a limit is asked once
more, too. Where that happens twice in a row, it is the grader's own fault, unless the box may have done it itself.
How long each question may take, and whether one is asked again, is for :mod:`grader.grading.patience` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import TracebackType
from typing import Self

from grader.checks.cache import Checked, FunctionReply
from grader.checks.check import Check
from grader.checks.compare import NOT_RUN, Verdict
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Exercise, Function
from grader.course.forward import did_you_mean
from grader.grading.incremental import FLEETING
from grader.grading.patience import Patience, Turn
from grader.sandbox.answers import Called, Failed, Stub
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.process import Limits, Opener
from grader.sandbox.replies import Reply
from grader.scorecard.model import Outcome, StudentError
from grader.submissions.source import Source

NO_MATTER_WHERE = (Outcome.MISSING, Outcome.TIMED_OUT)
"""Outcomes that a fresh box is not tried for: one would be the same there, the other would cost as much again."""


@dataclass(frozen=True)
class FunctionResult:
    """The result of one function, or of one thing asked of it.

    Args:
        failed: the failure that came before any check.
        stub: the function as it stands in the submission.
        checks: the checks and their verdicts, of all that is asked of the function or of one ask.
        output: what it printed.
        seconds: how long it took, all cases together.
        called: what each call returned, as far as they were made.
        asked: the checks of each ask.
        told: what it was called with, and all that came back, if the same may come back from others, too.
        foreign: whether something else than the question ended its box.
    """

    failed: Failed | None = None
    stub: Stub | None = None
    checks: tuple[tuple[Check, Verdict], ...] = ()
    output: str | None = None
    seconds: float = 0.0
    called: tuple[Called, ...] = ()
    asked: Checked = field(default_factory=dict)
    told: FunctionReply | None = None
    foreign: bool = False

    @cached_property
    def deciding(self) -> Verdict:
        """The verdict that decides: the first that costs the points, else that of the lecture's case."""
        if self.failed is not None:
            return Verdict(self.failed.outcome, failure=self.failed)
        decisive = [verdict for check, verdict in self.checks if check.decides]
        return next((verdict for verdict in decisive if not verdict.outcome.scores), decisive[0])

    def about(self, ask: str) -> FunctionResult:
        """The result of one of the things asked of the function."""
        return replace(self, checks=self.asked.get(ask, ()))


@dataclass(frozen=True)
class LoadedFile:
    """A submission's file that has been run.

    Args:
        stubs: the stubs in it by name.
        failed: why there are none.
        output: what it printed.
        foreign: whether something else than the file ended its box.
    """

    stubs: Mapping[str, Stub]
    failed: Failed | None
    output: str | None
    foreign: bool = False


@dataclass
class Runner:
    """Asks the functions of one submission, of one file or of several. A file is loaded when it is first needed.

    Args:
        opener: opens boxes.
        limits: what a box may use.
        patience: how much time is left to the submission.
        apart: functions, by exercise and name, that nothing else in the box can reach: whatever ran there before
            them, they need no fresh one.
    """

    opener: Opener
    limits: Limits
    patience: Patience
    apart: frozenset[tuple[str, str]] = frozenset()
    _box: Box | None = None
    _loaded: dict[str, LoadedFile] = field(default_factory=dict)
    _broken: dict[str, LoadedFile] = field(default_factory=dict)
    _once_loaded: set[str] = field(default_factory=set)
    _used: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def ask(self, suite: ExerciseSuite, function: Function, source: Source) -> FunctionResult:
        """Put all checks to one function; once more in a fresh box if it fails where others ran before it.

        Args:
            suite: its exercise, ready to grade with.
            function: the function.
            source: the file it is in.
        """
        turn = self.patience.turn((suite.exercise.id, function.name))
        try:
            return self._ask(suite, function, source, turn)
        finally:
            turn.settle()

    def _ask(self, suite: ExerciseSuite, function: Function, source: Source, turn: Turn) -> FunctionResult:
        if self._used and not turn.allows_sharing:
            self._leave()  # one asking is all there is time for: it must be one that decides
        result, was_used = self._ask_once(suite, function, source, turn)
        if was_used and self._may_be_others_doing(suite.exercise, function, result) and turn.allows_another:
            self._leave()
            result, _ = self._ask_once(suite, function, source, turn)
        if result.foreign and turn.allows_another:
            self._leave()
            result, _ = self._ask_once(suite, function, source, turn)
        return result

    def _may_be_others_doing(self, exercise: Exercise, function: Function, result: FunctionResult) -> bool:
        """Whether it failed in a way that what ran before it in its box may be to blame for."""
        outcome = result.deciding.outcome
        if result.foreign or outcome.scores or outcome in NO_MATTER_WHERE or result.stub is None:
            return False
        return (exercise.id, function.name) not in self.apart or outcome in FLEETING

    def _ask_once(
        self, suite: ExerciseSuite, function: Function, source: Source, turn: Turn
    ) -> tuple[FunctionResult, bool]:
        """The result of a function, and whether anything else had run in its box."""
        loaded = self._load(suite.exercise, source, turn)
        was_used = self._used
        turn.shares_box = was_used
        return self._call(suite, function, source, loaded, turn), was_used

    def _call(
        self, suite: ExerciseSuite, function: Function, source: Source, loaded: LoadedFile, turn: Turn
    ) -> FunctionResult:
        exercise, stub = suite.exercise, loaded.stubs.get(function.name)
        if stub is not None and stub.parameters is None:
            stub, death = self._describe(exercise, stub, turn)
            if death is not None:
                return FunctionResult(death.failed, stub, foreign=death.foreign)
        failed = loaded.failed or _unanswerable(exercise, function.name, stub, source)
        if failed is not None or stub is None or self._box is None:
            return FunctionResult(failed, stub, output=loaded.output)
        parameters = frozenset(_asked(exercise, function.name, stub))
        calls = suite.calls(function, parameters)
        after, limit_s = suite.after(function), turn.to_answer()
        self._used = True
        try:
            reply = self._box.call(function.name, calls, of=exercise.id, after=after, limit_s=limit_s)
        except BoxDied as death:
            turn.answered(self._box.took, right=False)
            self._leave()
            return FunctionResult(death.failed, stub, foreign=death.foreign)
        told = None if reply.content is None else (function.name, parameters, reply.content)
        asked = _asked_of(suite, function, parameters, reply, told)
        every = tuple(pair for pairs in asked.values() for pair in pairs)
        result = FunctionResult(None, stub, every, reply.output, reply.seconds, reply.called, asked, told)
        turn.answered(self._box.took, right=result.deciding.outcome.scores)
        return result

    def _describe(self, exercise: Exercise, stub: Stub, turn: Turn) -> tuple[Stub, BoxDied | None]:
        """Look at a stub that is no plain function, or say how that ended its box."""
        if self._box is None:
            return stub, None
        self._used = True  # whatever it is, it may run code when it is looked at
        try:
            stub = self._box.describe(stub.name, of=exercise.id, limit_s=turn.to_load())
        except BoxDied as death:
            turn.loaded(self._box.took, in_time=death.failed.outcome is not Outcome.TIMED_OUT)
            self._leave()
            return stub, death
        turn.loaded(self._box.took, in_time=True)
        return stub, None

    def _load(self, exercise: Exercise, source: Source, turn: Turn) -> LoadedFile:
        """Run a file, unless it has been; once more in a fresh box if others ran before it, or killed it."""
        found = self._loaded.get(exercise.id) or self._broken.get(exercise.id)
        if found is not None:
            return found
        was_used = bool(self._loaded)
        loaded = self._run(exercise, source, turn)
        if loaded.failed is not None and (was_used or loaded.foreign) and turn.allows_another:
            self._leave()
            loaded = self._run(exercise, source, turn)
        if loaded.failed is not None and not self._may_load_later(exercise, loaded):
            self._broken[exercise.id] = loaded
        return loaded

    def _may_load_later(self, exercise: Exercise, loaded: LoadedFile) -> bool:
        """Whether a file that could not be loaded is tried again for its next function."""
        was_late = loaded.failed is not None and loaded.failed.outcome is Outcome.TIMED_OUT
        return loaded.foreign or (was_late and exercise.id in self._once_loaded)

    def _run(self, exercise: Exercise, source: Source, turn: Turn) -> LoadedFile:
        """Run a file in the box there is, or in a new one."""
        if self._box is None:
            self._box = Box(self.opener.open(self.limits), self.limits)
        self._used = bool(self._loaded)
        try:
            loaded = LoadedFile(
                *self._box.load(source.files, exercise.stubs, into=exercise.id, limit_s=turn.to_load())
            )
        except BoxDied as death:
            turn.loaded(self._box.took, in_time=death.failed.outcome is not Outcome.TIMED_OUT)
            self._leave()
            return LoadedFile({}, death.failed, None, death.foreign)
        turn.loaded(self._box.took, in_time=True)
        self._loaded[exercise.id] = loaded
        self._once_loaded.add(exercise.id)
        return loaded

    def _leave(self) -> None:
        """Give up the box; the next question opens another."""
        self._loaded, self._used = {}, False
        if self._box is not None:
            self._box.close()
            self._box = None


def _unanswerable(exercise: Exercise, name: str, stub: Stub | None, source: Source) -> Failed | None:
    """Why a stub cannot be called, if it cannot: it is not there, or asks for something unknown."""
    if stub is None:
        return Failed(Outcome.MISSING, f"no function {name} in {source.filename}")
    allowed = exercise.may_ask(name)
    for parameter in stub.parameters or ():
        if parameter.required and parameter.name not in allowed:
            message = f"{name} asks for `{parameter.name}`, which it cannot have"
            message += did_you_mean(parameter.name, allowed)
            return Failed(Outcome.ERROR, message, StudentError("UnknownParameter", message, stub.line, ()))
    return None


def _asked(exercise: Exercise, name: str, stub: Stub) -> Iterator[str]:
    """The parameters of a stub that can be handed out; the others have defaults."""
    allowed = exercise.may_ask(name)
    return (parameter.name for parameter in stub.parameters or () if parameter.name in allowed)


def _asked_of(
    suite: ExerciseSuite,
    function: Function,
    parameters: frozenset[str],
    reply: Reply,
    told: FunctionReply | None,
) -> Checked:
    """Everything asked of a function, checked; once for all submissions of which the same came back."""

    def check() -> Checked:
        return {
            ask: tuple(_verdicts(suite.exercise, suite.checks(ask, parameters), reply.called))
            for ask in function.asks
        }

    return suite.cache.verdicts(told, check)


def _verdicts(
    exercise: Exercise, checks: Sequence[Check], called: Sequence[Called]
) -> Iterator[tuple[Check, Verdict]]:
    """Each answer checked; checks that were not reached, because the function raised, are not run."""
    for check in checks:
        if check.call >= len(called):
            yield check, NOT_RUN
        else:
            yield check, check.verdict(called[check.call], strict_shapes=exercise.strict_shapes)
