"""The table in the terminal, and the table of a class."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from grader.reports import table
from grader.scorecard.model import Outcome
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

ESCAPES = re.compile(r"\x1b\[[\d;]*m")
CLASS = (sample(), perfect(), untouched(), unreadable())


def rows(*cards):
    """The rows of some scorecards."""
    return map(table.Row.of, cards)


def widest(text: str) -> int:
    """The columns of the widest line."""
    return max(cell_len(line) for line in text.splitlines())


def test_rows_read_like_the_lectures_check():
    """Name, outcome, exact, approximate, maxdiff; then why."""
    lines = table.render(sample()).splitlines()
    assert "dlogprobs       | exact           | True  | True        | 0.0" in lines
    at = lines.index("dcounts         | wrong value     | False | False       | 0.0231")
    assert lines[at + 1] == "    What flows back through `counts_sum` is missing"
    assert "dembcat         | missing         | -     | -           | -" in lines


def test_footer_tells_score_next_step_and_isolation():
    """What a student looks for last."""
    tail = table.render(sample(), width=120).splitlines()[-4:]
    assert tail[0] == "score 16/28" and tail[1].startswith("Next: dcounts")
    assert tail[2].startswith("isolation: process, rlimits") and "landlock" in tail[3]


@pytest.mark.parametrize("card", [*CLASS, trained(), *map(hostile, HOSTILE)])
@pytest.mark.parametrize("width", [20, 40, 65, 66, 80, 120])
def test_plain_text_has_no_escape_codes_and_fits(card, width):
    """Whatever a student wrote, and however narrow the pipe's reader."""
    for text in (table.render(card, width=width), table.render_rows(rows(card, *CLASS), width=width)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
        assert widest(text) <= width


def test_plain_text_is_ascii():
    """The table's own characters go through any pipe."""
    assert all(table.render(card).isascii() for card in (*CLASS, trained()))
    assert table.render_rows(rows(*CLASS)).isascii()


def test_environment_changes_nothing(monkeypatch):
    """The caller decides about colour and width."""
    before = table.render(sample()), table.render(sample(), width=90, colour=True)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "33", "FORCE_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert (table.render(sample()), table.render(sample(), width=90, colour=True)) == before


def test_colour_adds_codes_and_glyphs_only():
    """The same words, in colour."""
    coloured = table.render(sample(), width=90, colour=True)
    assert "\x1b[" in coloured and "✗ wrong value" in coloured
    assert widest(ESCAPES.sub("", coloured)) <= 90
    assert table.render(sample(), colour=True).endswith("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_colour_output_holds_no_codes_of_the_students(text):
    """Only our own escape sequences reach the terminal."""
    left = ESCAPES.sub("", table.render(hostile(text), width=100, colour=True))
    assert "\x1b" not in left and "\x9b" not in left
    assert "\x1b[31m\x07" not in table.render(hostile(text), width=100, colour=True)


def test_markup_in_student_text_stays_text():
    """Square brackets and colons are nothing special."""
    assert "[red]markup[/red] :smile:" in table.render(hostile(HOSTILE[2]), width=120)


def test_repeated_reason_is_told_once():
    """A syntax error strikes 26 stubs; one line says so."""
    assert table.render(unreadable()).count("SyntaxError") == 1


def test_class_has_one_row_for_each_submission():
    """Name, score, exercises, first trouble."""
    lines = table.render_rows(rows(*CLASS)).splitlines()
    assert [line.split("|")[0].strip() for line in lines] == [
        "submission", lines[1].split("|")[0], "robin", "alice", "new", "dora",
    ]  # fmt: skip
    assert lines[2].startswith("robin      | 16/28 | 15/26 | 1/1 | 0/1 | dcounts wrong value: What")
    assert lines[3].rstrip() == "alice      | 26/26 | 26/26 | -   | -   |"


def test_class_stays_one_row_each_where_it_is_narrow():
    """The columns of the exercises go before a row wraps."""
    lines = table.render_rows(rows(*CLASS), width=30).splitlines()
    assert len(lines) == 2 + len(CLASS) and "ex1" not in lines[0]


def test_row_is_data():
    """The row helper gives what a caller needs to print rows as they come."""
    row = table.Row.of(perfect())
    assert (row.name, row.score, row.exercises, row.trouble) == (
        "alice",
        "26/26",
        (("ex1_step_by_step", "26/26"),),
        "",
    )


def test_empty_class_and_empty_submission():
    """Nothing to show is no reason to fail."""
    assert "submission" in table.render_rows([])
    assert "Nothing was graded" in table.render(scorecard())


def test_grader_fault_is_the_first_trouble():
    """What is ours to fix is told before what is theirs."""
    card = scorecard(exercise(gradient("dh", Outcome.MISSING), gradient("dC", Outcome.GRADER_FAULT)))
    assert table.first_trouble(card) == "dC grader fault"
    assert "-/1" not in table.render_rows(rows(replace(card, score=0.0)))
