"""Why an answer is wrong: hypotheses made from the forward pass, held against what a student returned.

Each file in ``families`` holds one family of hypotheses and the words for it. They are asked in the order of
their ``ORDER``; the first explanation that is the student's answer, within the check's tolerance, in every
case that decides is the hint. A hint is never a guess: where nothing explains all the cases, only what is
plain is said.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from typing import Protocol, cast

import torch

from grader.bench import Bench, Trial
from grader.check import Verdict
from grader.diagnose import families
from grader.diagnose.scene import Inquiry, Knowledge
from grader.exercise import tensor_of
from grader.scorecard import Hint, Outcome

SILENT = frozenset(
    {
        Outcome.MISSING,
        Outcome.FORBIDDEN,
        Outcome.TIMED_OUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.CRASHED,
        Outcome.NOT_RUN,
        Outcome.GRADER_FAULT,
    }
)
"""Outcomes that speak for themselves."""


class Level(StrEnum):
    """How much a hint may tell: the explanation, only the place, nothing."""

    FULL = "full"
    LINE = "line"
    OFF = "off"


class Family(Protocol):
    """What a file in ``families`` offers."""

    ORDER: int
    """Families are asked in this order."""

    def explain(self, inquiry: Inquiry) -> Iterator[Hint]:
        """Every hint of this family that explains the answer, best first."""
        ...


def diagnose(bench: Bench, ask: str, tried: Sequence[tuple[Trial, Verdict]]) -> Hint | None:
    """Say why a gradient is wrong.

    Args:
        bench: the exercise's bench.
        ask: the gradient's name, such as ``dprobs``.
        tried: the stub's calls and what became of them.

    Returns:
        The best explanation, or None for a right answer, for an outcome that speaks for itself, for an ask
        that is no gradient of the forward pass, and where nothing can be said for certain.
    """
    if tensor_of(ask) not in bench.exercise.forward.names:
        return None
    inquiry = Inquiry(Knowledge.of(bench), ask, tuple(tried))
    if inquiry.outcome.scores or inquiry.outcome in SILENT:
        return None
    # Autograd is how a line is gone back through; whoever grades may have switched it off.
    with torch.enable_grad():
        return next((hint for family in _families() for hint in family.explain(inquiry)), None)


def reduced(hint: Hint | None, level: str) -> Hint | None:
    """A hint cut down to what an instructor allows.

    Args:
        hint: the hint, or None.
        level: ``full`` leaves it as it is, ``line`` keeps the place only, ``off`` leaves nothing.

    Raises:
        ValueError: the level is none of these.
    """
    allowed = Level(level)
    if hint is None or allowed is Level.FULL:
        return hint
    if allowed is Level.OFF or hint.forward_line is None:
        return None
    return Hint("line", f"Look again at `{hint.forward_line}`.", hint.forward_line)


@cache
def _families() -> tuple[Family, ...]:
    """The families, in order: every module in the package counts, so that one more is one more file."""
    names = [module.name for module in pkgutil.iter_modules(families.__path__)]
    found = [cast(Family, importlib.import_module(f"{families.__name__}.{name}")) for name in names]
    return tuple(sorted(found, key=lambda family: family.ORDER))
