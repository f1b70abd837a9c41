"""Scorecards read back from JSON text, which may come from anybody.

In continuous integration one job runs student code and stores the JSON; another, which may write comments, makes
the report. What that job is handed is not to be trusted: it is checked against the schema before it is used.
"""

from __future__ import annotations

import json
import math
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any

SIZE_LIMIT = 8 << 20
"""Characters of one scorecard; one of 28 gradients, each with its error map, takes some 100,000."""


class ScorecardError(ValueError):
    """A text is not a scorecard. The message says what was expected and what was found, and quotes none of it."""


def parse(text: str) -> Any:
    """Parse JSON text of limited size.

    Raises:
        ScorecardError: the text is too long, or is not JSON.
    """
    if len(text) > SIZE_LIMIT:
        raise ScorecardError(f"expected a scorecard of at most {SIZE_LIMIT} characters, found {len(text)}")
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ScorecardError(f"expected a scorecard, found no JSON: {type(error).__name__}") from error


def _finite(digits: str) -> float:
    """A JSON number. Python also reads ``NaN``, ``Infinity`` and ``1e999``, which a scorecard cannot hold."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("the number is not finite")
    return number


def build(kind: Any, value: Any) -> Any:
    """Build a dataclass from plain JSON values that conform to its schema.

    Raises:
        ScorecardError: an integer is too large for the number it stands for.
    """
    try:
        return _builders(kind)(value)
    except OverflowError as error:
        raise ScorecardError("expected a scorecard, found an integer that is too large") from error


def _builder(kind: Any) -> Callable[[Any], Any]:
    """A function that turns a plain JSON value into the type that a field of a scorecard has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is UnionType:  # every union in a scorecard is `something | None`
        some = _builder(inner[0])
        return lambda value: None if value is None else some(value)
    if origin is tuple:
        item = _builder(inner[0])  # every tuple in a scorecard holds items of one type
        return lambda value: tuple(map(item, value))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        parts = [(field.name, _builder(hints[field.name])) for field in fields(kind)]
        return lambda value: kind(**{name: make(value[name]) for name, make in parts})
    made: Callable[[Any], Any] = _number if kind is float else kind
    return made


def _number(value: float) -> float:
    """A number as it is. An integer stays one, so that it is written as it was, if a float can hold it."""
    float(value)
    return value


_builders = cache(_builder)
"""They are made once for each class."""
