"""Gradescope's results.json."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from grader.reports import gradescope
from grader.reports.context import ReportContext, ReportError
from grader.scorecard.model import Outcome
from tests.reports.builders import (
    exercise,
    gradient,
    hostile,
    perfect,
    sample,
    scorecard,
    unreadable,
    untouched,
)
from tests.reports.consumers import flaws, texts

CONTEXT = ReportContext(seconds=12.3456789)


@given(texts)
def test_the_document_fits_the_format(text):
    """And no text of a student's is declared to be anything but text."""
    document = gradescope.render([hostile(text)], CONTEXT)
    assert flaws("gradescope", document) == []
    found = json.loads(document)
    assert found["output_format"] == found["test_output_format"] == found["test_name_format"] == "text"
    assert {(test["output_format"], test["name_format"]) for test in found["tests"]} == {("text", "text")}


@pytest.mark.parametrize("card", [sample(), perfect(), untouched(), unreadable()])
def test_scores_add_up(card):
    """A test per gradient, passed where it scores."""
    found = json.loads(gradescope.render([card], CONTEXT))
    assert found["score"] == card.score == sum(test["score"] for test in found["tests"])
    assert sum(test["max_score"] for test in found["tests"]) == card.max_score
    assert all(
        (test["status"] == "passed") == (test["score"] == test["max_score"]) for test in found["tests"]
    )
    assert found["execution_time"] == 12.346
    assert "leaderboard" not in found
    assert found["tests"][0]["number"] == "1.1"


def test_visibility_comes_from_the_environment():
    """An instructor edits settings.json; the run script exports it."""
    context = ReportContext(environment={"GRADE_VISIBILITY": "after_due_date"})
    found = json.loads(gradescope.render([sample()], context))
    assert {found["visibility"], *(test["visibility"] for test in found["tests"])} == {"after_due_date"}
    with pytest.raises(ReportError, match="GRADE_VISIBILITY: expected one of visible"):
        gradescope.render([sample()], ReportContext(environment={"GRADE_VISIBILITY": "no"}))


def test_a_fault_of_ours_makes_no_results():
    """Or it would be recorded as a score."""
    card = scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT)))
    with pytest.raises(ReportError, match="the grader itself failed"):
        gradescope.render([card], CONTEXT)


@pytest.mark.parametrize("cards", [[], [sample(), perfect()]])
def test_results_are_of_one_submission(cards):
    """Gradescope runs once for each."""
    with pytest.raises(ReportError, match=f"expected one submission, found {len(cards)}"):
        gradescope.render(cards, CONTEXT)
