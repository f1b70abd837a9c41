"""The JSON scorecard and its schema: every scorecard fits, nothing else does."""

from __future__ import annotations

import copy
import json
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from grader.reports import json as report
from grader.scorecard import model as data
from grader.scorecard.model import Outcome, schema
from tests.reports.builders import (
    HOSTILE,
    exercise,
    gradient,
    hostile,
    perfect,
    sample,
    scorecard,
    trained,
    unreadable,
    untouched,
)

VALIDATOR = Draft202012Validator(schema())
PLAIN = json.loads(report.render(scorecard(*sample().exercises, *trained(trouble="it broke").exercises)))

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where every value of a JSON document stands, but of long lists only the first and the fullest item."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list) and value:
        for index in {0, max(range(len(value)), key=lambda i: len(json.dumps(value[i])))}:
            yield from paths(value[index], (*path, index))


def at(document: Any, path: Path) -> Any:
    """The value at a path."""
    for key in path:
        document = document[key]
    return document


def changed(path: Path, value: Any) -> Any:
    """The sample with one value replaced."""
    document = copy.deepcopy(PLAIN)
    at(document, path[:-1])[path[-1]] = value
    return document


PATHS = sorted(set(paths(PLAIN)) - {()}, key=str)
OBJECTS = [path for path in [(), *PATHS] if isinstance(at(PLAIN, path), dict)]


@pytest.mark.parametrize("outcome", Outcome)
def test_schema_accepts_every_outcome(outcome):
    """Each outcome can be told."""
    VALIDATOR.validate(json.loads(report.render(scorecard(exercise(gradient(outcome=outcome))))))


@pytest.mark.parametrize("make", [sample, perfect, untouched, unreadable, scorecard, trained])
def test_schema_accepts_scorecards(make):
    """The text is one JSON document that fits the schema."""
    text = report.render(make())
    VALIDATOR.validate(json.loads(text))
    assert text.endswith("}\n")


@pytest.mark.parametrize("path", OBJECTS, ids=str)
def test_schema_requires_every_field_and_allows_no_other(path):
    """A field dropped or added is a break of the format."""
    for key in at(PLAIN, path):
        document = copy.deepcopy(PLAIN)
        del at(document, path)[key]
        assert not VALIDATOR.is_valid(document), key
    document = copy.deepcopy(PLAIN)
    at(document, path)["another"] = 1
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_schema_rejects_a_wrong_type(path):
    """Whatever the field's type, one of these is wrong, and an accepted one is of a declared type."""
    value = at(PLAIN, path)
    strangers = [text for text in ([], {}, "?", 3.5, True) if type(text) is not type(value)]
    accepted = [stranger for stranger in strangers if VALIDATOR.is_valid(changed(path, stranger))]
    optional = {
        "output": ["?"],
        "file": ["?"],
        "forward_line": ["?"],
        "max_abs_diff": [3.5],
        "max_rel_diff": [3.5],
        "trouble": ["?"],
        "validation": [3.5],
    }
    optional |= {"tolerance": [3.5], "expected": [3.5], "found": [3.5], "found_shape": [[]]}
    allowed = optional.get(str(path[-1]), [])
    if type(value) is int and str(path[-1]) in ("score", "max_score", "seconds"):
        allowed = [3.5]
    assert all(stranger in allowed for stranger in accepted), accepted


@given(st.sampled_from(PATHS), st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_what_is_not_finite_never_reaches_the_document(path, value):
    """A NaN in a field becomes null, and null is accepted only where the schema says what it means."""
    found = data.plain(changed(path, value))
    assert at(found, path) is None
    if VALIDATOR.is_valid(found):
        assert _nullable(path), path


def _nullable(path: Path) -> bool:
    names = {
        "max_abs_diff",
        "max_rel_diff",
        "tolerance",
        "expected",
        "found",
        "reference",
        "hint",
        "error",
        "line",
        "cell",
    }
    whole = {"found_shape", "worst", "error_map", "output", "file", "forward_line"}
    whole |= {"descent", "training", "validation", "published", "trouble"}
    return path[-1] in names | whole or path[-2] == "curve"


def test_schema_couples_score_and_outcome():
    """Only exact and close score, and only the grader's fault leaves the score open."""
    for outcome, score in ((Outcome.WRONG_VALUE, 1.0), (Outcome.EXACT, None), (Outcome.GRADER_FAULT, 0.0)):
        with pytest.raises(ValidationError):
            report.render(scorecard(exercise(gradient(outcome=outcome, score=score), score=0.0)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "probs"),
        ("max_score", 0.0),
        ("seconds", -1.0),
        ("line", 0),
        ("expected_shape", (-1,)),
        ("max_abs_diff", -0.1),
    ],
)
def test_schema_rejects_impossible_values(name, value):
    """Numbers have limits where limits make sense."""
    with pytest.raises(ValidationError):
        report.render(scorecard(exercise(replace(gradient(), **{name: value}))))


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_hostile_text_survives_the_round_trip(text):
    """Also what has no UTF-8 form."""
    found = json.loads(report.render(hostile(text)).encode("utf-8").decode("utf-8"))
    assert found["submission"]["name"] == text


def test_schema_is_valid_strict_and_documented():
    """Every object is closed, requires what it names, and every field says what it is."""
    Draft202012Validator.check_schema(schema())
    for name, part in [("scorecard", schema()), *schema()["$defs"].items()]:
        _check_documented(name, part)


def _check_documented(name: str, part: Any) -> None:
    assert part.get("description"), name
    if part.get("type") == "object":
        assert part["additionalProperties"] is False and part["required"] == list(part["properties"]), name
        for key, inner in part["properties"].items():
            _check_documented(f"{name}.{key}", inner)


def test_schema_mirrors_the_dataclasses():
    """Same fields, same order, same outcomes: the two cannot drift apart."""
    defs = schema()["$defs"]
    assert defs["outcome"]["enum"] == [str(outcome) for outcome in Outcome]
    pairs = {
        "difference": data.Difference,
        "case": data.CaseResult,
        "hint": data.Hint,
        "fault": data.StudentError,
    }
    pairs |= {
        "worst": data.Worst,
        "error_map": data.ErrorMap,
        "gradient": data.Gradient,
        "exercise": data.ExerciseResult,
        "training": data.Training,
        "side": data.Side,
        "averages": data.Averages,
        "published": data.Published,
    }
    pairs |= {"forward_line": data.ForwardLine, "missing_layer": data.MissingLayer}
    for name, cls in pairs.items():
        assert list(defs[name]["properties"]) == [f.name for f in fields(cls)], name
    root = schema()["properties"]
    assert list(root) == [f.name for f in fields(data.Scorecard)]
    for key, cls in typing.get_type_hints(data.Scorecard).items():
        if is_dataclass(cls):
            assert list(root[key]["properties"]) == [f.name for f in fields(cls)]


def test_rendering_repeats():
    """Same scorecard, same bytes."""
    assert report.render(sample()) == report.render(sample())


def test_how_long_it_took_changes_nothing_else() -> None:
    """What is written of a gradient lasts; its seconds are put in each time, and nowhere else."""
    plain, slow = gradient(seconds=0.0), gradient(seconds=0.0).timed(2.5)
    assert (slow.seconds, slow.timeless) == (2.5, plain)
    assert slow != plain
    assert replace(slow, seconds=0.0) == plain
    assert hash(gradient(seconds=2.5)) == hash(slow)
    texts = [report.render(scorecard(exercise(gradients=(one,)))) for one in (plain, slow)]
    assert texts[0].replace('"seconds": 0.0', '"seconds": 2.5') == texts[1]


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValidationError):
        report.render(scorecard(exercise(gradients=(gradient(seconds=0.0).timed(seconds),))))


def test_a_text_that_looks_like_a_place_for_seconds_is_left_alone() -> None:
    odd = gradient(output='\0 "seconds": \\u0000', notes=("\0",), seconds=1.5)
    document = json.loads(report.render(scorecard(exercise(gradients=(odd,)))))
    found = document["exercises"][0]["gradients"][0]
    assert (found["output"], found["notes"], found["seconds"]) == (odd.output, ["\0"], 1.5)


def test_equal_numbers_that_are_written_otherwise_are_kept_apart() -> None:
    """0.0 and -0.0 are equal; which of them was met first must not show."""
    for found in (0.0, -0.0, 0.0):
        one = gradient(outcome=Outcome.WRONG_VALUE, worst=data.Worst((0, 0), 1.0, found))
        document = report.render(scorecard(exercise(one)))
        assert f'"found": {found!r}' in document
