"""PrairieLearn's results.json."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from grader.reports import prairielearn
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

CONTEXT = ReportContext()


@given(texts)
def test_the_document_fits_the_format(text):
    """Control characters are pictures, so none of them reaches the terminal colours it knows."""
    document = prairielearn.render([hostile(text)], CONTEXT)
    assert flaws("prairielearn", document) == []
    assert "\\u001b" not in document and "\x1b" not in document


@pytest.mark.parametrize("card", [sample(), perfect(), untouched()])
def test_score_is_a_share(card):
    """Of the points there are."""
    found = json.loads(prairielearn.render([card], CONTEXT))
    assert found["score"] == card.score / card.max_score
    assert sum(test["points"] for test in found["tests"]) == card.score
    assert found["gradable"] is True and found["format_errors"] == []


def test_what_is_no_python_costs_no_attempt():
    """The reason is said once, with its line."""
    found = json.loads(prairielearn.render([unreadable()], CONTEXT))
    assert found == {"gradable": False, "format_errors": ["line 41: SyntaxError: '(' was never closed"]}


def test_a_fault_of_ours_costs_nothing():
    """Neither points nor an attempt."""
    card = scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT), gradient("dC")))
    found = json.loads(prairielearn.render([card], CONTEXT))
    assert found["gradable"] is False and "not your mistake" in found["format_errors"][0]


def test_nothing_graded_is_not_gradable():
    """No score can be a share of nothing."""
    assert flaws("prairielearn", prairielearn.render([scorecard()], CONTEXT)) == []


def test_it_fits_the_limit():
    """One MB; the tests tell less where there is more to say."""
    loud = tuple(replace(g, output="ü" * 60_000) for g in sample().exercises[0].gradients) * 5
    document = prairielearn.render([scorecard(exercise(*loud))], CONTEXT)
    assert len(document.encode()) < 1_000_000
    assert flaws("prairielearn", document) == []


def test_results_are_of_one_submission():
    """PrairieLearn runs once for each."""
    with pytest.raises(ReportError, match="expected one submission, found 2"):
        prairielearn.render([sample(), perfect()], CONTEXT)
