"""What came back from one call of a stub, as the judge sees it: plain data, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.scorecard import Fault, Outcome

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
class Failed:
    """No answer: the stub raised, or its box ran out of time, ran out of memory or died.

    ``fault`` is the student's exception where there is one; ``message`` says what happened otherwise.
    """

    outcome: Outcome
    message: str
    fault: Fault | None = None


Answer = Returned | Described | Other | Failed


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stub: the name it asks by, and whether it must be given."""

    name: str
    required: bool


@dataclass(frozen=True)
class Stub:
    """A function of the submission, as its box describes it; ``line`` is where it starts in its file."""

    name: str
    parameters: tuple[Parameter, ...]
    line: int | None
