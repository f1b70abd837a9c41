"""Losses as points: how many, of which steps, and what of numbers that are none."""

from __future__ import annotations

import math

import pytest

from grader.checks.loss_curve import POINTS, STEPS_A_POINT, curve, side
from grader.scorecard.model import Averages, Side


@pytest.mark.parametrize(
    ("steps", "points"),
    [
        (0, 0),
        (1, 1),
        (5, 1),
        (6, 2),
        (10, 2),
        (995, 199),
        (996, 200),
        (1000, 200),
        (1001, 200),
        (20_000, 200),
    ],
)
def test_five_steps_make_a_point_and_two_hundred_points_a_curve(steps: int, points: int) -> None:
    assert (POINTS, STEPS_A_POINT) == (200, 5)
    assert len(curve([1.0] * steps)) == points


def test_a_point_is_the_mean_of_its_stretch() -> None:
    assert curve([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0,)
    assert curve([1.0, 2.0, 3.0, 10.0, 20.0, 30.0]) == (2.0, 20.0)
    assert curve([float(step) for step in range(7)]) == (1.0, 4.5)
    assert curve([0.0] * 1000 + [1.0] * 1000) == (0.0,) * 100 + (1.0,) * 100


def test_a_point_has_five_digits() -> None:
    assert curve([1.23456789]) == (1.2346,)
    assert curve([123456.789]) == (123460.0,)


def test_losses_that_are_not_finite_are_left_out() -> None:
    assert curve([math.nan, 1.0, math.inf, 3.0, -math.inf]) == (2.0,)
    assert curve([math.nan] * 5 + [2.0] * 5) == (None, 2.0)


def test_a_sum_that_is_too_large_is_no_point() -> None:
    assert curve([1.7e308] * 3) == (None,)


def test_a_side_says_how_it_went() -> None:
    averages = Averages(1.0, 2.0)
    assert side([1.0, 3.0], 1.5, averages) == Side(2, (2.0,), averages, 1.5)
    assert side([], 0.5) == Side(0, (), Averages(None, None), 0.5)
