"""Classroom 50's result.json."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from grader.reports import classroom50
from grader.reports.context import ReportContext, ReportError
from grader.scorecard.model import Outcome
from tests.reports.builders import exercise, gradient, hostile, perfect, sample, scorecard, untouched
from tests.reports.consumers import flaws, texts

ENVIRONMENT = {
    "CLASSROOM": "cs-principles",
    "ASSIGNMENT": "backprop",
    "ASSIGNMENT_TYPE": "individual",
    "OWNER": "alice",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://github.com/o/r/commit/a1b2c3d",
    "RELEASE_URL": "https://github.com/o/r/releases/tag/submit%2Fx",
}
TIME = datetime(2026, 6, 1, 16, 32, 1, tzinfo=timezone(timedelta(hours=2)))
CONTEXT = ReportContext(commit_time=TIME, environment=ENVIRONMENT)


@given(texts)
def test_the_document_fits_the_format(text):
    """Whatever a student writes."""
    assert flaws("classroom50", classroom50.render([hostile(text)], CONTEXT)) == []


@pytest.mark.parametrize("card", [sample(), perfect(), untouched()])
def test_scores_are_integers_and_add_up(card):
    """As the platform checks them."""
    found = json.loads(classroom50.render([card], CONTEXT))
    assert (found["score"], found["max-score"]) == (card.score, card.max_score)
    assert type(found["score"]) is int
    assert sum(test["score"] for test in found["tests"]) == found["score"]
    assert all(test["score"] <= test["max-score"] for test in found["tests"])


def test_parts_of_points_are_scaled():
    """Half a point makes everything count double; nothing is rounded up."""
    half = replace(gradient("dh"), max_score=0.5, score=0.5)
    third = replace(gradient("dC"), score=0.99, outcome=Outcome.CLOSE)
    found = json.loads(classroom50.render([scorecard(exercise(half, third, gradient("dW1")))], CONTEXT))
    assert [(test["score"], test["max-score"]) for test in found["tests"]] == [(1, 1), (1, 2), (2, 2)]


def test_the_time_is_the_commits_in_utc():
    """So that grading again makes nothing late."""
    assert json.loads(classroom50.render([sample()], CONTEXT))["datetime"] == "2026-06-01T14:32:01Z"
    with pytest.raises(ReportError, match="expected the time of the graded commit"):
        classroom50.render([sample()], ReportContext(environment=ENVIRONMENT))


def test_identity_comes_from_the_runner():
    """The review falls back to the commit; what is missing is named."""
    assert json.loads(classroom50.render([sample()], CONTEXT))["review"] == ENVIRONMENT["COMMIT_URL"]
    with pytest.raises(ReportError, match="found no classroom, assignment, owner, submission, commit"):
        classroom50.render([sample()], ReportContext(commit_time=TIME))


def test_a_fault_of_ours_makes_no_result():
    """The exit status says it instead."""
    card = scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT)))
    with pytest.raises(ReportError, match="the grader itself failed"):
        classroom50.render([card], CONTEXT)
