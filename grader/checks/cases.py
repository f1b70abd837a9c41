"""The cases a gradient is graded on: seeded inputs, and the forward values that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from grader.course.exercise import CaseSettings, Exercise
from grader.course.forward import Forward, Values
from grader.course.settings import DEFAULT_SEED
from grader.course.wordlist import Words
from grader.errors import CourseError

LECTURE = "lecture"
RANDOM = "random upstreams"


@dataclass(frozen=True)
class Case:
    """One set of inputs and the float32 forward values that follow from them.

    Args:
        name: ``lecture``, or ``fresh 1`` and so on.
        forward: the forward pass.
        inputs: the values of its arguments, float tensors in float32.
        values: the inputs and every step's value.
        seed: what else belongs to this case (random upstreams, rounding noise) is drawn from it.
    """

    name: str
    forward: Forward
    inputs: Values
    values: Values
    seed: int

    def generator(self, purpose: str) -> torch.Generator:
        """A fresh generator for one purpose, the same for the same case and seed."""
        return torch.Generator().manual_seed(_mix(self.seed, purpose))


def cases(exercise: Exercise, seed: int = DEFAULT_SEED, words: Path | None = None) -> tuple[Case, ...]:
    """The lecture's case and the fresh ones.

    Args:
        exercise: whose cases.
        seed: the instructor's seed; cases without a fixed seed of their own are drawn from it.
        words: a word list instead of the exercise's own.

    Raises:
        CourseError: ``draw`` fails or leaves out an input, or the forward pass fails on what it drew.
        UsageError: the word list cannot be read.
    """
    return _cases(exercise.forward, (exercise.lecture, *exercise.fresh), seed, words or exercise.words)


# Exercises that share a forward pass share its cases, which are drawn once.
@cache
def _cached(
    forward: Forward, settings: tuple[_Hashable, ...], seed: int, words: Path | None
) -> tuple[Case, ...]:
    return tuple(draw_case(forward, one.settings, seed, words) for one in settings)


@dataclass(frozen=True)
class _Hashable:
    """Case settings as a cache key: their sizes are a dict."""

    settings: CaseSettings

    def __hash__(self) -> int:
        return hash((self.settings.name, self.settings.seed, *sorted(self.settings.sizes.items())))


def _cases(
    forward: Forward, settings: tuple[CaseSettings, ...], seed: int, words: Path | None
) -> tuple[Case, ...]:
    return _cached(forward, tuple(map(_Hashable, settings)), seed, words)


def draw_case(forward: Forward, settings: CaseSettings, seed: int, words: Path | None) -> Case:
    """Draw one case.

    Args:
        forward: the forward pass it is for.
        settings: its name, its own seed if it has one, and the arguments of ``draw``.
        seed: the instructor's seed.
        words: the word list that the lecture's case takes its batch from.

    Raises:
        CourseError, UsageError: as :func:`cases`.
    """
    own = settings.seed if settings.seed is not None else _mix(seed, settings.name)
    arguments = dict(settings.sizes)
    try:
        generator = torch.Generator().manual_seed(own)
        if settings.name == LECTURE and words is not None:
            inputs = forward.module["draw"](generator, Words.load(words), **arguments)
        else:
            inputs = forward.module["draw"](generator, **arguments)
        values = forward.run({name: inputs[name] for name in forward.inputs})
    except KeyError as error:
        raise CourseError(f"{forward.path}: case {settings.name}: expected draw() to give {error}") from error
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise CourseError(f"{forward.path}: case {settings.name}: {type(error).__name__}: {error}") from error
    return Case(
        settings.name, forward, {n: values[n] for n in forward.inputs}, values, _mix(seed, settings.name)
    )


def _mix(seed: int, purpose: str) -> int:
    """A seed for one purpose; a hash, so that one seed's purposes share nothing with another's."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "little")


def floats(values: Values) -> Iterator[str]:
    """The names of the floating-point tensors among forward values."""
    for name, value in values.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            yield name
