"""The kinds of function a student writes, and what an exercise's settings say of each.

A :class:`GradientStub` returns one gradient, and may be handed others. A :class:`GradientsFunction` returns
several gradients at once, and is handed forward values alone. A :class:`TrainingFunction` makes the steps of a
descent. What differs between them is asked of the function itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from grader.course.forward import LOSS, Forward, Step, did_you_mean


@dataclass(frozen=True)
class CaseSettings:
    """One case to draw: its name, a fixed seed or None for the instructor's, and draw()'s arguments."""

    name: str
    seed: int | None
    sizes: Mapping[str, float]


class Vanishing(StrEnum):
    """What an exercise asks for where the gradient of the loss is zero, such as that of a bias before a norm.

    ``STEP`` asks for the step: a stub has to take a gradient under which its own is not zero, and go on from
    there. ``VALUE`` asks for the value: zero is right.
    """

    STEP = "step"
    VALUE = "value"


LOSSES, PARAMETERS, DESCENT = "losses", "parameters", "descent"
"""What a descent is graded by: the loss of each step, the parameters at its end, and how far it came down."""

DESCENT_ARGUMENTS = ("parameters", "batches", "learning_rates")
"""What a function that trains is called with."""


@dataclass(frozen=True)
class Published:
    """What somebody else reports for a whole training: ``by`` says who, and of which words."""

    by: str
    steps: int
    training: float
    validation: float


@dataclass(frozen=True)
class Descent:
    """What a function that trains is given to do.

    Args:
        trains: the forward pass's inputs that are its parameters, in the order they are handed over.
        batch: the forward pass's two other inputs: contexts, and the character that follows each.
        steps: how many steps it makes.
        held_out: how many windows no step has seen its result is judged on.
        learning_rates: one for each equal part of the steps, so that a rate that is ignored shows.
        start: the case whose parameters it starts from; its ``batch`` and ``block`` are those of each step.
        published: what others report for a whole training, or None.
    """

    trains: tuple[str, ...]
    batch: tuple[str, str]
    steps: int
    held_out: int
    learning_rates: tuple[float, ...]
    start: CaseSettings
    published: Published | None

    def rates(self, steps: int) -> list[float]:
        """The learning rate of each of so many steps."""
        return [self.learning_rates[step * len(self.learning_rates) // steps] for step in range(steps)]


class Owner(Protocol):
    """What functions ask of the exercise they belong to; see :class:`grader.course.exercise.Exercise`."""

    @property
    def forward(self) -> Forward: ...  # noqa: D102  (told there)
    @property
    def asks(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def upstreams(self) -> tuple[str, ...] | None: ...  # noqa: D102
    @property
    def signatures(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def vanishing(self) -> Vanishing: ...  # noqa: D102
    @property
    def words(self) -> Path | None: ...  # noqa: D102
    def known(self, ask: str) -> frozenset[str]: ...  # noqa: D102
    def through(self, ask: str) -> tuple[Step, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Function(ABC):
    """A function a student writes.

    Args:
        name: its name.
    """

    name: str

    @property
    @abstractmethod
    def asks(self) -> tuple[str, ...]:
        """What is graded of it."""

    @property
    def gradients(self) -> tuple[str, ...]:
        """What is graded of it and is a gradient."""
        return self.asks

    @property
    def structure(self) -> str | None:
        """What it returns in words, None where that is one tensor."""
        return None

    def known(self, exercise: Owner) -> frozenset[str]:
        """The tensors whose gradients it may be handed; that of the loss is 1, and no secret."""
        return frozenset({LOSS})

    @abstractmethod
    def may_ask(self, exercise: Owner) -> tuple[str, ...]:
        """Every parameter name it may have."""

    def signature(self, exercise: Owner) -> tuple[str, ...]:
        """The parameters that its template starts with."""
        return self.may_ask(exercise)

    def problems(self, exercise: Owner) -> Iterator[str]:
        """What does not fit its exercise: each problem with the key it is found under."""
        if not self.asks:
            yield ": expected some of what it returns among the asks, found none"


@dataclass(frozen=True)
class GradientStub(Function):
    """A function named for the one gradient it returns, such as ``dprobs``."""

    @property
    def asks(self) -> tuple[str, ...]:
        """The gradient it is named for."""
        return (self.name,)

    def known(self, exercise: Owner) -> frozenset[str]:
        """The tensors whose gradients it may be handed: all that lie nearer to the loss, or those allowed."""
        if exercise.upstreams is not None:
            return frozenset((LOSS, *map(tensor_of, exercise.upstreams)))
        earlier = map(tensor_of, exercise.asks[: exercise.asks.index(self.name)])
        return frozenset((LOSS, *earlier)) | exercise.forward.descendants(tensor_of(self.name))

    def may_ask(self, exercise: Owner) -> tuple[str, ...]:
        """Every forward value, and the gradients it may be handed."""
        return exercise.forward.names + tuple(f"d{tensor}" for tensor in exercise.known(self.name))

    def signature(self, exercise: Owner) -> tuple[str, ...]:
        """The values on the lines it goes back through, and the gradients of those lines."""
        if self.name in exercise.signatures:
            return exercise.signatures[self.name]
        lines, known = exercise.through(self.name), exercise.known(self.name)
        uses = [name for line in lines for name in line.uses]
        # The derivative of exp, tanh or a power is shortest in terms of the line's own result.
        results = [line.name for line in lines if len(line.uses) == 1 and line.name != LOSS]
        upstreams = [f"d{line.name}" for line in lines if line.name in known and line.name != LOSS]
        return tuple(dict.fromkeys(uses + results + upstreams))


@dataclass(frozen=True)
class GradientsFunction(Function):
    """A function that returns several gradients at once, and is handed none.

    Args:
        parameters: the only names it may ask for.
        places: for each gradient, where it stands in what the function returns: (1, 0) is the first of the
            second.
        returns: what it returns in words, such as ``(loss, [dC, dW1])``.
    """

    KIND: ClassVar[str] = "gradients"
    parameters: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    returns: str

    @classmethod
    def of(cls, name: str, about: Mapping[str, Any], asks: Sequence[str]) -> GradientsFunction:
        """Read one from its table of settings; of what it returns, the asks are graded, in their order."""
        found = dict(_places(about["returns"]))
        places = {ask: found[ask] for ask in asks if ask in found}
        return cls(name, tuple(about["parameters"]), places, _in_words(about["returns"], "()"))

    @property
    def asks(self) -> tuple[str, ...]:
        """The gradients that are graded."""
        return tuple(self.places)

    @property
    def structure(self) -> str:
        """A tree of names, such as ``(loss, [dC, dW1])``."""
        return self.returns

    def may_ask(self, exercise: Owner) -> tuple[str, ...]:
        """The forward values that the settings name."""
        return self.parameters

    def problems(self, exercise: Owner) -> Iterator[str]:
        """Parameters that are no forward values, and what every function is held to."""
        yield from super().problems(exercise)
        if exercise.vanishing is Vanishing.STEP:
            yield ': expected vanishing = "value": who is handed no gradient cannot show a step, found "step"'
        names = exercise.forward.names
        for name in self.parameters:
            if name not in names:
                yield f".parameters: expected forward values, found {name!r}{did_you_mean(name, names)}"


@dataclass(frozen=True)
class TrainingFunction(Function):
    """A function that trains: it makes the steps of a descent in place, and returns the loss of each.

    Args:
        descent: what it is given to do.
        graded: what it is graded by, of ``losses``, ``parameters`` and ``descent``.
    """

    KIND: ClassVar[str] = "descent"
    descent: Descent
    graded: tuple[str, ...]

    @classmethod
    def of(cls, name: str, about: Mapping[str, Any], asks: Sequence[str]) -> TrainingFunction:
        """Read one from its table of settings."""
        start = CaseSettings(name, about.get("seed"), about["sizes"])
        trains, batch, rates = (tuple(about[key]) for key in ("trains", "batch", "learning_rates"))
        published = Published(**about["published"]) if "published" in about else None
        descent = Descent(trains, batch, about["steps"], about["held_out"], rates, start, published)
        return cls(name, descent, tuple(ask for ask in asks if ask in (LOSSES, PARAMETERS, DESCENT)))

    @property
    def asks(self) -> tuple[str, ...]:
        """What it is graded by."""
        return self.graded

    @property
    def structure(self) -> str:
        """A loss for each step."""
        return "the loss of each step"

    @property
    def gradients(self) -> tuple[str, ...]:
        """None: it is graded by where it arrives."""
        return ()

    def may_ask(self, exercise: Owner) -> tuple[str, ...]:
        """The parameters, the batches and the learning rates."""
        return DESCENT_ARGUMENTS

    def problems(self, exercise: Owner) -> Iterator[str]:
        """Inputs that are neither trained nor a batch, words that are missing, and what all are held to."""
        yield from super().problems(exercise)
        inputs = exercise.forward.inputs
        if sorted(self.descent.trains + self.descent.batch) != sorted(inputs):
            yield f": expected trains and batch to be the inputs {', '.join(inputs)}"
        if exercise.words is None:
            yield ": expected words in [data] to train on, found none"


KINDS: Mapping[str, type[GradientsFunction] | type[TrainingFunction]] = {
    kind.KIND: kind for kind in (GradientsFunction, TrainingFunction)
}
"""The kinds of function that settings declare, by the name they give them."""


def declared(name: str, about: Mapping[str, Any], asks: Sequence[str]) -> Function:
    """A declared function, from its table of settings."""
    return KINDS[about["kind"]].of(name, about, asks)


def tensor_of(gradient: str) -> str:
    """The tensor a gradient belongs to: ``dprobs`` is that of ``probs``."""
    return gradient.removeprefix("d")


def _places(returns: Sequence[Any], above: tuple[int, ...] = ()) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each name in a tree of names, and where it stands."""
    for position, item in enumerate(returns):
        place = (*above, position)
        if isinstance(item, str):
            yield item, place
        else:
            yield from _places(item, place)


def _in_words(returns: Sequence[Any], brackets: str = "[]") -> str:
    """A tree of names as Python writes it: a tuple of names and lists."""
    items = (item if isinstance(item, str) else _in_words(item) for item in returns)
    return f"{brackets[0]}{', '.join(items)}{brackets[1]}"
