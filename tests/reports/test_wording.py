"""Words, numbers and next steps, which all reports for people share."""

from __future__ import annotations

import pytest

from grader.reports import wording
from grader.scorecard.model import Hint, Outcome, StudentError
from tests.reports.builders import exercise, gradient, perfect, sample, scorecard, untouched


def test_every_outcome_has_a_look():
    """A new outcome must be given words before a report can meet it."""
    assert set(wording.LOOKS) == set(Outcome)


def test_looks_agree_with_scores():
    """What looks good scores, and nothing else does."""
    assert all((look.tone is wording.Tone.GOOD) == outcome.scores for outcome, look in wording.LOOKS.items())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Jürgen 李 עברית", "Jürgen 李 עברית"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31m\x00\r", "␛[31m␀␍"),
        ("\x7f\x9b", "␡‹U+009B›"),
        ("a\u202eb\u2066\u200b", "a‹U+202E›b‹U+2066›‹U+200B›"),
        ("\u2028\ufeff\ue000\ud800", "‹U+2028›‹U+FEFF›‹U+E000›‹U+D800›"),
    ],
)
def test_visible(text, shown):
    """Letters of any script stay; what hides or reorders is spelt out, once."""
    assert wording.visible(text) == shown
    assert wording.visible(shown) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (0.02314, "0.0231"),
        (1.8626e-9, "1.86e-09"),
        (None, "-"),
        (float("nan"), "not finite"),
    ],
)
def test_number(value, text):
    """Three digits, and a word for what has none."""
    assert wording.number(value) == text


def test_reason_prefers_the_hint_and_stops_after_a_sentence():
    """A table has room for one sentence; factors such as 0.5 do not end it."""
    hinted = gradient(
        outcome=Outcome.WRONG_VALUE, hint=Hint("factor", "Off by 0.5.\nCompare the lines.", None)
    )
    assert wording.reason(hinted) == "Off by 0.5"
    raised = gradient(outcome=Outcome.ERROR, error=StudentError("ValueError", "no\nmore", 7, ()))
    assert wording.reason(raised) == "ValueError: no (line 7)"
    misshapen = gradient("db2", Outcome.WRONG_SHAPE, found_shape=(32, 27))
    assert wording.reason(misshapen) == "expected (27,), found (32, 27)"


def test_an_error_that_is_explained_still_says_its_line():
    """The hint says why, the error where."""
    fault = StudentError("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", 7, ())
    told = gradient(outcome=Outcome.ERROR, error=fault, hint=Hint("transposed", "Turned. It is.", None))
    assert wording.reason(told) == "Turned (line 7)"


def test_a_place_is_a_line_or_a_cell_s_line():
    """A notebook's lines count within their cell; an error there has said its own place."""
    assert wording.place(gradient(line=7)) == "line 7"
    assert wording.place(gradient(line=7, cell=3)) == "cell 3, line 7"
    assert wording.place(gradient(line=None)) == ""
    fault = StudentError("NameError", "cell 4, line 1: name 'x' is not defined", 1, ())
    raised = gradient(outcome=Outcome.ERROR, error=fault, line=7, cell=3)
    assert wording.reason(raised) == "NameError: cell 4, line 1: name 'x' is not defined"


def test_next_step_names_the_first_gradient_that_does_not_score():
    """Encouragement first: what to do, then what is done."""
    assert str(wording.next_step(sample())) == (
        "Next: dcounts, which has the wrong value. 16 of 28 are right already."
    )  # fmt: skip


def test_next_step_of_the_special_cases():
    """An untouched template, one to go, all right, a fault of ours, nothing at all."""
    fault = gradient("dlogits", Outcome.GRADER_FAULT)
    assert "dlogprobs" in str(wording.next_step(untouched()))
    assert str(wording.next_step(untouched())).startswith("A fresh page.")
    one_left = scorecard(exercise(gradient("dh"), gradient("dC", Outcome.ERROR)))
    assert str(wording.next_step(one_left)) == "Just one to go: dC, which raises an error."
    assert wording.next_step(perfect()).place is None
    at_fault = str(wording.next_step(scorecard(exercise(gradient("dh", Outcome.MISSING), fault))))
    assert "failed on dlogits" in at_fault and "not your mistake" in at_fault
    assert "Nothing was graded" in str(wording.next_step(scorecard()))


def test_a_single_gradient_is_the_next_one_and_the_last_one_is_one_to_go():
    """Of one gradient and none right, nothing is nearly done."""
    wrong = gradient("dlogits", outcome=Outcome.WRONG_VALUE, score=0.0)
    assert str(wording.next_step(scorecard(exercise(wrong)))) == "Next: dlogits, which has the wrong value."
    almost = scorecard(exercise(gradient("dh"), wrong))
    assert str(wording.next_step(almost)) == "Just one to go: dlogits, which has the wrong value."
