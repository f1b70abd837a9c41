"""The cases a gradient is graded on: seeded inputs, and the forward values that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
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
class CaseSource:
    """What a case is drawn from: two cases from equal sources are the same.

    Args:
        forward: the forward pass.
        name: ``lecture``, or ``fresh 1`` and so on.
        fixed: the case's own seed, None where it is drawn from the instructor's.
        sizes: the arguments of ``draw``.
        seed: the instructor's seed, or one that was derived from it.
        owner: whom it is drawn for: an exercise, by id, or one that it shares the case with; None for a case that
            nobody is handed gradients in.
        words: the word list that the lecture's case takes its batch from.
    """

    forward: Forward
    name: str
    fixed: int | None
    sizes: tuple[tuple[str, float], ...]
    seed: int
    owner: str | None
    words: Path | None

    @property
    def drawn_from(self) -> int:
        """The seed of its inputs."""
        return self.derived if self.fixed is None else self.fixed

    @property
    def derived(self) -> int:
        """The seed of what else belongs to it, and of its inputs where it has none of its own."""
        return mixed(self.seed, self.name if self.owner is None else f"{self.owner}/{self.name}")

    def draw(self) -> Case:
        """Draw the case.

        Raises:
            CourseError: ``draw`` fails or leaves out an input, or the forward pass fails on what it drew.
            UsageError: the word list cannot be read.
        """
        forward, where = self.forward, f"{self.forward.path}: case {self.name}"
        given = (Words.load(self.words),) if self.name == LECTURE and self.words is not None else ()
        try:
            generator = torch.Generator().manual_seed(self.drawn_from)
            inputs = forward.module["draw"](generator, *given, **dict(self.sizes))
            values = forward.run({name: inputs[name] for name in forward.inputs})
        except KeyError as error:
            raise CourseError(f"{where}: expected draw() to give {error}") from error
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise CourseError(f"{where}: {type(error).__name__}: {error}") from error
        return Case(
            self.name, forward, {n: values[n] for n in forward.inputs}, values, self.derived, source=self
        )


@dataclass(frozen=True)
class Case:
    """One set of inputs and the float32 forward values that follow from them.

    Args:
        name: ``lecture``, or ``fresh 1`` and so on.
        forward: the forward pass.
        inputs: the values of its arguments, float tensors in float32.
        values: the inputs and every step's value.
        seed: what else belongs to this case (random upstreams, rounding noise) is drawn from it.
        source: what it was drawn from.
    """

    name: str
    forward: Forward
    inputs: Values
    values: Values
    seed: int
    source: CaseSource = field(repr=False)

    def generator(self, purpose: str) -> torch.Generator:
        """A fresh generator for one purpose, the same for the same case and seed."""
        return torch.Generator().manual_seed(mixed(self.seed, purpose))


def sources(
    exercise: Exercise, seed: int = DEFAULT_SEED, words: Path | None = None, owner: str | None = None
) -> tuple[CaseSource, ...]:
    """What the lecture's case and the fresh ones of an exercise are drawn from.

    Args:
        exercise: whose cases.
        seed: the instructor's seed; cases without a fixed seed of their own are drawn from it.
        words: a word list instead of the exercise's own.
        owner: whom they are drawn for: by default the exercise whose forward pass it is, so that all exercises
            on that forward pass have the same cases.
    """
    owner = owner or exercise.forward.path.parent.name
    return tuple(
        _source(exercise.forward, settings, seed, words or exercise.words, owner)
        for settings in (exercise.lecture, *exercise.fresh)
    )


def cases(exercise: Exercise, seed: int = DEFAULT_SEED, words: Path | None = None) -> tuple[Case, ...]:
    """Draw the lecture's case and the fresh ones; see :func:`sources`, and :meth:`CaseSource.draw` for errors."""
    return tuple(source.draw() for source in sources(exercise, seed, words))


def draw_start(forward: Forward, settings: CaseSettings, seed: int) -> Case:
    """Draw the case that a training starts from; see :meth:`CaseSource.draw` for errors.

    Args:
        forward: the forward pass.
        settings: its name, its own seed if it has one, and the arguments of ``draw``.
        seed: the instructor's seed.
    """
    return _source(forward, settings, seed, None, None).draw()


def _source(
    forward: Forward, settings: CaseSettings, seed: int, words: Path | None, owner: str | None
) -> CaseSource:
    sizes = tuple(sorted(settings.sizes.items()))
    return CaseSource(forward, settings.name, settings.seed, sizes, seed, owner, words)


def mixed(seed: int, purpose: str) -> int:
    """A seed for one purpose; a hash, so that one seed's purposes share nothing with another's."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "little")


def floats(values: Values) -> Iterator[str]:
    """The names of the floating-point tensors among forward values."""
    for name, value in values.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            yield name
