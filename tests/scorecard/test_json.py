"""A scorecard as JSON text and back: the same bytes, and one clear error for what is no scorecard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.scorecard.json_reader import SIZE_LIMIT, ScorecardError
from grader.scorecard.model import SCHEMA_ID, Outcome, Scorecard, Worst
from tests.reports.builders import (
    exercise,
    gradient,
    hostile,
    perfect,
    sample,
    scorecard,
    trained,
    unreadable,
)
from tests.reports.builders import untouched as template

CARDS = [sample(), perfect(), template(), unreadable(), scorecard(), trained(), trained(trouble="it broke")]


def values(one: Any) -> Iterator[Any]:
    """Every value in a scorecard, of whatever depth."""
    yield one
    if is_dataclass(one):
        for field in fields(one):
            yield from values(getattr(one, field.name))
    elif isinstance(one, tuple):
        for item in one:
            yield from values(item)


@pytest.mark.parametrize("card", CARDS, ids=range(len(CARDS)))
def test_a_scorecard_comes_back_as_it_was(card: Scorecard) -> None:
    """Equal, of the same types throughout, and the same bytes when it is written again."""
    text = card.to_json()
    back = Scorecard.from_json(text)
    assert back == card
    assert [type(value) for value in values(back)] == [type(value) for value in values(card)]
    assert back.to_json().encode("utf-8") == text.encode("utf-8")


@given(
    st.text(
        min_size=1,
        alphabet=st.characters(codec=None, categories=None)
        | st.sampled_from("\ud83d\ude00\udc80\0\x7f\u2028"),
    )
)
def test_any_text_of_a_students_comes_back_to_the_same_bytes(text: str) -> None:
    """Lone surrogates, too; two that belong together are one character to whoever reads JSON."""
    written = hostile(text).to_json()
    assert Scorecard.from_json(written).to_json() == written
    assert Scorecard.from_json(written).submission.name == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_to_the_same_bytes(number: float) -> None:
    """Down to the sign of a zero and the smallest subnormal."""
    worst = Worst((0, 0), number, number)
    one = gradient(outcome=Outcome.WRONG_VALUE, max_abs_diff=abs(number), seconds=abs(number), worst=worst)
    written = scorecard(exercise(one)).to_json()
    assert Scorecard.from_json(written).to_json() == written


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", "\ud800", "[" * 100_000, " " * (SIZE_LIMIT + 1), "9" * 5000],
    ids=["empty", "half", "null", "list", "object", "surrogate", "deep", "long", "digits"],
)
def test_what_is_no_scorecard_is_one_clear_error(text: str) -> None:
    with pytest.raises(ScorecardError, match="expected a scorecard"):
        Scorecard.from_json(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_no_scorecard_can_hold_is_refused(number: str) -> None:
    """Python's reader takes all of these; written again they would be null, or nothing at all."""
    text = scorecard(exercise(gradient(seconds=0.25))).to_json()
    assert '"seconds": 0.25' in text
    with pytest.raises(ScorecardError, match="expected a scorecard"):
        Scorecard.from_json(text.replace('"seconds": 0.25', f'"seconds": {number}'))


def test_the_error_says_where_and_which_rule_and_quotes_nothing() -> None:
    """The message may go into a log that is read for commands."""
    forged = json.loads(sample().to_json())
    forged["exercises"][1]["gradients"][0]["outcome"] = "<b>::error::"
    with pytest.raises(ScorecardError) as caught:
        Scorecard.from_json(json.dumps(forged))
    place = "$.exercises[1].gradients[0].outcome"
    assert (
        str(caught.value)
        == f"expected a scorecard, found a value at {place} that breaks the schema's rule 'enum'"
    )


def test_a_scorecard_of_another_version_is_told_from_a_broken_one() -> None:
    other = replace(sample(), schema="scorecard/v0")
    text = sample().to_json().replace(f'"{SCHEMA_ID}"', f'"{other.schema}"')
    with pytest.raises(
        ScorecardError, match=f"of the schema '{SCHEMA_ID}', found another; grade the work again"
    ):
        Scorecard.from_json(text)
