"""What one call of a stub returned, as the judge sees it: plain data, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grader.scorecard.model import Outcome, StudentError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Returned:
    """A tensor of floating-point numbers."""

    tensor: Tensor


@dataclass(frozen=True)
class Described:
    """A tensor whose values were not sent: not floating-point, or far more of them than any gradient has."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Other:
    """Something that is not a dense tensor; ``description`` says what."""

    description: str


@dataclass(frozen=True)
class Several(Other):
    """A list or tuple of values."""

    items: tuple[Answer, ...]


@dataclass(frozen=True)
class Numbers(Other):
    """A list or tuple of plain numbers, or of tensors of one number each: (length,) of float64."""

    tensor: Tensor


@dataclass(frozen=True)
class Failed:
    """No answer: the stub raised, or its box ran out of time, ran out of memory or died.

    Args:
        outcome: what that means for the stub.
        message: what happened.
        fault: the student's exception, if there was one.
        step: how far a call that trains had come when it last reported.
        found: what came back in place of a tensor of floating-point numbers.
    """

    outcome: Outcome
    message: str
    fault: StudentError | None = None
    step: int | None = None
    found: str | None = None


Answer = Returned | Described | Other | Failed


@dataclass(frozen=True)
class Called:
    """The result of one call.

    Args:
        answer: what it returned.
        after: the arguments that may be changed in place, as the call left them.
        taken: how many batches it took, None where there were none to take.
    """

    answer: Answer
    after: Mapping[str, Answer] = field(default_factory=dict)
    taken: int | None = None


def item(answer: Answer, place: tuple[int, ...]) -> Answer | None:
    """The item at a place in what was returned, None if there is none: (1, 0) is the first of the second."""
    for position in place:
        if isinstance(answer, Several) and position < len(answer.items):
            answer = answer.items[position]
        elif isinstance(answer, Numbers) and position < len(answer.tensor):
            answer = Returned(answer.tensor[position])
        else:
            return None
    return answer


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stub: the name it asks by, and whether it must be given."""

    name: str
    required: bool


@dataclass(frozen=True)
class Stub:
    """A function of the submission, as its box describes it.

    Args:
        name: its name.
        parameters: what it asks for; None of what is no plain function and has not been looked at.
        line: where it starts in its file, None where that is not known.
    """

    name: str
    parameters: tuple[Parameter, ...] | None
    line: int | None
