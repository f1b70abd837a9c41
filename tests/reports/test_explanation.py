"""A gradient that does not score, in a few lines."""

from __future__ import annotations

import pytest

from grader.reports.explanation import details, verdict
from grader.scorecard.model import Hint, Outcome, StudentError, Worst
from tests.reports.builders import HOSTILE, exercise, gradient

LINE = "counts_sum = counts.sum(1, keepdim=True)"


def test_a_hint_is_said_first_and_its_forward_line_quoted() -> None:
    hint = Hint("missing_path", "A path is missing. Look who else uses counts.", LINE)
    wrong = gradient("dcounts", Outcome.WRONG_VALUE, hint=hint)
    assert verdict(wrong) == "wrong value: A path is missing"
    assert details(wrong, exercise(wrong))[0] == "Look who else uses counts."
    assert f"look at  {LINE}" in details(wrong, exercise(wrong))


def test_a_hint_of_one_sentence_is_not_said_twice() -> None:
    wrong = gradient(
        "dcounts", Outcome.WRONG_VALUE, hint=Hint("sign", "The sign is the other way round.", None)
    )
    assert not any("sign" in line for line in details(wrong, exercise(wrong)))


def test_shapes_are_told_once() -> None:
    wrong = gradient("dW2", Outcome.WRONG_SHAPE, found_shape=(27, 64), expected_shape=(64, 27))
    said = " ".join((verdict(wrong), *details(wrong, exercise(wrong))))
    assert said.count("expected (64, 27), found (27, 64)") == 1


def test_two_numbers_are_told_apart() -> None:
    worst = Worst((0, 3), -0.00736242, -0.00736257)
    wrong = gradient("dbnvar", Outcome.WRONG_VALUE, worst=worst)
    assert "furthest off at [0, 3]: expected -0.00736242, found -0.00736257 (case lecture)" in details(
        wrong, exercise(wrong)
    )


def test_an_error_shows_the_students_lines_alone() -> None:
    trace = ("ex1_step_by_step.py:68 in dbnraw: return bngain.T * dhpreact",)
    broken = gradient("dbnraw", Outcome.ERROR, error=StudentError("RuntimeError", "do not fit", 68, trace))
    assert verdict(broken) == "error: RuntimeError: do not fit (line 68)"
    assert trace[0] in details(broken, exercise(broken))


def test_what_is_still_to_be_written_is_no_error() -> None:
    missing = gradient("demb", Outcome.MISSING, notes=("NotImplementedError: ",))
    assert verdict(missing) == "missing"
    assert details(missing, exercise(missing))[0] == "expected shape (32, 3, 10)"


def test_a_gradient_that_goes_back_through_many_lines_names_the_ends() -> None:
    wrong = gradient(
        "dhprebn", Outcome.WRONG_VALUE, through=("bnmeani", "bndiff", "bndiff2", "bnvar", "bnraw")
    )
    back = [line for line in details(wrong, exercise(wrong)) if line.startswith("back through")]
    assert len(back) == 3
    assert "bnraw" in back[0]
    assert "3 more lines" in back[1]
    assert "bnmeani" in back[2]


@pytest.mark.parametrize("text", [*HOSTILE])
def test_nothing_can_deceive(text: str) -> None:
    trace = (f"ex1.py:1 in f: {text}",)
    wrong = gradient("dprobs", Outcome.ERROR, notes=(text,), error=StudentError(text, text, 1, trace))
    for line in (verdict(wrong), *details(wrong, exercise(wrong))):
        assert "\x1b" not in line
        assert "\u202e" not in line
