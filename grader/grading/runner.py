"""Functions asked in a box, one after another, and what became of each.

A function never answers for another: a box that is lost in one is replaced for the next, and a function that
fails in a box where anything else ran before it is asked once more in a fresh one.
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
from grader.sandbox.answers import Called, Failed, Stub
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.process import Limits, Opener
from grader.sandbox.replies import Reply
from grader.scorecard.model import Outcome, StudentError
from grader.submissions.source import Source

NO_MATTER_WHERE = (Outcome.MISSING, Outcome.TIMED_OUT)
"""Failures that a fresh box is not tried for: one would be the same there, the other would cost as much again."""


@dataclass(frozen=True)
class FunctionResult:
    """What became of one function, or of one thing asked of it.

    Args:
        failed: the failure that came before any trial.
        stub: the function as it stands in the submission.
        checks: the trials and their verdicts, of all that is asked of the function or of one ask.
        output: what it printed.
        seconds: how long it took, all cases together.
        called: what came of each call, as far as they were made.
        asked: the trials of each ask.
        told: what it was asked by, and all that came back, where the same may come back from others, too.
    """

    failed: Failed | None = None
    stub: Stub | None = None
    checks: tuple[tuple[Check, Verdict], ...] = ()
    output: str | None = None
    seconds: float = 0.0
    called: tuple[Called, ...] = ()
    asked: Checked = field(default_factory=dict)
    told: FunctionReply | None = None

    @cached_property
    def deciding(self) -> Verdict:
        """The verdict that decides: the first that costs the points, else that of the lecture's case."""
        if self.failed is not None:
            return Verdict(self.failed.outcome, failure=self.failed)
        decisive = [verdict for check, verdict in self.checks if check.decides]
        return next((verdict for verdict in decisive if not verdict.outcome.scores), decisive[0])

    def about(self, ask: str) -> FunctionResult:
        """What became of one of the things asked of the function."""
        return replace(self, checks=self.asked.get(ask, ()))


@dataclass(frozen=True)
class LoadedFile:
    """A submission's file once it has been run: the stubs in it, or why there are none, and what it printed."""

    stubs: Mapping[str, Stub]
    failed: Failed | None
    output: str | None


@dataclass
class Runner:
    """Asks functions of one submission, of one file or of several; a file is loaded when it is first needed.

    Args:
        opener: opens boxes.
        limits: what a box may use.
        apart: functions, by exercise and name, that nothing else in the box can reach: whatever ran there before
            them, they need no fresh one.
    """

    opener: Opener
    limits: Limits
    apart: frozenset[tuple[str, str]] = frozenset()
    _box: Box | None = None
    _loaded: dict[str, LoadedFile] = field(default_factory=dict)
    _broken: dict[str, LoadedFile] = field(default_factory=dict)
    _used: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def ask(self, suite: ExerciseSuite, function: Function, source: Source) -> FunctionResult:
        """Put all trials to one function; once more in a fresh box if it fails where others ran before it.

        Args:
            suite: its exercise, ready to grade with.
            function: the function.
            source: the file it is in.
        """
        loaded = self._load(suite.exercise, source)
        used = self._used
        heard = self._hear(suite, function, source, loaded)
        outcome = heard.deciding.outcome
        settled = outcome.scores or outcome in NO_MATTER_WHERE or heard.stub is None
        is_apart = (suite.exercise.id, function.name) in self.apart and outcome not in FLEETING
        if not used or settled or is_apart:
            return heard
        self._leave()
        return self._hear(suite, function, source, self._load(suite.exercise, source))

    def _hear(
        self, suite: ExerciseSuite, function: Function, source: Source, loaded: LoadedFile
    ) -> FunctionResult:
        exercise, stub = suite.exercise, loaded.stubs.get(function.name)
        failed = loaded.failed or _unanswerable(exercise, function.name, stub, source)
        if failed is not None or stub is None or self._box is None:
            return FunctionResult(failed, stub, output=loaded.output)
        parameters = frozenset(_asked(exercise, function.name, stub))
        calls = suite.calls(function, parameters)
        self._used = True
        try:
            reply = self._box.call(function.name, calls, of=exercise.id, after=suite.after(function))
        except BoxDied as death:
            self._leave()
            return FunctionResult(death.failed, stub)
        told = None if reply.content is None else (function.name, parameters, reply.content)
        asked = _asked_of(suite, function, parameters, reply, told)
        every = tuple(pair for pairs in asked.values() for pair in pairs)
        return FunctionResult(None, stub, every, reply.output, reply.seconds, reply.called, asked, told)

    def _load(self, exercise: Exercise, source: Source) -> LoadedFile:
        """Run a file, unless it has been; once more in a fresh box if it fails where others ran before it."""
        found = self._loaded.get(exercise.id) or self._broken.get(exercise.id)
        if found is not None:
            return found
        used = bool(self._loaded)
        loaded = self._run(exercise, source)
        if loaded.failed is not None and used:
            self._leave()
            loaded = self._run(exercise, source)
        if loaded.failed is not None:
            self._broken[exercise.id] = loaded
        return loaded

    def _run(self, exercise: Exercise, source: Source) -> LoadedFile:
        """Run a file in the box there is, or in a new one."""
        if self._box is None:
            self._box = Box(self.opener.open(self.limits), self.limits)
        self._used = bool(self._loaded)
        try:
            loaded = LoadedFile(*self._box.load(source.files, exercise.stubs, into=exercise.id))
        except BoxDied as death:
            self._leave()
            return LoadedFile({}, death.failed, None)
        self._loaded[exercise.id] = loaded
        return loaded

    def _leave(self) -> None:
        """Give up the box; the next question opens another."""
        self._loaded, self._used = {}, False
        if self._box is not None:
            self._box.close()
            self._box = None


def _unanswerable(exercise: Exercise, name: str, stub: Stub | None, source: Source) -> Failed | None:
    """Why a stub cannot be called, if it cannot: it is not there, or asks for what there is not."""
    if stub is None:
        return Failed(Outcome.MISSING, f"no function {name} in {source.filename}")
    allowed = exercise.may_ask(name)
    for parameter in stub.parameters:
        if parameter.required and parameter.name not in allowed:
            message = f"{name} asks for `{parameter.name}`, which is not handed out"
            message += did_you_mean(parameter.name, allowed)
            return Failed(Outcome.ERROR, message, StudentError("UnknownParameter", message, stub.line, ()))
    return None


def _asked(exercise: Exercise, name: str, stub: Stub) -> Iterator[str]:
    """The parameters of a stub that can be handed out; the others have defaults."""
    allowed = exercise.may_ask(name)
    return (parameter.name for parameter in stub.parameters if parameter.name in allowed)


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
    """Each answer checked; trials that were not come to, because the function raised, are not run."""
    for check in checks:
        if check.call >= len(called):
            yield check, NOT_RUN
        else:
            yield check, check.verdict(called[check.call], strict_shapes=exercise.strict_shapes)
