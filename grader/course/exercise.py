"""An exercise: a forward pass, the gradients it asks for, and a few lines of settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from grader.course.forward import Forward, Step, did_you_mean
from grader.course.functions import (
    DESCENT,
    DESCENT_ARGUMENTS,
    LOSSES,
    PARAMETERS,
    CaseSettings,
    Descent,
    Function,
    GradientsFunction,
    GradientStub,
    TrainingFunction,
    Vanishing,
    declared,
    tensor_of,
)
from grader.errors import CourseError

__all__ = [
    "DESCENT", "DESCENT_ARGUMENTS", "LOSSES", "PARAMETERS", "SETTINGS", "CaseSettings", "Descent", "Exercise",
    "Function", "GradientStub", "GradientsFunction", "TrainingFunction", "Vanishing", "tensor_of",
]  # fmt: skip

SETTINGS = "exercise.toml"
TIME_LIMIT_S = 10.0
MEMORY_LIMIT_MB = 1024


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
        vanishing: what is asked for where a gradient vanishes: by default the step; the value, where a function
            is handed no gradient to start from.
        why_zero: why a gradient vanishes, by ask: what to say of a right answer where the value is asked for.
        strict_shapes: whether a shape that differs by leading 1s is wrong.
        points: what each gradient is worth.
        time_limit_s: wall-clock seconds for one stub, all cases together.
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
    vanishing: Vanishing
    why_zero: Mapping[str, str]
    strict_shapes: bool
    points: float
    time_limit_s: float
    memory_limit_mb: int
    words: Path | None
    lecture: CaseSettings
    fresh: tuple[CaseSettings, ...]

    @classmethod
    def load(cls, folder: Path, files: ExerciseFiles | None = None) -> Exercise:
        """Read an exercise's folder.

        Args:
            folder: the folder.
            files: what was read already of the course's files, which exercises share; None for nothing.

        Raises:
            CourseError: settings that break their schema, gradients the forward pass does not have, or asked
                for in an order that would hand out an answer before its question.
        """
        files = files or ExerciseFiles()
        settings = files.settings(folder)
        shared = files.settings(folder.parent / settings["shares"]) if "shares" in settings else settings
        home = folder.parent / settings.get("shares", folder.name)
        kinds = {about["kind"] for about in settings.get("functions", {}).values()}
        is_handed_none = GradientsFunction.KIND in kinds
        exercise = cls(
            id=folder.name,
            title=settings["title"],
            folder=folder,
            forward=files.forward(home / "forward.py"),
            asks=tuple(settings["asks"]),
            declared=tuple(
                declared(name, about, settings["asks"])
                for name, about in settings.get("functions", {}).items()
            ),
            upstreams=tuple(settings["upstreams"]) if "upstreams" in settings else None,
            signatures={name: tuple(names) for name, names in settings.get("signatures", {}).items()},
            vanishing=Vanishing(
                settings.get("vanishing", Vanishing.VALUE if is_handed_none else Vanishing.STEP)
            ),
            why_zero=settings.get("why_zero", {}),
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
    def functions(self) -> tuple[Function, ...]:
        """The functions a student writes, in the order of what is graded of them."""
        owners = {ask: function for function in self.declared for ask in function.asks}
        each = [owners.get(ask) or GradientStub(ask) for ask in self.asks]
        return tuple({function.name: function for function in each}.values())

    @cached_property
    def stubs(self) -> tuple[str, ...]:
        """The names of the functions a student writes."""
        return tuple(function.name for function in self.functions)

    @cached_property
    def _by_ask(self) -> Mapping[str, Function]:
        return {ask: function for function in self.functions for ask in function.asks}

    def function_of(self, ask: str) -> Function:
        """The function an ask belongs to."""
        return self._by_ask[ask]

    def function(self, name: str) -> Function:
        """The function of that name."""
        return next(function for function in self.functions if function.name == name)

    @cached_property
    def gradients(self) -> tuple[str, ...]:
        """The asks that are gradients."""
        return tuple(ask for function in self.functions for ask in function.gradients)

    @cached_property
    def training(self) -> tuple[TrainingFunction, ...]:
        """The functions that train."""
        return tuple(function for function in self.functions if isinstance(function, TrainingFunction))

    @cached_property
    def _known(self) -> Mapping[str, frozenset[str]]:
        return {ask: function.known(self) for ask, function in self._by_ask.items()}

    def known(self, ask: str) -> frozenset[str]:
        """The tensors whose gradients the function of an ask may be handed."""
        return self._known[ask]

    def through(self, ask: str) -> tuple[Step, ...]:
        """The forward lines an ask goes back through, top to bottom; none for what is no gradient."""
        return self._through.get(ask, ())

    @cached_property
    def _through(self) -> Mapping[str, tuple[Step, ...]]:
        return {ask: self.forward.frontier(tensor_of(ask), self.known(ask)) for ask in self.gradients}

    def signature(self, name: str) -> tuple[str, ...]:
        """The parameters that the template of the function of that name starts with."""
        return self.function(name).signature(self)

    def may_ask(self, name: str) -> tuple[str, ...]:
        """Every parameter name the function of that name may have."""
        return self._parameters[name]

    @cached_property
    def _parameters(self) -> Mapping[str, tuple[str, ...]]:
        return {function.name: function.may_ask(self) for function in self.functions}

    def _check(self, path: Path) -> None:
        for function in self.declared:
            for problem in function.problems(self):
                raise CourseError(f"{path}: functions.{function.name}{problem}")
        tensors = self.forward.names
        named = {
            "asks": self.gradients,
            "upstreams": self.upstreams or (),
            "signatures": tuple(self.signatures),
            "why_zero": tuple(self.why_zero),
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


def _case(name: str, settings: Mapping[str, Any]) -> CaseSettings:
    return CaseSettings(name, settings.get("seed"), settings["sizes"])


@dataclass
class ExerciseFiles:
    """Settings and forward passes, each read once: exercises share them. Its owner makes it anew after an edit."""

    _settings: dict[Path, Mapping[str, Any]] = field(default_factory=dict)
    _forwards: dict[Path, Forward] = field(default_factory=dict)

    def settings(self, folder: Path) -> Mapping[str, Any]:
        """The settings in an exercise's folder.

        Raises:
            CourseError: they cannot be read, or break their schema.
        """
        if folder not in self._settings:
            self._settings[folder] = _settings(folder)
        return self._settings[folder]

    def forward(self, path: Path) -> Forward:
        """The forward pass in a file.

        Raises:
            CourseError: it cannot be read or run, or breaks the form.
        """
        if path not in self._forwards:
            self._forwards[path] = Forward.load(path)
        return self._forwards[path]


def _settings(folder: Path) -> Mapping[str, Any]:
    path = folder / SETTINGS
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise CourseError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CourseError(f"{path}: expected TOML: {error}") from error
    return _read(path, text)


def _read(path: Path, text: str) -> Mapping[str, Any]:
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
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
