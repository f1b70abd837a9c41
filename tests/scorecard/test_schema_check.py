"""The quick validator agrees with a validator proper, whatever is wrong."""

from __future__ import annotations

import copy
import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from grader.scorecard.schema_check import compiled
from tests.reports.builders import sample, scorecard, trained

SCHEMAS = {
    name: json.loads(files(room).joinpath(f"{name}.schema.json").read_text("utf-8"))
    for room, name in (("grader.scorecard", "scorecard"), ("grader.course", "exercise"))
}
QUICK = compiled(SCHEMAS["scorecard"])
PROPER = Draft202012Validator(SCHEMAS["scorecard"])
CARD = scorecard(*sample().exercises, *trained().exercises).as_dict()


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = [path for path in places(CARD) if path]
STRANGERS = st.sampled_from(
    [None, True, 0, 1, -1, 1.5, 2.0, "", "x", "exact", "grader_fault", [], {}, [1, 1], ["a", "a"], {"x": 1}]
)


@given(st.sampled_from(PLACES), STRANGERS | st.just("absent") | st.just("one more"))
def test_it_says_what_the_validator_says(path, stranger):
    changed = copy.deepcopy(CARD)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if stranger == "absent":
        del parent[path[-1]]
    elif stranger == "one more" and isinstance(parent, dict):
        parent["one more"] = 1
    else:
        parent[path[-1]] = stranger
    assert QUICK(changed) == PROPER.is_valid(changed)


def test_a_whole_scorecard_conforms():
    assert QUICK(CARD)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_keyword_in_use_is_known(name):
    assert compiled(SCHEMAS[name])


def test_an_unknown_keyword_is_refused_and_not_ignored():
    with pytest.raises(NotImplementedError, match="multipleOf"):
        compiled({"type": "integer", "multipleOf": 2})


def test_only_words_and_numbers_can_be_constants():
    with pytest.raises(NotImplementedError):
        compiled({"const": {"a": 1}})
