"""A whole training with a submission's own backward pass: from names to names.

The submission's loop runs in its box, from the first step to the last, and tells now and then how far it has
come. Beside it, in the judge, autograd makes the same steps, never ahead of it, so that the two can be
compared wherever the training ends: at its last step, when somebody stops it, or when it breaks down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from grader import submission
from grader.answers import Called, Failed, Returned
from grader.box.batches import Batches
from grader.box.box import Box, BoxDied, Limits, Progress, Source, Watch
from grader.box.opening import Isolated, opener
from grader.course import Course
from grader.errors import OperatorError, SubmissionError
from grader.exercise import PARAMETERS, Exercise, Function
from grader.interpret import interpret
from grader.network import Network
from grader.scorecard import Outcome
from grader.settings import Settings
from grader.trajectory import Autograd, Trajectory, losses, parameters

NAMES = 20
"""How many names are drawn from a trained network."""

SHOWN_S = 0.5
"""How often the loss is worked out while the training runs."""


NOTHING = Failed(Outcome.NOT_RUN, "nothing came back")


@dataclass(frozen=True)
class Moment:
    """How a training is going.

    Args:
        step: how many batches have been taken.
        loss: on held-out windows, None where it is not known.
    """

    step: int
    loss: float | None


Show = Callable[[Moment], bool]
"""Is told how a training is going, and says whether to go on."""


@dataclass(frozen=True)
class Side:
    """What one way of training came to.

    Args:
        losses: of each step, before it.
        training: the mean loss over the training set, calibrated; None where the network is out of order.
        validation: the same over the validation set.
        seconds: how long it took.
    """

    losses: tuple[float, ...]
    training: float | None
    validation: float | None
    seconds: float


@dataclass(frozen=True)
class Training:
    """What a training came to.

    Args:
        name: the submission's name.
        steps: how many steps were asked for.
        done: how many were made.
        trouble: why there were fewer, or what is wrong with the result; None where all is well.
        stopped: whether somebody stopped it.
        hand: by the submission's own gradients.
        autograd: by autograd's, over the same steps.
        published: what others report, by split.
        names: drawn from the submission's own network.
    """

    name: str
    steps: int
    done: int
    trouble: str | None
    stopped: bool
    hand: Side
    autograd: Side
    published: Mapping[str, float]
    names: tuple[str, ...]

    @property
    def broke_down(self) -> bool:
        """Whether the submission failed, and nobody stopped it."""
        return self.trouble is not None and not self.stopped

    @property
    def ratio(self) -> float | None:
        """How many times as long a step by hand took as one by autograd."""
        return self.hand.seconds / self.autograd.seconds if self.autograd.seconds and self.done else None


def train(
    path: Path,
    *,
    steps: int,
    course: Path | None = None,
    exercise: str | None = None,
    isolation: str = "auto",
    settings: Settings | None = None,
    show: Show = lambda moment: True,
) -> Training:
    """Train a network with a submission's own gradients.

    Args:
        path: the submission's folder or file.
        steps: how many steps to make.
        course: the course's folder, or None for the one around the submission.
        exercise: the id of the exercise that trains, where the course has several.
        isolation: which isolation layers must be in force.
        settings: seed, word list and limits; a time limit is for all of it.
        show: is told how it is going, several times a second, and says whether to go on.

    Raises:
        OperatorError: nothing in the course trains, or nothing of it is in the submission.
        SubmissionError: the submission's file cannot be run.
        IsolationError: no box can be opened.
    """
    settings = settings or Settings()
    home = Course.at(course) if course is not None else Course.around(path)
    with opener(home.hidden, Isolated(isolation)) as boxes:
        torch.set_num_threads(1)
        chosen, function = _trains(home, exercise)
        trajectory = _trajectory(chosen, function, steps, settings)
        source = _source(path, home, chosen)
        limits = _limits(chosen, function, steps, settings)
        with Box(boxes.open(limits), limits) as box, Companion(trajectory) as companion:
            _load(box, source, function)
            run = _Run(trajectory, companion, show)
            run.call(box, function)
            return run.result(submission.name_of(path), published=settings.words is not None)


def _trains(course: Course, wanted: str | None) -> tuple[Exercise, Function]:
    """The exercise that trains, and the function that does."""
    exercises = course.select((wanted,) if wanted else ())
    found = [(e, f) for e in exercises for f in e.functions if f.descent is not None]
    if len(found) != 1:
        what = ", ".join(exercise.id for exercise, _ in found) or "none"
        raise OperatorError(f"{course.root}: expected one exercise that trains (or --exercise), found {what}")
    return found[0]


def _trajectory(exercise: Exercise, function: Function, steps: int, settings: Settings) -> Trajectory:
    words = settings.words or exercise.words
    assert function.descent is not None and words is not None, "checked when the exercise was loaded"
    return Trajectory(exercise.forward, replace(function.descent, steps=steps), settings.seed, words)


def _source(path: Path, course: Course, exercise: Exercise) -> Source:
    """The submission's file, or what its notebook's training loop was made into."""
    ids = tuple(one.id for one in course.exercises)
    (found,) = submission.find([path], ids, [exercise.id])[:1] or (path,)
    files = submission.read(found, ids, [exercise.id]).files
    work = interpret(files, course.exercises).get(exercise.id)
    handed_in = work.handed_in if work is not None else None
    if handed_in is None or handed_in.source is None:
        problem = handed_in.problem if handed_in is not None else "found none"
        raise SubmissionError(f"{path}: expected a file {exercise.id}.py to train with, {problem}")
    return handed_in.source


def _limits(exercise: Exercise, function: Function, steps: int, settings: Settings) -> Limits:
    """As long for a step as the exercise allows when it is graded."""
    assert function.descent is not None
    graded = exercise.time_limit_s * max(1.0, steps / function.descent.steps)
    return Limits(settings.time_limit_s or graded, settings.memory_limit_mb or exercise.memory_limit_mb)


def _load(box: Box, source: Source, function: Function) -> None:
    try:
        stubs, failed, _ = box.load(source, [function.name])
    except BoxDied as death:
        stubs, failed = {}, death.failed
    if failed is not None:
        raise SubmissionError(f"{source.filename}: {failed.message}")
    if function.name not in stubs:
        raise SubmissionError(f"{source.filename}: expected a function {function.name}, found none")


class _Run:
    """One training: conducts it, and works out what it came to."""

    def __init__(self, trajectory: Trajectory, companion: Companion, show: Show) -> None:
        self._trajectory = trajectory
        self._companion = companion
        self._show = show
        self._shown_at = 0.0
        self._loss: float | None = None
        self._stopped = False
        self._step = 0
        self._called = Called(NOTHING)
        self._seconds = 0.0

    def call(self, box: Box, function: Function) -> None:
        """Run the submission's loop; what it comes to, or what it had come to when it broke down, is kept."""
        started = time.perf_counter()
        watch: Watch = self._watch
        try:
            reply = box.call(function.name, [self._trajectory.arguments()], after=(PARAMETERS,), watch=watch)
            self._called = reply.called[0]
            self._step = self._called.taken or 0
        except BoxDied as death:
            self._called = replace(self._called, answer=death.failed)
        self._seconds = time.perf_counter() - started

    def _watch(self, progress: Progress) -> bool:
        self._called = Called(self._called.answer, progress.after, progress.step)
        # The step that is being made is not yet done.
        self._step = min(max(progress.step - 1, 0), self._trajectory.descent.steps)
        self._companion.follow(self._step)
        if time.monotonic() - self._shown_at > SHOWN_S:
            self._loss = self._held_out_loss()
            self._shown_at = time.monotonic()
        self._stopped = not self._show(Moment(progress.step, self._loss)) or self._stopped
        return not self._stopped

    def _held_out_loss(self) -> float | None:
        found = self._parameters()
        return float(self._trajectory.held_out(found)) if found is not None else None

    def _parameters(self) -> list[Tensor] | None:
        """The parameters as they were last seen; None where they are no longer what they should be."""
        found = [p for p in parameters(self._called) if p is not None]
        shapes = [tensor.shape for tensor in self._trajectory.initial]
        sound = [p.shape for p in found] == shapes and all(p.isfinite().all() for p in found)
        return [p.float() for p in found] if sound else None

    def result(self, name: str, *, published: bool) -> Training:
        """What the training came to."""
        self._step = min(self._step, self._trajectory.descent.steps)
        made = self._companion.finish(self._step)
        found = self._parameters()
        told = losses(self._called)
        own = tuple(told.tensor.flatten().tolist()) if isinstance(told, Returned) else ()
        descent = self._trajectory.descent
        return Training(
            name=name,
            steps=descent.steps,
            done=self._step,
            trouble=self._trouble(found),
            stopped=self._stopped and not isinstance(self._called.answer, Failed),
            hand=self._side(found, own, self._seconds),
            autograd=self._side(made.parameters, made.losses, made.seconds),
            published=descent.published if published else {},
            names=self._names(found) if found is not None else (),
        )

    def _trouble(self, found: Sequence[Tensor] | None) -> str | None:
        steps = self._trajectory.descent.steps
        if isinstance(self._called.answer, Failed):
            return f"{self._called.answer.message}; it had come to step {self._step} of {steps}"
        if self._stopped:
            return f"stopped at step {self._step} of {steps}"
        if found is None:
            return "the parameters came back with numbers that are not finite, or in other shapes"
        if self._step < steps:
            return f"it took {self._step} of the {steps} batches"
        unchanged = all(map(torch.equal, found, self._trajectory.initial))
        return "the parameters came back unchanged: change them in place" if unchanged else None

    def _side(self, found: Sequence[Tensor] | None, own: Sequence[float], seconds: float) -> Side:
        if found is None:
            return Side(tuple(own), None, None, seconds)
        network, words = self._network(found), self._trajectory.vocabulary
        block = network.contexts.shape[1]
        held_out = words.windows(block, words.validation)
        training = network.loss(*words.windows(block))
        return Side(tuple(own), training, network.loss(*held_out), seconds)

    def _names(self, found: Sequence[Tensor]) -> tuple[str, ...]:
        alphabet = self._trajectory.vocabulary.alphabet
        return self._network(found).words(alphabet, NAMES, self._trajectory.start.generator("names"))

    def _network(self, found: Sequence[Tensor]) -> Network:
        trajectory = self._trajectory
        return Network(trajectory.forward, trajectory.descent, found, trajectory.drawing.contexts)


@dataclass(frozen=True)
class Made:
    """What autograd came to."""

    losses: tuple[float, ...]
    parameters: tuple[Tensor, ...]
    seconds: float


class Companion:
    """The same steps by autograd, in a thread of their own, never ahead of the training they accompany."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._parameters = [p.clone().requires_grad_() for p in trajectory.initial]
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

    def __exit__(self, *_: object) -> None:
        self._close()

    def follow(self, step: int) -> None:
        """Go on until so many steps are made; they are made in the background."""
        with self._changed:
            self._target = max(self._target, step)
            self._changed.notify_all()

    def finish(self, steps: int) -> Made:
        """Make so many steps and no more, and give what they came to."""
        self.follow(steps)
        self._close()
        if self._error is not None:
            raise self._error
        return Made(tuple(self._losses), tuple(p.detach() for p in self._parameters), self._seconds)

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._descend()
        except Exception as error:
            self._error = error

    def _descend(self) -> None:
        descent = self._trajectory.descent
        autograd = Autograd(self._trajectory.forward, descent, self._parameters)
        for batch, rate in zip(Batches(self._trajectory.drawing), self._trajectory.rates, strict=True):
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
