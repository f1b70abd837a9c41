"""One question to a function of a submission, and what the answer is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from grader.checks.oracle import ExpectedGradient
from grader.sandbox.answers import Answer, Called, Failed, Other, item
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Outcome

Extract = Callable[[Called], Answer]
"""Which part of what came back is held against the truth."""


def whole(called: Called) -> Answer:
    """All that was returned."""
    return called.answer


def part(place: tuple[int, ...], returns: str) -> Extract:
    """What stands at one place in what was returned.

    Args:
        place: (1, 0) is the first of the second.
        returns: what should be returned, in words.
    """
    return partial(_part, place, returns)


def _part(place: tuple[int, ...], returns: str, called: Called) -> Answer:
    if isinstance(called.answer, Failed):
        return called.answer
    found = item(called.answer, place)
    if found is not None:
        return found
    what = called.answer.description if isinstance(called.answer, Other) else "one tensor"
    return Failed(Outcome.NOT_A_TENSOR, f"returned {what}, expected {returns}", found=what)


@dataclass(frozen=True)
class Check:
    """One call of a function, and what one part of its answer is held against.

    Args:
        name: the case's name.
        arguments: what the function is called with.
        expected: what it should answer.
        decides: whether points hang on it; elsewhere a failure is a note.
        derived: the expected gradient vanishes although the stub's upstreams are random; see
            :func:`grader.checks.compare.compare`.
        call: the call's position among those of the function.
        extract: which part of the answer it is about.
    """

    name: str
    arguments: Arguments = field(repr=False)
    expected: ExpectedGradient = field(repr=False)
    decides: bool
    derived: bool = False
    call: int = 0
    extract: Extract = field(default=whole, repr=False)
