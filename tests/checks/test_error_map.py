"""Where an answer is wrong: the worst entry, and the picture digit by digit."""

from __future__ import annotations

import math

import pytest
import torch

from grader.checks.error_map import COLUMNS, ROWS, error_map, worst
from grader.checks.oracle import ExpectedGradient
from grader.scorecard.model import ErrorMap, Worst


def expected(tensor: torch.Tensor, envelope: float = 0.0) -> ExpectedGradient:
    return ExpectedGradient(tensor.double(), tensor, envelope)


def test_the_worst_entry_is_told_with_both_values() -> None:
    truth = torch.zeros(2, 3)
    truth[1, 0] = 0.5
    answer = torch.tensor([[0.25, -0.25, 0.0], [-1.5, 1.5, 0.0]])
    assert worst(answer, expected(truth)) == Worst((1, 0), 0.5, -1.5)


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 1, 2), (1, 0, 3), (1, 2, 0), (1, 2, 3)])
def test_the_place_of_the_worst_entry_is_found_in_any_dimension(place: tuple[int, ...]) -> None:
    answer = torch.zeros(2, 3, 4)
    answer[place] = 1.0
    assert worst(answer, expected(torch.zeros(2, 3, 4))) == Worst(place, 0.0, 1.0)


def test_a_scalar_stands_nowhere() -> None:
    assert worst(torch.tensor(2.0), expected(torch.tensor(1.0))) == Worst((), 1.0, 2.0)
    assert error_map(torch.tensor(2.0), expected(torch.tensor(1.0))) == ErrorMap((1, 1), ("9",))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_furthest(value: float) -> None:
    answer = torch.tensor([1e29, value, 0.0], dtype=torch.float64)
    assert worst(answer, expected(torch.zeros(3))) == Worst((1,), 0.0, None)
    assert error_map(answer, expected(torch.zeros(3))) == ErrorMap((1, 1), ("390",))


def test_the_first_of_equals_is_the_worst() -> None:
    """A number that is none is as far away as any other."""
    answer = torch.tensor([0.0, math.nan, math.inf, -math.inf])
    assert worst(answer, expected(torch.zeros(4))) == Worst((1,), 0.0, None)
    answer = torch.tensor([0.0, -math.inf, math.nan])
    assert worst(answer, expected(torch.zeros(3))) == Worst((1,), 0.0, None)


@pytest.mark.parametrize("answer", [None, torch.zeros(0, 3)])
def test_of_nothing_there_is_nothing_to_show(answer: torch.Tensor | None) -> None:
    assert worst(answer, expected(torch.zeros(0, 3))) is None
    assert error_map(answer, expected(torch.zeros(0, 3))) is None


def test_digits_go_by_the_root_of_the_share_of_the_worst() -> None:
    shares = [0, 1, 2, 4, 5, 16, 25, 36, 49, 64, 65, 81]
    answer = torch.tensor([shares], dtype=torch.float32)
    assert error_map(answer, expected(torch.zeros(1, 12))) == ErrorMap((1, 1), ("012234567899",))


def test_what_is_within_tolerance_is_nought() -> None:
    truth = expected(torch.zeros(1, 4), envelope=0.125)
    assert truth.tolerance == 2.0
    assert error_map(torch.tensor([[-2.0, 2.5, 8.0, 0.0]]), truth) == ErrorMap((1, 1), ("0690",))


def test_other_dimensions_are_rows() -> None:
    answer = torch.zeros(2, 2, 3)
    answer[1, 0, 2] = 1.0
    assert error_map(answer, expected(torch.zeros(2, 2, 3))) == ErrorMap((1, 1), ("000", "000", "009", "000"))
    assert error_map(torch.tensor([0.0, 1.0]), expected(torch.zeros(2))) == ErrorMap((1, 1), ("09",))


@pytest.mark.parametrize(
    ("shape", "stride", "size"),
    [
        ((32, 64), (1, 1), (32, 64)),
        ((33, 65), (2, 2), (17, 33)),
        ((64, 128), (2, 2), (32, 64)),
        ((65, 10), (3, 1), (22, 10)),
        ((3, 200), (1, 4), (3, 50)),
    ],
)
def test_a_large_tensor_is_shown_by_blocks(
    shape: tuple[int, int], stride: tuple[int, int], size: tuple[int, int]
) -> None:
    assert (ROWS, COLUMNS) == (32, 64)
    answer = torch.zeros(shape)
    answer[-1, -1] = 1.0
    found = error_map(answer, expected(torch.zeros(shape)))
    assert found is not None
    assert found.stride == stride
    assert (len(found.rows), len(found.rows[0])) == size
    assert found.rows[-1][-1] == "9"
    assert {digit for row in found.rows for digit in row} == {"0", "9"}
