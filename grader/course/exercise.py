"""An exercise: a forward pass, the gradients it asks for, and a few lines of settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from grader.course.forward import LOSS, Forward, Step, did_you_mean
from grader.errors import CourseError

SETTINGS = "exercise.toml"
TIME_LIMIT_S = 10.0
MEMORY_LIMIT_MB = 1024


@dataclass(frozen=True)
class CaseSettings:
    """One case to draw: its name, a fixed seed or None for the instructor's, and draw()'s arguments."""

    name: str
    seed: int | None
    sizes: Mapping[str, float]


LOSSES, PARAMETERS, DESCENT = "losses", "parameters", "descent"
"""What a descent is graded by: the loss of each step, the parameters at its end, and how far it came down."""

DESCENT_ARGUMENTS = ("parameters", "batches", "learning_rates")
"""What a function that descends is called with."""


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


@dataclass(frozen=True)
class Function:
    """A function a student writes, and what is graded of it.

    Args:
        name: its name.
        places: for each ask, where it stands in what the function returns: (1, 0) is the first of the second,
            () all of it.
        parameters: the only names it may ask for, or None for what :meth:`Exercise.may_ask` says of a stub.
        returns: what it returns in words, such as ``(loss, [dC, dW1])``; None for a stub's one tensor.
        descent: what it has to train, where it trains.
    """

    name: str
    places: Mapping[str, tuple[int, ...]]
    parameters: tuple[str, ...] | None = None
    returns: str | None = None
    descent: Descent | None = None

    @property
    def asks(self) -> tuple[str, ...]:
        """What is graded of it."""
        return tuple(self.places)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a course.

    Args:
        id: its folder's name.
        title: one line, for people.
        folder: where its settings, template and README are.
        forward: its forward pass, the specification.
        asks: what is graded: gradients such as ``dprobs``, nearest the loss first, and what a descent is
            graded by.
        declared: functions that several asks belong to; every other ask has a stub of its own name.
        upstreams: the only gradients a stub may ask for, or None for all that lie nearer to the loss.
        signatures: parameters of a template's stub where those read off the forward pass do not suit.
        strict_shapes: whether a shape that differs by leading 1s is wrong.
        points: what each gradient is worth.
        time_limit_s: seconds that one stub may compute or sleep, all cases together.
        memory_limit_mb: MiB a submission may allocate beyond the interpreter and torch.
        words: the word list the lecture's case is drawn from, or None.
        lecture: the lecture's own case.
        fresh: cases of other sizes.
    """

    id: str
    title: str
    folder: Path
    forward: Forward
    asks: tuple[str, ...]
    declared: tuple[Function, ...]
    upstreams: tuple[str, ...] | None
    signatures: Mapping[str, tuple[str, ...]]
    strict_shapes: bool
    points: float
    time_limit_s: float
    memory_limit_mb: int
    words: Path | None
    lecture: CaseSettings
    fresh: tuple[CaseSettings, ...]

    @classmethod
    def load(cls, folder: Path) -> Exercise:
        """Read an exercise's folder.

        Raises:
            CourseError: settings that break their schema, gradients the forward pass does not have, or asked
                for in an order that would hand out an answer before its question.
        """
        settings = _settings(folder)
        shared = _settings(folder.parent / settings["shares"]) if "shares" in settings else settings
        home = folder.parent / settings.get("shares", folder.name)
        exercise = cls(
            id=folder.name,
            title=settings["title"],
            folder=folder,
            forward=Forward.load(home / "forward.py"),
            asks=tuple(settings["asks"]),
            declared=tuple(
                _function(name, about, settings["asks"])
                for name, about in settings.get("functions", {}).items()
            ),
            upstreams=tuple(settings["upstreams"]) if "upstreams" in settings else None,
            signatures={name: tuple(names) for name, names in settings.get("signatures", {}).items()},
            strict_shapes=settings.get("strict_shapes", False),
            points=settings.get("points", 1),
            time_limit_s=settings.get("time_limit_s", TIME_LIMIT_S),
            memory_limit_mb=settings.get("memory_limit_mb", MEMORY_LIMIT_MB),
            words=home / shared["data"]["words"] if "words" in shared.get("data", {}) else None,
            lecture=_case("lecture", shared["lecture"]),
            fresh=tuple(_case(f"fresh {i}", case) for i, case in enumerate(shared["fresh"], 1)),
        )
        exercise._check(folder / SETTINGS)
        return exercise

    @cached_property
    def _known(self) -> Mapping[str, frozenset[str]]:
        return {ask: frozenset(self._nearer(ask)) for ask in self.asks}

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions a student writes, in the order of what is graded of them."""
        owners = {ask: function for function in self.declared for ask in function.asks}
        each = [owners.get(ask) or Function(ask, {ask: ()}) for ask in self.asks]
        return tuple({function.name: function for function in each}.values())

    @cached_property
    def stubs(self) -> tuple[str, ...]:
        """The names of the functions a student writes."""
        return tuple(function.name for function in self.functions)

    def function_of(self, ask: str) -> Function:
        """The function an ask belongs to."""
        return next(function for function in self.functions if ask in function.places)

    def function(self, name: str) -> Function:
        """The function of that name."""
        return next(function for function in self.functions if function.name == name)

    @cached_property
    def gradients(self) -> tuple[str, ...]:
        """The asks that are gradients."""
        return tuple(ask for function in self.functions if function.descent is None for ask in function.asks)

    def known(self, ask: str) -> frozenset[str]:
        """The tensors whose gradients the stub ``ask`` may ask for."""
        return self._known[ask]

    def _nearer(self, ask: str) -> Iterator[str]:
        yield LOSS
        if self.function_of(ask).parameters is not None:
            return
        if self.upstreams is not None:
            yield from map(tensor_of, self.upstreams)
        else:
            yield from map(tensor_of, self.asks[: self.asks.index(ask)])
            yield from self.forward.descendants(tensor_of(ask))

    def through(self, ask: str) -> tuple[Step, ...]:
        """The forward lines an ask goes back through, top to bottom; none for what is no gradient."""
        return self._through.get(ask, ())

    @cached_property
    def _through(self) -> Mapping[str, tuple[Step, ...]]:
        return {ask: self.forward.frontier(tensor_of(ask), self.known(ask)) for ask in self.gradients}

    def signature(self, ask: str) -> tuple[str, ...]:
        """The parameters a template's function starts with: the values on its lines, and their gradients."""
        declared = self.function(ask).parameters
        if declared is not None:
            return declared
        if ask in self.signatures:
            return self.signatures[ask]
        lines = self.through(ask)
        uses = [name for line in lines for name in line.uses]
        # The derivative of exp, tanh or a power is shortest in terms of the line's own result.
        results = [line.name for line in lines if len(line.uses) == 1 and line.name != LOSS]
        upstreams = [f"d{line.name}" for line in lines if line.name in self.known(ask) and line.name != LOSS]
        return tuple(dict.fromkeys(uses + results + upstreams))

    def may_ask(self, name: str) -> tuple[str, ...]:
        """Every parameter name the function of that name may have."""
        return self._parameters[name]

    @cached_property
    def _parameters(self) -> Mapping[str, tuple[str, ...]]:
        return {function.name: self._parameters_of(function) for function in self.functions}

    def _parameters_of(self, function: Function) -> tuple[str, ...]:
        if function.parameters is not None:
            return function.parameters
        return self.forward.names + tuple(f"d{tensor}" for tensor in self.known(function.name))

    def _check(self, path: Path) -> None:
        for function in self.declared:
            _check_function(path, function, self)
        tensors = self.forward.names
        named = {
            "asks": self.gradients,
            "upstreams": self.upstreams or (),
            "signatures": tuple(self.signatures),
        }
        for key, asks in named.items():
            for ask in asks:
                if tensor_of(ask) not in tensors:
                    near = did_you_mean(ask, [f"d{name}" for name in tensors])
                    raise CourseError(
                        f"{path}: {key}: expected the gradient of a forward value, found {ask!r}{near}"
                    )
        for position, ask in enumerate(self.gradients):
            for later in self.gradients[position + 1 :]:
                if tensor_of(later) in self.forward.descendants(tensor_of(ask)):
                    raise CourseError(
                        f"{path}: asks: expected {later!r} before {ask!r}: it lies nearer to the loss"
                    )


def tensor_of(gradient: str) -> str:
    """The tensor a gradient belongs to: ``dprobs`` is that of ``probs``."""
    return gradient.removeprefix("d")


def _function(name: str, about: Mapping[str, Any], asks: Sequence[str]) -> Function:
    """A declared function, from its settings."""
    if about["kind"] == DESCENT:
        start = CaseSettings(name, about.get("seed"), about["sizes"])
        trains, batch, rates = (tuple(about[key]) for key in ("trains", "batch", "learning_rates"))
        published = Published(**about["published"]) if "published" in about else None
        descent = Descent(trains, batch, about["steps"], about["held_out"], rates, start, published)
        places: dict[str, tuple[int, ...]] = {ask: () for ask in asks if ask in (LOSSES, PARAMETERS, DESCENT)}
        return Function(name, places, DESCENT_ARGUMENTS, "the loss of each step", descent)
    places = {ask: place for ask, place in _places(about["returns"]) if ask in asks}
    return Function(
        name,
        dict(sorted(places.items(), key=lambda item: asks.index(item[0]))),
        tuple(about["parameters"]),
        _in_words(about["returns"], "()"),
    )


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


def _check_function(path: Path, function: Function, exercise: Exercise) -> None:
    """Hold a declared function to its exercise.

    Raises:
        CourseError: nothing is graded of it, it asks for what there is not, or it trains without words.
    """
    key = f"{path}: functions.{function.name}"
    if not function.asks:
        raise CourseError(f"{key}: expected some of what it returns among the asks, found none")
    inputs, descent = exercise.forward.inputs, function.descent
    if descent is None:
        for name in function.parameters or ():
            if name not in exercise.forward.names:
                near = did_you_mean(name, exercise.forward.names)
                raise CourseError(f"{key}.parameters: expected forward values, found {name!r}{near}")
    elif sorted(descent.trains + descent.batch) != sorted(inputs):
        raise CourseError(f"{key}: expected trains and batch to be the inputs {', '.join(inputs)}")
    elif exercise.words is None:
        raise CourseError(f"{key}: expected words in [data] to train on, found none")


def _case(name: str, settings: Mapping[str, Any]) -> CaseSettings:
    return CaseSettings(name, settings.get("seed"), settings["sizes"])


@cache
def _settings(folder: Path) -> Mapping[str, Any]:
    path = folder / SETTINGS
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CourseError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: expected TOML: {error}") from error
    _validate(path, settings)
    if "shares" not in settings:
        for key in ("lecture", "fresh"):
            if key not in settings:
                raise CourseError(f"{path}: {key}: expected a table of cases (or `shares`), found none")
    return settings


def _validate(path: Path, settings: Mapping[str, Any]) -> None:
    """Hold settings to the schema; the message names file, key, what was expected and what was found."""
    error = next(iter(sorted(_validator().iter_errors(settings), key=lambda e: list(map(str, e.path)))), None)
    if error is None:
        return
    key = ".".join(map(str, error.absolute_path)) or "the file"
    expected = {
        "type": f"expected {error.validator_value}",
        "required": f"expected the keys {', '.join(error.schema.get('required', []))}",
        "additionalProperties": f"expected only the keys {', '.join(error.schema.get('properties', {}))}",
    }.get(str(error.validator), f"expected {error.validator} {error.validator_value}")
    found = ", ".join(error.instance) if isinstance(error.instance, dict) else repr(error.instance)
    raise CourseError(f"{path}: {key}: {expected}, found {found}")


@cache
def _validator() -> Any:
    # Imported here because it is slow to load and many commands need no course.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(
        json.loads(files("grader.course").joinpath("exercise.schema.json").read_text("utf-8"))
    )
