"""What exactly is said of an answer: every field of a verdict, and the bounds between two outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from grader.checks.check import Check, part, whole
from grader.checks.compare import DOUBLE, LEADING_ONES, NOT_RUN, Verdict, compare, measure
from grader.checks.oracle import FLOOR, SPREAD, ExpectedGradient
from grader.sandbox.answers import Answer, Called, Described, Failed, Other, Returned, Several
from grader.scorecard.model import Difference, Outcome

ENTRIES = [[0.5, -0.25, 0.0, 2.0]]
EXPECTED = ExpectedGradient(torch.tensor(ENTRIES).double(), torch.tensor(ENTRIES), envelope=0.0625)
"""Its numbers are exact in float32, and its tolerance is a little more than 1."""


def verdict(tensor: torch.Tensor, **how: Any) -> Verdict:
    return compare(Returned(tensor), EXPECTED, **how)


def same(found: Verdict, expected: Verdict) -> bool:
    """Whether two verdicts are equal, tensors entry by entry."""

    def told(one: Verdict) -> dict[str, Any]:
        fields: Mapping[str, Any] = vars(one)
        return {
            name: (value.dtype, value.tolist()) if isinstance(value, torch.Tensor) else value
            for name, value in fields.items()
        }

    return told(found) == told(expected)


def test_an_exact_answer() -> None:
    answer = torch.tensor(ENTRIES)
    assert same(verdict(answer), Verdict(Outcome.EXACT, True, (1, 4), answer, 0.0, ()))


def test_an_answer_is_as_far_off_as_autograd_s_own_where_it_is_the_same() -> None:
    autograd = torch.tensor([[0.5, -0.25, 0.0, 2.5]])
    expected = replace(EXPECTED, autograd=autograd)
    found = compare(Returned(autograd.clone()), expected)
    assert (found.outcome, found.exact, found.difference) == (Outcome.EXACT, True, 0.5)


def test_negative_zeros_are_zeros() -> None:
    assert verdict(torch.tensor([[0.5, -0.25, -0.0, 2.0]])).exact


def test_a_close_answer() -> None:
    answer = torch.tensor([[0.5, -0.25, 0.0, 3.0]])
    assert same(verdict(answer), Verdict(Outcome.CLOSE, False, (1, 4), answer, 1.0, ()))


def test_a_wrong_answer() -> None:
    answer = torch.tensor([[0.5, -0.25, 0.0, -2.0]])
    assert same(verdict(answer), Verdict(Outcome.WRONG_VALUE, False, (1, 4), answer, 4.0, ()))


def test_an_answer_just_within_tolerance_and_just_beyond_it() -> None:
    expected = ExpectedGradient(torch.zeros(1).double(), torch.zeros(1), envelope=0.125)
    assert expected.tolerance == 2.0
    assert compare(Returned(torch.tensor([2.0])), expected).outcome is Outcome.CLOSE
    beyond = torch.tensor([math.nextafter(2.0, 3.0)], dtype=torch.float64)
    assert compare(Returned(beyond), expected).outcome is Outcome.WRONG_VALUE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_entry_that_is_not_finite(value: float) -> None:
    found = verdict(torch.tensor([[0.5, value, 0.0, 2.0]]))
    assert (found.outcome, found.exact, found.found_shape) == (Outcome.NOT_FINITE, False, (1, 4))


def test_a_misshapen_answer_is_kept_as_it_came() -> None:
    answer = torch.ones(2, 2)
    assert same(verdict(answer), Verdict(Outcome.WRONG_SHAPE, found_shape=(2, 2), misshapen=answer))
    strict = verdict(torch.ones(4), strict_shapes=True)
    assert same(strict, Verdict(Outcome.WRONG_SHAPE, found_shape=(4,), misshapen=torch.ones(4)))
    assert verdict(torch.tensor(ENTRIES), strict_shapes=True).outcome is Outcome.EXACT


def test_leading_ones_are_noted_and_taken_off() -> None:
    found = verdict(torch.tensor([ENTRIES]))
    note = LEADING_ONES.format(found=(1, 1, 4), expected=(1, 4))
    expected = Verdict(Outcome.EXACT, True, (1, 1, 4), torch.tensor(ENTRIES), 0.0, (note,))
    assert same(found, expected)
    assert note.startswith("the shape (1, 1, 4) is taken for (1, 4)")


def test_double_precision_is_noted_alone() -> None:
    assert verdict(torch.tensor(ENTRIES).double()).notes == (DOUBLE,)
    assert verdict(torch.tensor(ENTRIES).double()).exact
    assert verdict(torch.tensor(ENTRIES).half()).notes == ()
    assert verdict(torch.tensor(ENTRIES).half()).exact
    wide = verdict(torch.tensor([ENTRIES]).double(), remark="zero")
    assert [note.split()[0] for note in wide.notes] == ["the", "the", "zero"]


def test_what_is_no_tensor() -> None:
    said = "returned a list, expected a tensor"
    failure = Failed(Outcome.NOT_A_TENSOR, said, found="a list")
    assert compare(Other("a list"), EXPECTED) == Verdict(Outcome.NOT_A_TENSOR, failure=failure)


def test_what_holds_no_floats() -> None:
    said = "returned a tensor of int64, expected floating-point numbers"
    failure = Failed(Outcome.WRONG_DTYPE, said, found="int64")
    found = compare(Described("int64", (1, 4)), EXPECTED)
    assert found == Verdict(Outcome.WRONG_DTYPE, found_shape=(1, 4), failure=failure)
    large = compare(Described("float32", (9, 9)), EXPECTED)
    assert large == Verdict(Outcome.WRONG_SHAPE, found_shape=(9, 9))


def test_a_failed_call() -> None:
    failed = Failed(Outcome.TIMED_OUT, "no answer")
    assert compare(failed, EXPECTED) == Verdict(Outcome.TIMED_OUT, failure=failed)
    assert Verdict(Outcome.NOT_RUN) == NOT_RUN
    assert (NOT_RUN.exact, NOT_RUN.notes) == (False, ())


def test_an_answer_that_shows_nothing() -> None:
    answer = torch.tensor(ENTRIES)
    expected = Verdict(Outcome.WRONG_VALUE, False, (1, 4), answer, 0.0, ("why", "zero"))
    assert same(verdict(answer, unshown="why", remark="zero"), expected)
    assert verdict(answer, unshown="why").notes == ("why",)
    assert verdict(answer, remark="zero") != NOT_RUN
    assert verdict(answer, remark="zero").outcome is Outcome.EXACT


def tensor(*entries: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(entries, dtype=dtype)


@pytest.mark.parametrize(
    ("answer", "other", "found"),
    [
        (tensor(1, -4), tensor(1, -4), Difference(0.0, 0.0)),
        (tensor(1, -4), tensor(1, -4, dtype=torch.float64), Difference(0.0, 0.0)),
        (tensor(1, -4), tensor(2, -8), Difference(4.0, 0.5)),
        (tensor(1, 4), tensor(3, -4), Difference(8.0, 2.0)),
        (tensor(0, 3), tensor(0, 0), Difference(3.0, None)),
        (tensor(0, 0), tensor(0, 0, dtype=torch.float64), Difference(0.0, 0.0)),
        (tensor(math.nan), tensor(1), Difference(None, None)),
        (tensor(math.inf), tensor(1), Difference(None, None)),
        (tensor(1), tensor(math.inf), Difference(None, None)),
        (tensor(), tensor(), Difference(0.0, 0.0)),
        (tensor(), tensor(dtype=torch.float64), Difference(0.0, 0.0)),
        (tensor(3e38), tensor(-3e38), Difference(2 * float(tensor(3e38)), 2.0)),
    ],
)
def test_a_difference_is_absolute_and_relative_to_the_largest_entry(
    answer: torch.Tensor, other: torch.Tensor, found: Difference
) -> None:
    assert measure(answer, other) == found


def test_a_tolerance_is_made_of_the_envelope_and_the_scale() -> None:
    assert (SPREAD, FLOOR) == (16, 3e-6)
    assert EXPECTED.scale == 2.0
    assert EXPECTED.tolerance == 16 * 0.0625 + 3e-6 * 2.0
    assert not EXPECTED.vanishes
    just = ExpectedGradient(tensor(1, dtype=torch.float64), tensor(1), envelope=(1 - 3e-6) / 16)
    assert just.vanishes == (just.scale <= just.tolerance)
    assert replace(EXPECTED, envelope=0.125).vanishes


def test_a_gradient_vanishes_where_it_is_no_more_than_its_tolerance() -> None:
    zero = ExpectedGradient(tensor(0, dtype=torch.float64), tensor(0), envelope=0.0)
    assert zero.scale == zero.tolerance == 0.0
    assert zero.vanishes
    assert not ExpectedGradient(tensor(-1, dtype=torch.float64), tensor(-1), envelope=0.0).vanishes


def test_a_gradient_without_entries_is_no_size_at_all() -> None:
    none = ExpectedGradient(tensor(dtype=torch.float64), tensor(), envelope=0.0)
    assert (none.scale, none.tolerance, none.spread) == (0.0, 0.0, 0.0)
    assert none.difference(tensor()) == 0.0
    assert none.admits(tensor())


def test_an_answer_is_admitted_where_every_entry_is_near() -> None:
    assert EXPECTED.admits(torch.tensor([[0.5, -0.25, 0.0, 3.0]]))
    assert EXPECTED.admits(torch.tensor([[0.5, -0.25, 0.0, 1.0]]))
    assert not EXPECTED.admits(torch.tensor([[0.5, -0.25, 0.0, 3.5]]))
    assert not EXPECTED.admits(torch.tensor([[0.5, -0.25, 0.0, 0.5]]))
    assert not EXPECTED.admits(torch.tensor([[0.5, -0.25, math.nan, 2.0]]))
    edge = ExpectedGradient(tensor(0, dtype=torch.float64), tensor(0), envelope=0.125)
    assert edge.admits(tensor(2.0))


def test_a_difference_is_the_largest_of_all_entries() -> None:
    assert EXPECTED.difference(torch.tensor([[0.0, -0.25, 0.0, 5.0]])) == 3.0
    assert EXPECTED.difference(torch.tensor([[-4.0, -0.25, 0.0, 2.0]])) == 4.5
    assert math.isnan(EXPECTED.difference(torch.tensor([[0.5, math.nan, 0.0, 2.0]])))
    assert replace(EXPECTED, autograd=torch.tensor([[0.5, -0.25, 0.0, 2.5]])).spread == 0.5


def called(answer: Answer) -> Called:
    return Called(answer)


ITEMS = Several("tuple", (Returned(tensor(1)), Several("list", (Returned(tensor(2)),))))


def test_a_part_is_what_stands_at_its_place() -> None:
    assert whole(called(ITEMS)) is ITEMS
    first = part((0,), "two tensors")(called(ITEMS))
    assert isinstance(first, Returned)
    assert first.tensor.item() == 1
    second = part((1, 0), "two tensors")(called(ITEMS))
    assert isinstance(second, Returned)
    assert second.tensor.item() == 2


def test_what_has_no_such_part_is_told() -> None:
    said = Failed(Outcome.NOT_A_TENSOR, "returned tuple, expected three tensors", found="tuple")
    assert part((2,), "three tensors")(called(ITEMS)) == said
    one = Failed(Outcome.NOT_A_TENSOR, "returned one tensor, expected three tensors", found="one tensor")
    assert part((0,), "three tensors")(called(Returned(tensor(1)))) == one
    failed = Failed(Outcome.TIMED_OUT, "no answer")
    assert part((0,), "three tensors")(called(failed)) is failed


def test_a_check_compares_its_own_part_with_what_it_expects() -> None:
    right = Several("tuple", (Other("int"), Returned(torch.tensor(ENTRIES))))
    check = Check("lecture", {}, EXPECTED, True, extract=part((1,), "a pair"), remark="zero")
    found = check.verdict(called(right))
    assert (found.outcome, found.notes) == (Outcome.EXACT, ("zero",))
    assert replace(check, extract=part((0,), "a pair")).verdict(called(right)).outcome is Outcome.NOT_A_TENSOR
    unshown = replace(check, unshown="why").verdict(called(right))
    assert (unshown.outcome, unshown.notes) == (Outcome.WRONG_VALUE, ("why", "zero"))


def test_a_check_of_a_whole_answer_is_strict_where_it_is_asked_to_be() -> None:
    check = Check("lecture", {}, EXPECTED, True)
    assert (check.call, check.extract, check.unshown, check.remark) == (0, whole, None, None)
    flat = Returned(torch.tensor(ENTRIES).view(4))
    assert check.verdict(called(flat)).outcome is Outcome.EXACT
    assert check.compare(flat).outcome is Outcome.EXACT
    assert check.verdict(called(flat), strict_shapes=True).outcome is Outcome.WRONG_SHAPE
    assert check.compare(flat, strict_shapes=True).outcome is Outcome.WRONG_SHAPE
