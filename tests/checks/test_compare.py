"""One answer against the truth: shapes before values, and no way round a comparison."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.compare import compare
from grader.checks.oracle import ExpectedGradient
from grader.sandbox.answers import Described, Failed, Other, Returned
from grader.scorecard.model import Outcome

PRECISE = torch.tensor([[0.5, -0.25, 0.0, 2.0]], dtype=torch.float64)
TRUTH = ExpectedGradient(PRECISE, PRECISE.float(), envelope=1e-8)


def outcome(tensor: torch.Tensor, **how: bool) -> Outcome:
    return compare(Returned(tensor), TRUTH, **how).outcome


def test_the_truth_is_exact_and_what_is_near_it_close() -> None:
    assert outcome(PRECISE.float()) is Outcome.EXACT
    assert outcome(PRECISE.float() + TRUTH.tolerance / 2) is Outcome.CLOSE
    assert outcome(PRECISE.float() + TRUTH.tolerance * 2) is Outcome.WRONG_VALUE


@given(st.integers(0, 3), st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_one_wrong_entry_is_enough(place: int, value: float) -> None:
    answer = PRECISE.float()
    answer[0, place] = value
    near = math.isfinite(value) and abs(value - float(PRECISE[0, place])) <= TRUTH.tolerance
    assert outcome(answer).scores == near
    assert (outcome(answer) is Outcome.NOT_FINITE) == (not math.isfinite(value))


@given(st.lists(st.integers(0, 5), max_size=4))
def test_only_leading_ones_may_differ(sizes: list[int]) -> None:
    answer = torch.full(sizes, 0.5)
    stripped = sizes[next((i for i, size in enumerate(sizes) if size != 1), len(sizes)) :]
    assert (outcome(answer) is Outcome.WRONG_SHAPE) == (stripped != [4])


def test_a_shape_that_would_broadcast_is_wrong() -> None:
    expected = ExpectedGradient(torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 4), envelope=1.0)
    for shape in [(1,), (), (1, 1), (3, 1), (1, 4), (4,)]:
        assert compare(Returned(torch.zeros(shape)), expected).outcome is Outcome.WRONG_SHAPE


def test_strict_shapes_know_no_leading_ones() -> None:
    flat = PRECISE.float().view(4)
    assert outcome(flat).scores
    assert compare(Returned(flat), TRUTH).notes
    assert outcome(flat, strict_shapes=True) is Outcome.WRONG_SHAPE


def test_float64_scores_with_a_note() -> None:
    verdict = compare(Returned(PRECISE), TRUTH)
    assert verdict.outcome.scores
    assert any("float64" in note for note in verdict.notes)


@pytest.mark.parametrize("size", [0.0, 1e-10, 1e-30])
def test_an_answer_that_shows_nothing_earns_nothing_whatever_its_rounding(size: float) -> None:
    """Where the expected gradient vanishes, a guess can have the rounding error of a derivation, too."""
    answer = torch.full((1, 4), size)
    expected = ExpectedGradient(torch.zeros(1, 4).double(), torch.zeros(1, 4), envelope=1e-9)
    assert compare(Returned(answer), expected).outcome.scores
    verdict = compare(Returned(answer), expected, unshown="take another", remark="zero")
    assert verdict.outcome is Outcome.WRONG_VALUE and not verdict.exact
    assert verdict.notes == ("take another", "zero")
    assert compare(Returned(answer + 1), expected, unshown="take another").notes == ()


def test_a_remark_is_made_of_right_answers_alone() -> None:
    assert compare(Returned(PRECISE.float()), TRUTH, remark="zero").notes == ("zero",)
    assert compare(Returned(PRECISE.float() + 1), TRUTH, remark="zero").notes == ()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Other("float"), Outcome.NOT_A_TENSOR),
        (Other("None"), Outcome.NOT_A_TENSOR),
        (Described("int64", (1, 4)), Outcome.WRONG_DTYPE),
        (Described("bool", (1, 4)), Outcome.WRONG_DTYPE),
        (Described("complex64", (1, 4)), Outcome.WRONG_DTYPE),
        (Described("float32", (4096, 4096)), Outcome.WRONG_SHAPE),
        (Failed(Outcome.TIMED_OUT, "no answer"), Outcome.TIMED_OUT),
        (Failed(Outcome.FORBIDDEN, "autograd"), Outcome.FORBIDDEN),
    ],
)
def test_what_is_no_answer_does_not_score(answer: Other | Described | Failed, expected: Outcome) -> None:
    verdict = compare(answer, TRUTH)
    assert verdict.outcome is expected
    assert not verdict.outcome.scores


def test_only_exact_and_close_score() -> None:
    assert {outcome for outcome in Outcome if outcome.scores} == {Outcome.EXACT, Outcome.CLOSE}
