"""Why an answer is wrong: hypotheses made from the forward pass, compared with what a student returned.

Each file in ``families`` holds one family of hypotheses and its texts; another package adds one with an entry
point of the group ``backprop_grader.hints`` that leads to such a module. Families are asked in the order of their
``ORDER``. The hint is the first explanation that equals the student's answer, within the check's tolerance, in
every case that decides. A hint is never a guess: where nothing explains all the cases, it says only where to look.

A hint never costs a score: a family that raises is logged and left out.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Protocol, cast

import torch

from grader import plugins
from grader.checks.check import Check
from grader.checks.compare import Verdict
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import tensor_of
from grader.hints import descent, families
from grader.hints.inquiry import Inquiry, Knowledge
from grader.hints.text import Flaw, kinds
from grader.plugins import PluginError
from grader.sandbox.answers import Called
from grader.scorecard.model import Hint, Outcome

_log = logging.getLogger("grader.hints")

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
"""Outcomes that need no hint."""


GUESSES = 99
"""Families from this ``ORDER`` on say where to look, not what the mistake is."""


class Level(StrEnum):
    """How much a hint may tell: the explanation, only the place, nothing."""

    FULL = "full"
    LINE = "line"
    OFF = "off"


class Family(Protocol):
    """What a module in ``families`` has, and a plugin's."""

    ORDER: int
    """When this family is asked: small numbers first; from :data:`GUESSES` on it says only where to look."""

    def explain(self, inquiry: Inquiry) -> Iterator[Hint | Flaw]:
        """Yield every hint that explains the answer, best first, or a flaw that may hide other mistakes."""
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
        suite: the exercise's checks.
        ask: what was asked, such as ``dprobs``.
        tried: the checks of this gradient that were made, and the verdict on each.
        decided: the verdict that decides; needed for a function that trains.
        called: what came back from a function that trains, None where its box died or nothing was called.

    Returns:
        The best explanation. None for a right answer, for an outcome that needs no hint, where nothing can be
        said for certain, and where looking for an explanation failed, which is logged to ``grader.hints``.
    """
    try:
        return _diagnosed(suite, ask, tried, decided, called)
    except Exception:
        _log.exception("the hint for %s of %s failed; it is graded without one", ask, suite.exercise.id)
        return None


def _diagnosed(
    suite: ExerciseSuite,
    ask: str,
    tried: Sequence[tuple[Check, Verdict]],
    decided: Verdict | None,
    called: Called | None,
) -> Hint | None:
    oracle = suite.descents.get(suite.exercise.function_of(ask).name)
    if oracle is not None:
        return descent.explain(oracle, ask, decided, called) if decided is not None else None
    if tensor_of(ask) not in suite.exercise.forward.names:
        return None
    inquiry = Inquiry(Knowledge.of(suite), ask, tuple(tried))
    if inquiry.outcome.scores or inquiry.outcome in SILENT:
        return None
    # Hypotheses go back through lines by autograd, which the caller may have switched off.
    with torch.enable_grad():
        return _explained(inquiry)


def _explained(inquiry: Inquiry) -> Hint | None:
    for family in _families():
        found = _asked(family, inquiry)
        first = next(found, None)
        if isinstance(first, Hint):
            return first
        if first is not None:
            flaws = (one for one in chain([first], found) if isinstance(one, Flaw))
            return next((hint for flaw in flaws for hint in _with_others(inquiry, flaw)), first.hint)
    return None


def _asked(family: Family, inquiry: Inquiry) -> Iterator[Hint | Flaw]:
    """What a family has to say; nothing more once it has raised."""
    try:
        for one in family.explain(inquiry):
            if not isinstance(one, (Hint, Flaw)):
                raise TypeError(f"expected a Hint or a Flaw, found {type(one).__name__}")
            yield one
    except Exception:
        name = getattr(family, "__name__", repr(family))
        _log.exception("the hint family %s failed on %s; it is left out", name, inquiry.ask)


def _with_others(inquiry: Inquiry, flaw: Flaw) -> Iterator[Hint]:
    """Hints on a flaw and on what is wrong besides once it is mended, where these explain the whole answer."""
    mended = inquiry.mended(flaw.mend) if flaw.mend is not None else None
    if mended is None:
        return
    if mended.outcome.scores:
        yield replace(flaw.hint, message=f"{flaw.hint.message} Apart from that, your answer is right.")
        return
    certain = (family for family in _families() if family.ORDER < GUESSES)
    second = next((h for f in certain for h in _asked(f, mended) if isinstance(h, Hint)), None)
    if second is not None:
        kind = kinds([*flaw.hint.kind.split("+"), *second.kind.split("+")])
        line = flaw.hint.forward_line or second.forward_line
        yield Hint(kind, f"{flaw.hint.message} There is a second mistake. {second.message}", line)


def reduced(hint: Hint | None, level: str) -> Hint | None:
    """Return a hint cut down to what an instructor allows.

    Args:
        hint: the hint, or None.
        level: ``full`` keeps all of it, ``line`` only the forward line to look at, ``off`` nothing.

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
    """Every family, in order: the modules of the package, and what other packages add.

    Looked up when the first hint is made: a right submission needs none.
    """
    names = [module.name for module in pkgutil.iter_modules(families.__path__)]
    found = [cast(Family, importlib.import_module(f"{families.__name__}.{name}")) for name in names]
    return tuple(sorted([*found, *_added()], key=lambda family: family.ORDER))


def _added() -> Iterator[Family]:
    """The families of other packages; one that cannot be used is logged and left out."""
    for name, loaded in plugins.added("hints", broken=lambda _, error: error).items():
        if isinstance(loaded, PluginError):
            _log.error("%s", loaded)
        elif isinstance(getattr(loaded, "ORDER", None), (int, float)) and callable(
            getattr(loaded, "explain", None)
        ):
            yield cast(Family, loaded)
        else:
            _log.error(
                "%s", plugins.unusable("hints", name, "a family has a number ORDER and a function explain")
            )
