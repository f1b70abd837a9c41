"""The Markdown summary: what students write is text in it and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from grader.reports import markdown
from grader.reports.context import ReportContext
from grader.reports.wording import one_line
from tests.reports.builders import hostile, perfect, sample, unreadable, untouched
from tests.reports.consumers import Rendered, texts

CONTEXT = ReportContext()
OURS = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li", "em", "sub"}
ACTIVE = re.compile(r"@\w|#\d|://\w|www\.\w|GH-\d", re.IGNORECASE)


@given(texts)
def test_student_text_is_inert(text):
    """No tag, link, image, comment, mention or issue of a student's, and no cell more or less."""
    page = Rendered(markdown.render([hostile(text), sample()], CONTEXT))
    assert {tag for tag, _ in page.tags} <= OURS
    assert all(set(attributes) <= {"style"} for _, attributes in page.tags)
    assert not page.comments
    assert not ACTIVE.search(page.text)
    assert {len(row) for row in page.rows} == {3, 5}


@given(texts)
def test_student_text_is_legible(text):
    """A reader sees what was written, in one piece, but for the marks that part mentions and links."""
    page = Rendered(markdown.code(text))
    seen = page.text.replace("\u200b", "").strip()
    wanted = one_line(text)
    assert seen == (wanted if len(wanted) <= markdown.TEXT_LIMIT else wanted[: markdown.TEXT_LIMIT - 1] + "…")


@given(texts)
def test_a_sentence_quotes_in_code_and_stays_inert(text):
    """What stands in backticks becomes code; whatever stands there."""
    page = Rendered(f"A {markdown.prose('Look at `' + text + '` again')}")
    assert {tag for tag, _ in page.tags} <= {"p", "code"}
    assert not ACTIVE.search(page.text)


def test_one_submission_reads_well():
    """Score in the heading, a row per gradient, hints with the forward line."""
    text = markdown.render([sample()], ReportContext(assignment="Week 4"))
    page = Rendered(text)
    assert text.startswith("## Week 4: 16/28\n")
    assert sum(len(row) == 5 for row in page.rows) == 28 + 3
    assert "counts_sum = counts.sum(1, keepdim=True)" in page.codes
    assert "What flows back through counts_sum is missing" in page.text


def test_several_submissions_have_a_table_first():
    """Name, score, next step."""
    page = Rendered(markdown.render([sample(), perfect(), untouched(), unreadable()], CONTEXT))
    assert [row[:2] for row in page.rows[1:5]] == [
        ["robin", "16/28"], ["alice", "26/26"], ["new", "0/26"], ["dora", "0/26"],
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 20, 3000])
def test_it_fits_a_comment(count):
    """However many submissions there are; what is left out is said to be."""
    text = markdown.render([sample()] * count, CONTEXT)
    assert len(text) <= markdown.LIMIT
    assert ("did not fit" in text) == (
        count > 1 and len(markdown.summary([sample()] * count, CONTEXT, 10**9)) > markdown.LIMIT
    )
    Rendered(text)


def test_nothing_graded_is_no_reason_to_fail():
    """An empty class has an empty table."""
    assert "| submission |" in markdown.render([], CONTEXT)
