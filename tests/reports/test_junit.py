"""JUnit XML: Jenkins' schema holds, whatever a student writes."""

from __future__ import annotations

import pytest
from hypothesis import given

from grader.reports import junit as report
from grader.reports.context import ReportContext
from grader.scorecard.model import Outcome
from tests.reports.builders import exercise, gradient, hostile, perfect, sample, scorecard, untouched
from tests.reports.consumers import junit, texts

CONTEXT = ReportContext(seconds=1.5)


@given(texts)
def test_the_document_fits_the_schema(text):
    """Also with characters that XML cannot hold."""
    root = junit(report.render([hostile(text), sample()], CONTEXT))
    assert len(root.findall("testsuite")) == 4


def test_suites_cases_and_counts():
    """One suite per submission and exercise, one case per gradient; the counts are those of the cases."""
    root = junit(report.render([sample(), perfect()], CONTEXT))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites][::3] == [
        "robin: ex1_step_by_step",
        "alice: ex1_step_by_step",
    ]
    for suite in suites:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for counted, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(counted)) == sum(case.find(element) is not None for case in cases)
    assert root.get("tests") == str(28 + 26)
    assert root.get("time") == "1.500000"
    assert {p.get("name"): p.get("value") for p in suites[0].iter("property")} == {
        "score": "15",
        "max_score": "26",
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_element(outcome):
    """Only what scores is green, and only what never ran is skipped."""
    root = junit(report.render([scorecard(exercise(gradient(outcome=outcome)))], CONTEXT))
    found = [child.tag for child in root.find("testsuite/testcase")]
    assert found == ([] if outcome.scores else [report.ELEMENTS[outcome]])
    assert (found == ["skipped"]) == (outcome is Outcome.NOT_RUN)


def test_a_template_nobody_touched_is_not_green():
    """Missing stubs are failures."""
    root = junit(report.render([untouched()], CONTEXT))
    assert root.get("failures") == root.get("tests") == "26"


def test_what_a_stub_printed_is_kept():
    """In the case it belongs to."""
    root = junit(report.render([sample()], CONTEXT))
    case = next(case for case in root.iter("testcase") if case.get("name") == "dcounts")
    assert "counts_sum_inv: torch.Size" in case.find("system-out").text
    assert "What flows back through" in case.find("failure").get("message")
