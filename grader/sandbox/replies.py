"""Read what a box says: its form is checked, its content never believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.sandbox.answers import (
    Answer,
    Called,
    Described,
    Failed,
    Numbers,
    Other,
    Parameter,
    Returned,
    Several,
    Stub,
)
from grader.sandbox.limits import DEPTH_LIMIT, NUMBERS_LIMIT, WIDTH_LIMIT
from grader.scorecard.model import Outcome, StudentError

if TYPE_CHECKING:
    from torch import Tensor

Content = tuple[str, bytes]
"""What came back from a function: the text of its reply and its bytes. Replies with the same are the same."""

WORDS_KEPT = 1 << 12
BYTES_KEPT = 1 << 16
"""A longer reply is not kept; those of a right function are shorter."""

OBJECTS = 20
"""Bytes that objects take in memory, for each character of their description."""

DIMENSIONS_LIMIT = 64
"""torch itself can do little with a tensor of more."""

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")

NUMBERS_END = 2**53
"""Whole numbers from the other side are smaller, so that every reader of JSON keeps them as they are."""


@dataclass(frozen=True)
class Reply:
    """What came back from one function: an answer per case (fewer after an exception), and its output.

    ``content`` is all that came back, unread. It is None for a reply that is too long to be kept, or that
    describes its arguments after the call.
    """

    called: tuple[Called, ...]
    output: str | None
    seconds: float
    content: Content | None = None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What was returned, case by case."""
        return tuple(called.answer for called in self.called)


@dataclass(frozen=True)
class Progress:
    """How far a call that trains has come, and what the watched arguments held at that time."""

    step: int
    after: Mapping[str, Answer]


Watch = Callable[[Progress], bool]
"""Called with each progress; returns whether to go on."""


def content_of(told: Sequence[Any], output: str | None, body: bytes) -> Content | None:
    """All that came back except its number; None if that is too long to be kept."""
    words = repr((told, output))  # which tells plain values apart, their types included
    return (words, body) if len(words) <= WORDS_KEPT and len(body) <= BYTES_KEPT else None


def weight(content: Content) -> int:
    """About how many bytes a reply takes once it is read: its text becomes objects, its bytes tensors."""
    words, body = content
    return OBJECTS * len(words) + 2 * len(body)


def read_calls(told: Sequence[Any], returned: Mapping[str, Tensor], most: int) -> tuple[Called, ...]:
    """The calls that a reply describes, at least one.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is no such reply.
    """
    called = tuple(_call(about, returned) for about in zip(*told, strict=True))
    if not 0 < len(called) <= most:
        raise ValueError("expected an answer per case")
    return called


def _call(told: tuple[Any, Any, Any], returned: Mapping[str, Tensor]) -> Called:
    """One call as the box described it: what it returned, its arguments afterwards, and the batches it took."""
    answer, after, taken = told
    batches = None if taken is None else read_count(taken)
    return Called(read_answer(answer, returned), read_arguments(after, returned), batches)


def read_arguments(after: Mapping[str, Any], returned: Mapping[str, Tensor]) -> dict[str, Answer]:
    """A call's arguments after it, by name; see :func:`read_answer`."""
    return {read_text(name): read_answer(about, returned) for name, about in after.items()}


def read_answer(about: Mapping[str, Any], returned: Mapping[str, Tensor], depth: int = DEPTH_LIMIT) -> Answer:
    """One value as the box described it; what it says is checked for form, not believed.

    Args:
        about: its description, see :class:`grader.sandbox.values.Describer`.
        returned: the tensors that came with it.
        depth: how many lists there may be in each other.

    Raises:
        KeyError, TypeError, ValueError: it is no such description, or of more than an honest box describes.
    """
    if "raised" in about:
        return read_failed(about["raised"])
    if "numbers" in about:
        return Numbers(read_text(about["other"]), _row(returned[about["numbers"]]))
    if "items" in about:
        if depth == 0 or len(about["items"]) > WIDTH_LIMIT:
            raise ValueError("expected no longer list, and none in so many others")
        items = tuple(read_answer(item, returned, depth - 1) for item in about["items"])
        return Several(read_text(about["other"]), items)
    if "other" in about:
        return Other(read_text(about["other"]))
    if "tensor" in about:
        return Returned(_floats(returned[about["tensor"]]))
    shape = tuple(map(read_count, about["shape"][:16]))
    return Described(read_text(about["dtype"]), shape)


def _floats(tensor: Tensor) -> Tensor:
    # torch compares no floating-point numbers of a single byte.
    if not tensor.dtype.is_floating_point or tensor.dtype.itemsize == 1 or tensor.dim() > DIMENSIONS_LIMIT:
        raise TypeError("expected floating-point numbers")
    return tensor


def _row(tensor: Tensor) -> Tensor:
    """Plain numbers: (length,) of float64."""
    if not tensor.dtype.is_floating_point or tensor.dtype.itemsize != 8 or tensor.dim() != 1:
        raise TypeError("expected a row of numbers")
    if len(tensor) > NUMBERS_LIMIT:
        raise ValueError("expected fewer numbers")
    return tensor


def read_failed(raised: Mapping[str, Any]) -> Failed:
    """An exception as the box described it, see :meth:`grader.sandbox.student.File.raised`.

    Raises:
        KeyError, TypeError, ValueError: it is no such description.
    """
    outcomes = (Outcome.MISSING, Outcome.FORBIDDEN, Outcome.OUT_OF_MEMORY, Outcome.ERROR)
    outcome = Outcome(raised["kind"])
    if outcome not in outcomes:
        raise ValueError(f"an exception is never {outcome}")
    trace = tuple(read_text(text) for text in raised["traceback"][-8:])
    name = read_text(raised["type"]) or "Exception"
    fault = StudentError(name, read_text(raised["message"]), _line(raised["line"]), trace)
    return Failed(outcome, f"{fault.type}: {fault.message}", None if outcome is Outcome.MISSING else fault)


def read_stub(described: Mapping[str, Any]) -> Stub:
    """A stub as the box described it, see :meth:`grader.sandbox.student.File.described`.

    Raises:
        KeyError, TypeError, ValueError: it is no such description.
    """
    name, told = read_text(described["name"]), described["parameters"]
    if told is None:
        return Stub(name, None, None)
    parameters = tuple(Parameter(read_text(p["name"]), bool(p["required"])) for p in told)
    return Stub(name, parameters, _line(described["line"]))


def read_count(value: object) -> int:
    """A size or a number of steps from the other side.

    Raises:
        ValueError: it is not a whole number, or none that every reader of JSON keeps.
    """
    if type(value) is not int or not 0 <= value < NUMBERS_END:
        raise ValueError("expected a whole number")
    return value


def _line(value: object) -> int | None:
    """The number of a line from the other side, None for what cannot be one."""
    return value if type(value) is int and 0 < value < NUMBERS_END else None


def read_text(value: object) -> str:
    """A string from the other side, made short and valid Unicode.

    Raises:
        TypeError: it is not a string.
    """
    if not isinstance(value, str):
        raise TypeError("expected a string")
    whole = value[:4000].encode("utf-8", "replace").decode("utf-8")
    # The address of an object differs in every process, and tells a student nothing.
    return ADDRESS.sub(" at 0x…", whole)
