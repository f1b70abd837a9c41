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
from dataclasses import replace
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Protocol, cast

import torch

from grader.checks.check import Check
from grader.checks.compare import Verdict
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import tensor_of
from grader.hints import descent, families
from grader.hints.inquiry import Inquiry, Knowledge
from grader.hints.text import Flaw, kinds
from grader.sandbox.answers import Called
from grader.scorecard.model import Hint, Outcome

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


GUESSES = 99
"""From this place on, families say where to look and not what the mistake is."""


class Level(StrEnum):
    """How much a hint may tell: the explanation, only the place, nothing."""

    FULL = "full"
    LINE = "line"
    OFF = "off"


class Family(Protocol):
    """What a file in ``families`` offers."""

    ORDER: int
    """Families are asked in this order."""

    def explain(self, inquiry: Inquiry) -> Iterator[Hint | Flaw]:
        """Every hint of this family that explains the answer, best first; or a flaw that hides other mistakes."""
        ...


def diagnose(
    suite: ExerciseSuite,
    ask: str,
    tried: Sequence[tuple[Check, Verdict]],
    decided: Verdict | None = None,
    called: Called | None = None,
) -> Hint | None:
    """Say why an answer is wrong.

    Args:
        suite: the exercise's bench.
        ask: what was asked, such as ``dprobs``.
        tried: the function's calls and what became of them.
        decided: the verdict that decides; a descent's hint follows from it.
        called: what came back from a descent, None where the box died in it or nothing was called.

    Returns:
        The best explanation, or None for a right answer, for an outcome that speaks for itself, and where
        nothing can be said for certain.
    """
    oracle = suite.descents.get(suite.exercise.function_of(ask).name)
    if oracle is not None:
        return descent.explain(oracle, ask, decided, called) if decided is not None else None
    if tensor_of(ask) not in suite.exercise.forward.names:
        return None
    inquiry = Inquiry(Knowledge.of(suite), ask, tuple(tried))
    if inquiry.outcome.scores or inquiry.outcome in SILENT:
        return None
    # Autograd is how a line is gone back through; whoever grades may have switched it off.
    with torch.enable_grad():
        return _explained(inquiry)


def _explained(inquiry: Inquiry) -> Hint | None:
    for family in _families():
        found = family.explain(inquiry)
        first = next(found, None)
        if isinstance(first, Hint):
            return first
        if first is not None:
            flaws = (one for one in chain([first], found) if isinstance(one, Flaw))
            return next((hint for flaw in flaws for hint in _with_others(inquiry, flaw)), first.hint)
    return None


def _with_others(inquiry: Inquiry, flaw: Flaw) -> Iterator[Hint]:
    """What is said of a flaw and of what comes to light once it is mended, if that explains the whole answer."""
    mended = inquiry.mended(flaw.mend) if flaw.mend is not None else None
    if mended is None:
        return
    if mended.outcome.scores:
        yield replace(flaw.hint, message=f"{flaw.hint.message} That apart it is right.")
        return
    certain = (family for family in _families() if family.ORDER < GUESSES)
    second = next((h for f in certain for h in f.explain(mended) if isinstance(h, Hint)), None)
    if second is not None:
        kind = kinds([*flaw.hint.kind.split("+"), *second.kind.split("+")])
        line = flaw.hint.forward_line or second.forward_line
        yield Hint(kind, f"{flaw.hint.message} That apart: {second.message}", line)


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
