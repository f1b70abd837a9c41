"""Annotations and the job's page: GitHub's runner obeys us, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from grader.reports import github, table
from grader.reports.context import ReportContext
from grader.reports.wording import one_line, visible
from grader.scorecard.model import Hint, Outcome, StudentError
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
from tests.reports.consumers import Rendered, Runner, texts

CONTEXT = ReportContext(folders={"robin": "submissions/robin", "dora": "submissions/dora"})


@given(texts)
def test_student_text_is_no_command(text):
    """Each line of ours is one error; its parts arrive as they were meant."""
    card = hostile(text)
    context = ReportContext(folders={text: text})
    found = Runner().read(github.console([card], context))
    assert [name for name, _, _ in found] == ["error"]
    ((_, properties, message),) = found
    assert properties["title"] == "dcounts: wrong value"
    assert message.split("\n")[0] == (
        one_line(text)[: github.MESSAGE_LIMIT] or "dcounts has the wrong value."
    )
    assert properties.get("file", "") == one_line(
        github._property(context.path(text, card.exercises[0])) and context.path(text, card.exercises[0])
    )


@given(texts)
def test_what_else_is_printed_commands_nothing(text):
    """The table holds student text, and so may a warning; between the brackets the runner obeys nothing."""
    before, after = github.brackets("0123456789abcdef")
    noise = f"grade: {visible(text)}\n{text}\n" + table.render_rows(
        map(table.Row.of, (hostile(text), sample()))
    )
    runner = Runner()
    found = runner.read(before + noise + after + github.console([sample()], CONTEXT))
    assert [name for name, _, _ in found[1:]] == ["error"] * 7
    assert found[0][0] == "stop-commands"
    assert runner.stopped is None


def test_the_runner_of_the_tests_can_be_fooled():
    """Or the tests above would show nothing."""
    assert Runner().read("  ::error::x")[0][0] == "error"
    assert Runner().read("text ##[add-mask]secret") == [("add-mask", {}, "secret")]
    assert Runner().read("::error title=a%3Ab%2C%25::c%0Ad") == [("error", {"title": "a:b,%"}, "c\nd")]
    assert Runner().read("a\r::warning::b")[0][0] == "warning"


def test_a_hint_stands_on_the_students_line():
    """With the forward line it quotes; missing stubs get none."""
    found = Runner().read(github.console([sample()], CONTEXT))
    places = {properties["title"]: (properties["file"], properties["line"]) for _, properties, _ in found}
    file = "submissions/robin/ex1_step_by_step.py"
    assert places["dcounts: wrong value"] == (file, str(12 + 6 * 4))
    assert places["dbndiff: error"][0] == file
    assert not any("missing" in title for title in places)
    message = next(m for _, p, m in found if p["title"].startswith("dcounts"))
    assert message.endswith("\nForward pass: counts_sum = counts.sum(1, keepdim=True)")


@pytest.mark.parametrize(
    ("trace", "line"),
    [("ex1_step_by_step.py:118 in dh: x", "118"), ("helpers.py:118 in f: x", "50"), (None, "118")],
)
def test_an_error_stands_where_it_was_raised_if_that_is_in_the_file(trace, line):
    """A line of a helper would point at the wrong place in this file."""
    fault = StudentError("ValueError", "no", 118, (trace,) if trace else ())
    card = scorecard(exercise(gradient("dh", Outcome.ERROR, error=fault, line=50)))
    ((_, properties, _),) = Runner().read(github.console([card], CONTEXT))
    assert properties["line"] == line


def test_a_notebook_s_cell_is_said_and_no_line_of_its_file():
    """A line of a cell is not that line of the file."""
    fault = StudentError("ValueError", "cell 12, line 3: no", 3, ())
    card = scorecard(
        exercise(gradient("dh", Outcome.ERROR, error=fault, line=2, cell=11), file="part4.ipynb")
    )
    ((_, properties, message),) = Runner().read(github.console([card], CONTEXT))
    assert "line" not in properties
    assert properties["title"] == "dh: error (cell 11, line 2)"
    assert message == "ValueError: cell 12, line 3: no"


def test_no_more_than_github_shows():
    """The last says how many there are beside."""
    found = Runner().read(github.console([unreadable()], CONTEXT))
    assert len(found) == github.ANNOTATIONS_LIMIT
    assert found[-1][2].startswith("17 more gradients")


def test_without_a_folder_there_is_no_place():
    """A file that is not in the repository cannot be annotated."""
    card = scorecard(exercise(gradient("dh", Outcome.WRONG_VALUE, hint=Hint("k", "Why.", None))))
    ((_, properties, message),) = Runner().read(github.console([card], ReportContext()))
    assert "file" not in properties and message == "Why."


def test_the_graders_fault_points_at_no_line_of_the_student():
    """It is ours."""
    card = scorecard(exercise(gradient("dh", Outcome.GRADER_FAULT)))
    ((_, properties, _),) = Runner().read(github.console([card], CONTEXT))
    assert "line" not in properties


@pytest.mark.parametrize("card", [perfect(), untouched()])
def test_where_nothing_is_wrong_nothing_is_said(card):
    """An untouched template is no list of errors."""
    assert github.console([card], CONTEXT) == ""


def test_the_page_fits_a_step():
    """One MiB of UTF-8, whatever the characters."""
    card = replace(sample(), exercises=tuple(replace(e, title="🙂" * 500) for e in sample().exercises))
    assert len(github.render([card] * 2000, CONTEXT).encode()) <= 1 << 20


@given(texts)
def test_the_page_is_the_markdown_summary(text):
    """Beginning on a line of its own."""
    page = github.render([hostile(text)], CONTEXT)
    assert page.startswith("\n## ")
    Rendered(page)
