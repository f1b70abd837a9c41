"""A stored JSON scorecard, read back.

A report may be made long after the grading, and somewhere else: in continuous integration the job that runs
student code stores the JSON, and another job, which may write comments, makes the report. What that job gets
handed is not to be trusted, so it is checked against the schema before anything looks at it.
"""

from __future__ import annotations

import json
import typing
from dataclasses import fields, is_dataclass, replace
from functools import cache
from types import UnionType
from typing import Any

from jsonschema import Draft202012Validator

from grader.reports.context import ReportError
from grader.scorecard.model import ExerciseResult, Scorecard, schema

SIZE_LIMIT = 8 << 20
"""Characters of one scorecard; one of 28 gradients, each with its error map, takes some 100,000."""


def load(text: str) -> Scorecard:
    """The scorecard in a JSON text.

    Raises:
        ReportError: the text is too long, is not JSON, or is not a scorecard.
    """
    if len(text) > SIZE_LIMIT:
        raise ReportError(f"expected a scorecard of at most {SIZE_LIMIT} characters, found {len(text)}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"expected a scorecard, found no JSON: {type(error).__name__}") from error
    flaw = next(_validator().iter_errors(value), None)
    if flaw is not None:
        raise ReportError(f"expected a scorecard, found a flaw at {flaw.json_path}: breaks {flaw.validator}")
    card: Scorecard = _built(Scorecard, value)
    return card


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _built(kind: Any, value: Any) -> Any:
    """A plain JSON value as the type that a field of a scorecard has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if value is None:
        return None
    if origin is UnionType:
        return _built(inner[0], value)  # every union in a scorecard is `something | None`
    if origin is tuple:
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_built(part, item) for part, item in zip(kinds, value, strict=True))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{f.name: _built(hints[f.name], value[f.name]) for f in fields(kind)})
    return kind(value)


def slim(card: Scorecard) -> Scorecard:
    """The scorecard without what is for looking at one student's work: pictures, cases, trainings, forward pass.

    No report of a class reads these, and they are most of a scorecard: thousands of slim ones fit in memory.
    """
    return replace(card, exercises=tuple(map(_slim_exercise, card.exercises)))


def _slim_exercise(exercise: ExerciseResult) -> ExerciseResult:
    gradients = (replace(g, error_map=None, worst=None, cases=(), through=()) for g in exercise.gradients)
    return replace(exercise, gradients=tuple(gradients), forward=(), descent=None, training=None)
