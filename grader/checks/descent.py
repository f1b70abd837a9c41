"""What a descent should come to: the same steps made by autograd, and how far rounding may carry a right one.

As for a single gradient (see :mod:`grader.checks.oracle`) what is expected is autograd's in float64, and the
envelope is measured: the descent is made again with every forward value, gradient and parameter disturbed by one
float32 rounding a step, and once more in float32. What rounding does to a descent grows along it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from grader.checks.cases import Case, draw_start
from grader.checks.check import Check
from grader.checks.loss_curve import side
from grader.checks.oracle import ROUNDING, ExpectedGradient
from grader.course.exercise import DESCENT, DESCENT_ARGUMENTS, LOSSES, PARAMETERS, Descent
from grader.course.forward import LOSS, Forward, Values
from grader.course.wordlist import Words
from grader.errors import CourseError
from grader.sandbox.answers import Answer, Called, Failed, Numbers, Other, Returned, item
from grader.sandbox.batches import Batches, Drawing
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Outcome, Training

POOL = 1 << 18
"""How many random numbers a disturbed descent takes its noise from, again and again."""

DROP_SHARE = 0.01
"""How far the drop of the loss may be from the expected one, relatively; right ones stay within a millionth."""

WAY_SHARE = 0.75
"""How far each parameter may end from where descent leads it, as a share of its way there.

Steps on other batches end within some 0.6 of the way. A parameter that is left as it was is off by 1, and one that
went in a direction of its own by more.
"""


@dataclass(frozen=True)
class Band(ExpectedGradient):
    """An expected number with a band around it that is set and not measured; ``share`` of its scale is allowed."""

    share: float = DROP_SHARE

    @cached_property
    def tolerance(self) -> float:
        """How far an answer may be off, absolute."""
        return self.share * self.scale


@dataclass
class Noise:
    """One float32 rounding, at random, for every entry it is asked for."""

    generator: torch.Generator
    _at: int = 0

    @cached_property
    def _pool(self) -> Tensor:
        # Drawing each number anew would take longer than the descent.
        return 1 + ROUNDING * torch.randn(POOL, generator=self.generator, dtype=torch.float64)

    def like(self, tensor: Tensor) -> Tensor:
        """Factors near 1 in the shape of a tensor."""
        size = tensor.numel()
        if size > POOL // 2:
            return 1 + ROUNDING * torch.randn(tensor.shape, generator=self.generator, dtype=tensor.dtype)
        if self._at + size > POOL:
            # From another place each time round: noise that repeats itself would add up.
            self._at = int(torch.randint(POOL // 2, (), generator=self.generator))
        taken = self._pool[self._at : self._at + size].view(tensor.shape)
        self._at += size
        return taken


@dataclass
class Autograd:
    """Stochastic gradient descent by autograd, one step at a time.

    Args:
        forward: the forward pass.
        descent: which of its inputs are trained, and which are the batch.
        parameters: what is trained, in place.
        noise: disturbs every value and parameter by one rounding, or None.
    """

    forward: Forward
    descent: Descent
    parameters: list[Tensor]
    noise: Noise | None = None

    def step(self, contexts: Tensor, targets: Tensor, rate: float) -> Tensor:
        """One step; the loss before it, a float64 scalar."""
        values = self._values(contexts, targets)
        loss: Tensor = values[LOSS]
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter -= rate * gradient
                if self.noise is not None:
                    parameter *= self.noise.like(parameter)
        return loss.detach().double()

    def _values(self, contexts: Tensor, targets: Tensor) -> Values:
        inputs = dict(zip(self.descent.trains, self.parameters, strict=True))
        inputs |= dict(zip(self.descent.batch, (contexts, targets), strict=True))
        noise = self.noise
        if noise is None:
            return self.forward.run(inputs)
        return self.forward.run(inputs, lambda _, value: value * noise.like(value))


@dataclass(frozen=True)
class Made:
    """One descent: the loss before each step, the parameters it ended with, and how long it took."""

    losses: Tensor
    parameters: tuple[Tensor, ...]
    seconds: float


@dataclass(frozen=True)
class DescentOracle:
    """What a function that trains is given to do, and what is expected of it.

    Args:
        forward: the forward pass.
        descent: what is to be done.
        seed: the instructor's seed.
        words: the word list that is trained on.
    """

    forward: Forward
    descent: Descent
    seed: int
    words: Path = field(repr=False)

    @cached_property
    def start(self) -> Case:
        """The case whose parameters it starts from."""
        return draw_start(self.forward, self.descent.start, self.seed)

    @property
    def initial(self) -> tuple[Tensor, ...]:
        """The parameters it starts from; not to be changed."""
        return tuple(self.start.inputs[name] for name in self.descent.trains)

    @cached_property
    def rates(self) -> list[float]:
        """The learning rate of each step."""
        return self.descent.rates(self.descent.steps)

    @cached_property
    def drawing(self) -> Drawing:
        """What its batches are drawn from: windows of the training split."""
        contexts, targets = self.vocabulary.windows(int(self.descent.start.sizes["block"]))
        rows = int(self.descent.start.sizes["batch"])
        return Drawing(contexts, targets, rows, self.descent.steps, self.batch_seed)

    @property
    def batch_seed(self) -> int:
        """What its batches are drawn from, besides the words."""
        return int(torch.randint(2**48, (), generator=self.start.generator("batches")))

    @cached_property
    def vocabulary(self) -> Words:
        """The words that are trained on, and those that are not."""
        return Words.load(self.words)

    def arguments(self) -> Arguments:
        """What the function is called with: parameters of its own, the batches and the learning rates."""
        parameters = [tensor.clone() for tensor in self.initial]
        return dict(
            zip(DESCENT_ARGUMENTS, (parameters, Batches(self.drawing), list(self.rates)), strict=True)
        )

    def checks(self, ask: str) -> tuple[Check, ...]:
        """What one of the asks is compared with, all from one call."""
        name = f"{self.descent.steps} steps"
        arguments = self._offered
        if ask == LOSSES:
            expected = self._expected([run.losses for run in self._runs])
            return (Check(name, arguments, expected, decides=True, extract=losses),)
        if ask == DESCENT:
            return (Check(name, arguments, self._drop, decides=True, extract=self.drop),)
        return tuple(
            Check(
                f"{name}: {tensor}",
                arguments,
                self._expected([run.parameters[place] for run in self._runs]),
                decides=True,
                extract=partial(parameter, place),
            )
            for place, tensor in enumerate(self.descent.trains)
        )

    def shape(self, ask: str) -> tuple[int, ...]:
        """The shape of an answer, known without any descent."""
        shapes = {LOSSES: (self.descent.steps,), PARAMETERS: tuple(self.initial[0].shape)}
        return shapes.get(ask, ())

    @property
    def single(self) -> Made:
        """The descent by autograd in float32, as a submission makes it by hand."""
        return self._runs[1]

    def noted(self, called: Called) -> list[float]:
        """The losses a submission returned, of no more steps than there are; none where it returned none."""
        found = losses(called)
        return found.tensor.flatten()[: self.descent.steps].tolist() if isinstance(found, Returned) else []

    def told(self, called: Called, seconds: float) -> Training:
        """A descent that came to an end, for the scorecard.

        Args:
            called: what came of it.
            seconds: how long it took.
        """
        steps = self.descent.steps
        return Training(
            words=self.words.name,
            steps=steps,
            done=min(called.taken or 0, steps),
            trouble=None,
            stopped=False,
            hand=side(self.noted(called), seconds),
            autograd=side(self.single.losses.tolist(), self.single.seconds),
            published=None,
            names=(),
        )

    def drop(self, called: Called) -> Answer:
        """How far the loss on held-out windows came down, by the judge's own forward pass on what it got.

        The loss can be brought down by other means than descent, such as a last layer fitted in closed form. So it
        counts as not having come down where a parameter did not go the way of the descent.
        """
        found = [parameter(place, called) for place in range(len(self.descent.trains))]
        ended = []
        for one, initial in zip(found, self.initial, strict=True):
            if not isinstance(one, Returned):
                return one
            if one.tensor.shape != initial.shape:
                return Failed(Outcome.WRONG_SHAPE, "a parameter came back in another shape")
            ended.append(one.tensor)
        drop = (self.held_out(self.initial) - self.held_out(ended)).float()
        return Returned(torch.zeros(()) if drop.isfinite() and self.strayed(ended) else drop)

    def strayed(self, ended: Sequence[Tensor]) -> tuple[str, ...]:
        """The parameters that did not go the way of the descent, not even roughly.

        Args:
            ended: where the parameters ended, in their own shapes.
        """
        ways = zip(self.descent.trains, ended, self.initial, self._ways, strict=True)
        return tuple(
            name
            for name, end, start, way in ways
            # Written so that a NaN counts as astray.
            if not way.vanishes
            and not (end.double() - start.double() - way.precise).norm() <= WAY_SHARE * way.precise.norm()
        )

    @cached_property
    def _ways(self) -> tuple[ExpectedGradient, ...]:
        """From where each parameter starts to where it should end; rounding alone moves some."""
        places = range(len(self.initial))
        starts = [tensor.double() for tensor in self.initial]
        return tuple(
            self._expected([run.parameters[place].double() - starts[place] for run in self._runs])
            for place in places
        )

    @cached_property
    def _drop(self) -> Band:
        start = self.held_out(self.initial)
        precise, single = (start - self.held_out(run.parameters) for run in self._runs[:2])
        return Band(precise, single.float(), 0.0)

    def held_out(self, parameters: Sequence[Tensor]) -> Tensor:
        """The loss on windows of the validation split, float64."""
        contexts, targets = self._windows
        inputs: Values = dict(zip(self.descent.trains, (p.double() for p in parameters), strict=True))
        inputs |= dict(zip(self.descent.batch, (contexts, targets), strict=True))
        loss: Tensor = self.forward.run(inputs)[LOSS]
        return loss

    @cached_property
    def _windows(self) -> tuple[Tensor, Tensor]:
        block = int(self.descent.start.sizes["block"])
        contexts, targets = self.vocabulary.windows(block, self.vocabulary.validation)
        rows = torch.randperm(len(contexts), generator=self.start.generator("held out"))[
            : self.descent.held_out
        ]
        return contexts[rows], targets[rows]

    @cached_property
    def _offered(self) -> Arguments:
        return self.arguments()

    @cached_property
    def _runs(self) -> tuple[Made, ...]:
        """The descent in float64, in float32, and disturbed."""
        noise = Noise(self.start.generator("rounding"))
        return self._run(torch.float64), self._run(torch.float32), self._run(torch.float64, noise)

    def _run(self, dtype: torch.dtype, noise: Noise | None = None) -> Made:
        parameters = [p.to(dtype, copy=True).requires_grad_() for p in self.initial]
        autograd = Autograd(self.forward, self.descent, parameters, noise)
        started = time.perf_counter()
        try:
            steps = zip(Batches(self.drawing), self.rates, strict=True)
            found = [autograd.step(*batch, rate) for batch, rate in steps]
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            message = f"{type(error).__name__}: {error}"
            raise CourseError(f"{self.forward.path}: training on {self.words}: {message}") from error
        seconds = time.perf_counter() - started
        return Made(torch.stack(found), tuple(p.detach() for p in parameters), seconds)

    def _expected(self, runs: Sequence[Tensor]) -> ExpectedGradient:
        precise, single, *disturbed = runs
        envelope = max(float((run.double() - precise).abs().max()) for run in (single, *disturbed))
        return ExpectedGradient(precise, single.float(), envelope)


def losses(called: Called) -> Answer:
    """The losses a descent returned: a list of numbers, or one tensor of them."""
    answer = called.answer
    if isinstance(answer, Numbers):
        # Plain numbers are float64 whatever they were before; float32 holds all that is compared.
        return Returned(answer.tensor.float())
    if isinstance(answer, Other):
        message = f"returned {answer.description}, expected the loss of each step: a list of numbers"
        return Failed(Outcome.NOT_A_TENSOR, message)
    return answer


def parameter(place: int, called: Called) -> Answer:
    """A tensor that was handed over as a parameter, as the call left it."""
    if isinstance(called.answer, Failed):
        return called.answer
    return _left(place, called) or Other("something that cannot be read")


def parameters(called: Called) -> Iterator[Tensor | None]:
    """All parameters as the call left them, None for what is no tensor; one by one, for there may be many."""
    for place in itertools.count():
        one = _left(place, called)
        if one is None:
            return
        yield one.tensor if isinstance(one, Returned) else None


def _left(place: int, called: Called) -> Answer | None:
    left = called.after.get(PARAMETERS)
    return None if left is None else item(left, (place,))
