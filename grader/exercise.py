"""An exercise: a forward pass, the gradients it asks for, and a few lines of settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from grader.errors import CourseError
from grader.forward import LOSS, Forward, Step, did_you_mean

SETTINGS = "exercise.toml"
TIME_LIMIT_S = 10.0
MEMORY_LIMIT_MB = 1024


@dataclass(frozen=True)
class CaseSettings:
    """One case to draw: its name, a fixed seed or None for the instructor's, and draw()'s arguments."""

    name: str
    seed: int | None
    sizes: Mapping[str, float]


@dataclass(frozen=True)
class Exercise:
    """One exercise of a course.

    Args:
        id: its folder's name.
        title: one line, for people.
        folder: where its settings, template and README are.
        forward: its forward pass, the specification.
        asks: the gradients asked for, such as ``dprobs``, nearest the loss first.
        upstreams: the only gradients a stub may ask for, or None for all that lie nearer to the loss.
        signatures: parameters of a template's stub where those read off the forward pass do not suit.
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

    def known(self, ask: str) -> frozenset[str]:
        """The tensors whose gradients the stub ``ask`` may ask for."""
        return self._known[ask]

    def _nearer(self, ask: str) -> Iterator[str]:
        yield LOSS
        if self.upstreams is not None:
            yield from map(tensor_of, self.upstreams)
        else:
            yield from map(tensor_of, self.asks[: self.asks.index(ask)])
            yield from self.forward.descendants(tensor_of(ask))

    def through(self, ask: str) -> tuple[Step, ...]:
        """The forward lines the gradient ``ask`` goes back through, top to bottom."""
        return self.forward.frontier(tensor_of(ask), self.known(ask))

    def signature(self, ask: str) -> tuple[str, ...]:
        """The parameters a template's stub starts with: the values on its lines, and their gradients."""
        if ask in self.signatures:
            return self.signatures[ask]
        lines = self.through(ask)
        uses = [name for line in lines for name in line.uses]
        # The derivative of exp, tanh or a power is shortest in terms of the line's own result.
        results = [line.name for line in lines if len(line.uses) == 1 and line.name != LOSS]
        upstreams = [f"d{line.name}" for line in lines if line.name in self.known(ask) and line.name != LOSS]
        return tuple(dict.fromkeys(uses + results + upstreams))

    def may_ask(self, ask: str) -> tuple[str, ...]:
        """Every parameter name the stub ``ask`` may have."""
        return self.forward.names + tuple(f"d{name}" for name in self.known(ask))

    def _check(self, path: Path) -> None:
        tensors = self.forward.names
        named = {"asks": self.asks, "upstreams": self.upstreams or (), "signatures": tuple(self.signatures)}
        for key, asks in named.items():
            for ask in asks:
                if tensor_of(ask) not in tensors:
                    near = did_you_mean(ask, [f"d{name}" for name in tensors])
                    raise CourseError(f"{path}: {key}: expected the gradient of a forward value, found {ask!r}{near}")
        for position, ask in enumerate(self.asks):
            for later in self.asks[position + 1 :]:
                if tensor_of(later) in self.forward.descendants(tensor_of(ask)):
                    raise CourseError(f"{path}: asks: expected {later!r} before {ask!r}: it lies nearer to the loss")


def tensor_of(gradient: str) -> str:
    """The tensor a gradient belongs to: ``dprobs`` is that of ``probs``."""
    return gradient.removeprefix("d")


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

    return Draft202012Validator(json.loads(files("grader").joinpath("exercise.schema.json").read_text("utf-8")))
