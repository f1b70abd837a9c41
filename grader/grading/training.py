"""A whole training with a submission's own backward pass: from names to names.

The submission's loop runs in its box, from the first step to the last, and tells now and then how far it has
come. Beside it, in the judge, autograd makes the same steps, never ahead of it, so that the two can be
compared wherever the training ends: at its last step, when somebody stops it, or when it breaks down.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import torch
from torch import Tensor

from grader.checks.descent import Autograd, DescentOracle, Made, parameters
from grader.checks.loss_curve import UNKNOWN, side
from grader.course.course import Course
from grader.course.exercise import PARAMETERS, Exercise, TrainingFunction
from grader.course.settings import Settings
from grader.errors import SubmissionError, UsageError
from grader.grading.network import Network
from grader.grading.plan import limits_of
from grader.grading.prepared import one_thread
from grader.sandbox.answers import Called, Failed
from grader.sandbox.batches import STOPPED, Batches
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.process import Limits, Opener
from grader.sandbox.replies import Progress, Watch
from grader.scorecard.model import Averages, Outcome, Published, Training
from grader.submissions.notebooks.stubs import interpret
from grader.submissions.source import Source
from grader.submissions.submission import Submission

NAMES = 20
"""How many names are drawn from a trained network."""

SHOWN_S = 0.5
"""How often the loss is worked out while the training runs."""


NOTHING = Failed(Outcome.NOT_RUN, "nothing came back")

LOST = "a loop that takes its batches by number ends by an exception then, and its losses are lost with it"


@dataclass(frozen=True)
class Moment:
    """How a training is going.

    Args:
        step: how many batches have been taken.
        loss: on held-out windows, None where it is not known.
        autograd: how many steps autograd has made, where nothing but them is waited for.
    """

    step: int
    loss: float | None
    autograd: int | None = None


Show = Callable[[Moment], bool]
"""Is told how a training is going, and says whether to go on."""


@dataclass(frozen=True)
class Trainer:
    """Trains a network with one submission's own gradients.

    Args:
        exercise: the id of the exercise that trains.
        function: the name of the submission's function that does.
        source: the submission's file.
        oracle: the steps to make.
        limits: what its box may use; the time is for all of it.
    """

    exercise: str
    function: str
    source: Source
    oracle: DescentOracle
    limits: Limits

    @classmethod
    def of(
        cls,
        submission: Submission,
        course: Course,
        settings: Settings,
        *,
        steps: int,
        exercise: str | None = None,
        time_limit_s: float | None = None,
    ) -> Trainer:
        """Prepare to train; nothing of the submission has been run yet.

        Args:
            submission: whose gradients.
            course: its course.
            settings: what the operator chose.
            steps: how many steps to make.
            exercise: the id of the exercise that trains, where the course has several.
            time_limit_s: for all steps, or None for as long a step as the exercise allows when it is graded.

        Raises:
            UsageError: nothing in the course trains, or too much does.
            SubmissionError: nothing that could train was handed in.
        """
        chosen, function = _trains(course, exercise)
        words = settings.words or chosen.words
        assert words is not None, "checked when the exercise was loaded"
        graded = limits_of(settings, chosen)
        time_limit_s = time_limit_s or graded.time_limit_s * max(1.0, steps / function.descent.steps)
        return cls(
            chosen.id,
            function.name,
            _source(submission, course, chosen),
            DescentOracle(chosen.forward, replace(function.descent, steps=steps), settings.seed, words),
            Limits(time_limit_s, graded.memory_limit_mb),
        )

    def train(self, boxes: Opener, show: Show = lambda moment: True) -> Training:
        """Train, and return the result.

        Args:
            boxes: opens the box it runs in.
            show: is told how it is going, several times a second, and says whether to go on.

        Raises:
            SubmissionError: the submission's file cannot be run, or has no function that trains.
            IsolationError: no box can be opened.
        """
        with (
            one_thread(),
            Box(boxes.open(self.limits), self.limits) as box,
            Companion(self.oracle) as companion,
        ):
            self._load(box)
            run = _Run(self.oracle, companion, show)
            run.call(box, self.function)
            return run.result()

    def _load(self, box: Box) -> None:
        try:
            stubs, failed, _ = box.load(self.source.files, [self.function])
        except BoxDied as death:
            stubs, failed = {}, death.failed
        if failed is not None:
            raise SubmissionError(f"{self.source.filename}: {failed.message}")
        if self.function not in stubs:
            raise SubmissionError(f"{self.source.filename}: expected a function {self.function}, found none")


def _trains(course: Course, wanted: str | None) -> tuple[Exercise, TrainingFunction]:
    """The exercise that trains, and the function that does."""
    exercises = course.select((wanted,) if wanted else ())
    found = [(exercise, function) for exercise in exercises for function in exercise.training]
    if len(found) != 1:
        what = ", ".join(exercise.id for exercise, _ in found) or "none"
        raise UsageError(
            f"{course.root}: expected one exercise that trains (or one that is named), found {what}"
        )
    return found[0]


def _source(submission: Submission, course: Course, exercise: Exercise) -> Source:
    """The submission's file for an exercise that trains, or what its notebook's training loop was made into."""
    work = interpret(submission.files, course.exercises).get(exercise.id)
    handed_in = work.handed_in if work is not None else None
    if handed_in is None or handed_in.source is None:
        problem = (handed_in.problem if handed_in else None) or "found none"
        where = submission.path or submission.name
        raise SubmissionError(f"{where}: expected a file {exercise.id}.py to train with, {problem}")
    return handed_in.source


class _Run:
    """One training: runs it, and works out the result."""

    def __init__(self, oracle: DescentOracle, companion: Companion, show: Show) -> None:
        self._oracle = oracle
        self._companion = companion
        self._show = show
        self._shown_at = 0.0
        self._loss: float | None = None
        self._stopped = False
        self._called = Called(NOTHING, taken=0)
        self._seconds = 0.0

    def call(self, box: Box, function: str) -> None:
        """Run the submission's loop; keep its result, or how far it had come when it broke down."""
        started = time.perf_counter()
        watch: Watch = self._watch
        try:
            reply = box.call(function, [self._oracle.arguments()], after=(PARAMETERS,), watch=watch)
            self._called = reply.called[0]
        except BoxDied as death:
            self._called = replace(self._called, answer=death.failed)
        self._seconds = time.perf_counter() - started

    def _watch(self, progress: Progress) -> bool:
        self._called = Called(self._called.answer, progress.after, progress.step)
        self._companion.follow(self._done)
        if time.monotonic() - self._shown_at > SHOWN_S:
            self._loss = self._held_out_loss()
            self._shown_at = time.monotonic()
        self._stopped = not self._show(Moment(progress.step, self._loss)) or self._stopped
        return not self._stopped

    def _held_out_loss(self) -> float | None:
        found = self._parameters()
        return _finite(float(self._oracle.held_out(found))) if found is not None else None

    @property
    def _taken(self) -> int:
        """How many batches it took. Of a training that was stopped, those whose losses it returned."""
        taken = min(self._called.taken or 0, self._oracle.descent.steps)
        own = self._oracle.noted(self._called)
        # Who has looked at the last batch beforehand has taken them all, and made no step.
        return min(taken, len(own)) if self._stopped and own else taken

    @property
    def _done(self) -> int:
        """How many steps it made: where it has not come to an end, the one it is at is not yet done."""
        if isinstance(self._called.answer, Failed) and not self._ended_by_hand:
            return max(self._taken - 1, 0)
        return self._taken

    def _parameters(self) -> list[Tensor] | None:
        """The parameters as they were last seen; None where they are no longer what they should be."""
        shapes = [tensor.shape for tensor in self._oracle.initial]
        left = itertools.islice(parameters(self._called), len(shapes) + 1)
        found = [p.float() for p in left if p is not None]
        sound = [p.shape for p in found] == shapes and all(p.isfinite().all() for p in found)
        return found if sound else None

    def result(self) -> Training:
        """Return the result of the training."""
        descent = self._oracle.descent
        made = self._companion.finish(
            self._done, lambda steps: self._show(Moment(self._taken, self._loss, steps))
        )
        found, own = self._parameters(), self._oracle.noted(self._called)
        network = self._network(found) if found is not None else None
        return Training(
            words=self._oracle.words.name,
            steps=descent.steps,
            done=self._done,
            trouble=next(self._troubles(found, own), None),
            stopped=self._ended_by_hand,
            hand=side(own, self._seconds, self._averages(network)),
            autograd=side(made.losses.tolist(), made.seconds, self._averages(self._network(made.parameters))),
            published=self._published(),
            names=self._names(network),
        )

    @property
    def _ended_by_hand(self) -> bool:
        """Whether it went on until somebody stopped it: a loop that takes batches by number ends by raising."""
        answer = self._called.answer
        if not self._stopped or self._taken == self._oracle.descent.steps:
            return False
        told = answer.fault.message if isinstance(answer, Failed) and answer.fault else None
        return told == STOPPED or not isinstance(answer, Failed)

    def _troubles(self, found: Sequence[Tensor] | None, own: Sequence[float]) -> Iterator[str]:
        """What kept it from being a whole and sound training, most telling first."""
        steps, answer = self._oracle.descent.steps, self._called.answer
        if self._ended_by_hand:
            lost = f"; {LOST}" if isinstance(answer, Failed) else ""
            yield f"stopped at step {self._taken} of {steps}{lost}"
        if isinstance(answer, Failed):
            yield f"{answer.message}; it had come to step {self._taken} of {steps}"
        infinite = next((step for step, loss in enumerate(own, 1) if not math.isfinite(loss)), None)
        if infinite is not None:
            yield f"the losses are not finite from step {infinite} on"
        if found is None:
            yield "the parameters came back with numbers that are not finite, or in other shapes"
        elif self._taken < steps:
            yield f"it took {self._taken} of the {steps} batches"
        elif all(map(torch.equal, found, self._oracle.initial)):
            yield "the parameters came back unchanged: change them in place"

    def _averages(self, network: Network | None) -> Averages:
        """The loss on both splits; unknown where the network is out of order."""
        if network is None:
            return UNKNOWN
        words, block = self._oracle.vocabulary, network.contexts.shape[1]
        training, validation = (network.loss(*words.windows(block, of)) for of in (None, words.validation))
        return Averages(_finite(training), _finite(validation))

    def _published(self) -> Published | None:
        """What others report for as many steps."""
        told = self._oracle.descent.published
        if told is None or self._done != told.steps:
            return None
        return Published(told.by, told.training, told.validation)

    def _names(self, network: Network | None) -> tuple[str, ...]:
        if network is None:
            return ()
        alphabet = self._oracle.vocabulary.alphabet
        return network.words(alphabet, NAMES, self._oracle.start.generator("names"))

    def _network(self, found: Sequence[Tensor]) -> Network:
        oracle = self._oracle
        return Network(oracle.forward, oracle.descent, found, oracle.drawing.contexts)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


class Companion:
    """The same steps by autograd, in a thread of their own, never ahead of the training they accompany."""

    def __init__(self, oracle: DescentOracle) -> None:
        self._oracle = oracle
        self._parameters = [p.clone().requires_grad_() for p in oracle.initial]
        self._losses: list[float] = []
        self._seconds = 0.0
        self._target = 0
        self._closed = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Companion:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(most=len(self._losses) if kind is not None else None)

    def follow(self, step: int) -> None:
        """Go on until so many steps are made; they are made in the background."""
        with self._changed:
            self._target = max(self._target, step)
            self._changed.notify_all()

    def finish(self, steps: int, tell: Callable[[int], object]) -> Made:
        """Make so many steps and no more, and give what they came to.

        Args:
            steps: how many.
            tell: is told how many are made while some are still to be.
        """
        with self._changed:
            self._target = steps  # and no longer what a training that looked ahead seemed to have come to
        self._close(wait=False)
        while self._thread.is_alive():
            tell(len(self._losses))
            self._thread.join(SHOWN_S)
        if self._error is not None:
            raise self._error
        told = torch.tensor(self._losses, dtype=torch.float64)
        return Made(told, tuple(p.detach() for p in self._parameters), self._seconds)

    def _close(self, *, most: int | None = None, wait: bool = True) -> None:
        """End the thread once it has caught up, or has made so many steps at the most."""
        with self._changed:
            self._closed = True
            self._target = self._target if most is None else min(most, self._target)
            self._changed.notify_all()
        if wait:
            self._thread.join()

    def _work(self) -> None:
        try:
            self._descend()
        except Exception as error:
            self._error = error

    def _descend(self) -> None:
        descent = self._oracle.descent
        autograd = Autograd(self._oracle.forward, descent, self._parameters)
        for batch, rate in zip(Batches(self._oracle.drawing), self._oracle.rates, strict=True):
            if not self._may_go_on():
                return
            started = time.perf_counter()
            self._losses.append(float(autograd.step(*batch, rate)))
            self._seconds += time.perf_counter() - started

    def _may_go_on(self) -> bool:
        """Wait until there is a step to make; false when there will be none."""
        with self._changed:
            while len(self._losses) >= self._target and not self._closed:
                self._changed.wait()
            return len(self._losses) < self._target
