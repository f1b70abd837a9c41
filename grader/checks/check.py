"""One question to a function of a submission, and what its answer is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from grader.checks.compare import Verdict, compare
from grader.checks.oracle import ExpectedGradient
from grader.sandbox.answers import Answer, Called, Failed, Other, item
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Outcome

Extract = Callable[[Called], Answer]
"""Which part of what came back is compared."""


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
    """One call of a function, and the expected value of one part of its answer.

    Args:
        name: the case's name.
        arguments: what the function is called with.
        expected: what it should answer.
        decides: whether points depend on it; elsewhere a failure is a note.
        call: the call's position among those of the function.
        extract: which part of the answer it is about.
        unshown: why even a right answer earns nothing here, where it shows nothing; see
            :func:`grader.checks.compare.compare`.
        remark: what to say of a right answer.
    """

    name: str
    arguments: Arguments = field(repr=False)
    expected: ExpectedGradient = field(repr=False)
    decides: bool
    call: int = 0
    extract: Extract = field(default=whole, repr=False)
    unshown: str | None = None
    remark: str | None = None

    def compare(self, answer: Answer, *, strict_shapes: bool = False) -> Verdict:
        """The verdict on an answer, or on the part of one that this check is about."""
        return compare(
            answer, self.expected, strict_shapes=strict_shapes, unshown=self.unshown, remark=self.remark
        )

    def verdict(self, called: Called, *, strict_shapes: bool = False) -> Verdict:
        """The verdict on what came of a call."""
        return self.compare(self.extract(called), strict_shapes=strict_shapes)
