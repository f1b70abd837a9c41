"""What each kind of function is checked by, and when random upstreams decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from grader.checks.cases import RANDOM, cases
from grader.checks.check import Check
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.course.course import Course
from grader.course.exercise import Exercise, Vanishing


@pytest.fixture(scope="module")
def suites(course: Course) -> Mapping[str, ExerciseSuite]:
    """Exercise 1 and 2 on the same cases, without a reference."""
    first, second = course.exercises[:2]
    oracles = tuple(map(Oracle, cases(first)))
    return {e.id[:3]: ExerciseSuite(e, oracles, None) for e in (first, second)}


def random(suite: ExerciseSuite, ask: str, *parameters: str) -> Check | None:
    """The check under random upstreams, where there is one."""
    found = [check for check in suite.checks(ask, frozenset(parameters)) if check.name == RANDOM]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_stub_that_takes_no_gradient_has_no_random_one(suites: Mapping[str, ExerciseSuite]) -> None:
    assert random(suites["ex2"], "dlogits", "logits", "Yb", "n") is None
    assert random(suites["ex1"], "dlogprobs", "logprobs", "dloss") is None


@pytest.mark.parametrize(
    ("ask", "parameters", "decides"),
    [
        ("dlogits", ("dnorm_logits",), True),
        ("dlogits", ("dlogit_maxes", "dnorm_logits"), True),
        ("dlogits", ("dcounts",), False),
        ("dprobs", ("dlogprobs",), False),
        ("db1", ("dhprebn",), True),
        ("db1", ("b1",), True),
        ("dlogit_maxes", ("dcounts",), True),
    ],
)
def test_random_upstreams_decide_where_the_loss_is_blind(
    suites: Mapping[str, ExerciseSuite], ask: str, parameters: tuple[str, ...], decides: bool
) -> None:
    check = random(suites["ex1"], ask, *parameters)
    assert check is not None
    assert check.decides == decides
    assert check.unshown is None
    assert not check.expected.vanishes


@pytest.mark.parametrize(
    ("ask", "far", "near"),
    [
        ("db1", ("dlogprobs",), "dhprebn"),
        ("db1", ("dhpreact",), "dhprebn"),
        ("db1", ("dW1", "dembcat"), "dhprebn"),
        ("dlogit_maxes", ("dlogprobs",), "dnorm_logits"),
        ("dlogit_maxes", ("dprobs",), "dnorm_logits"),
    ],
)
def test_from_a_far_gradient_nothing_shows_and_the_near_one_is_named(
    suites: Mapping[str, ExerciseSuite], ask: str, far: tuple[str, ...], near: str
) -> None:
    check = random(suites["ex1"], ask, *far)
    assert check is not None and check.decides and check.expected.vanishes
    assert check.unshown is not None and f"take {near}, " in check.unshown
    assert all(name in check.unshown for name in far)


def test_where_the_value_is_asked_for_zero_is_right_and_said_why(suites: Mapping[str, ExerciseSuite]) -> None:
    """A formula that random upstreams can test is still tested by them."""
    exercise = replace(suites["ex1"].exercise, vanishing=Vanishing.VALUE, why_zero={"db1": "it is taken out"})
    suite = ExerciseSuite(exercise, suites["ex1"].oracles, None)
    assert random(suite, "db1", "b1") is None
    far, near = random(suite, "db1", "dlogprobs"), random(suite, "db1", "dhprebn")
    assert far is not None and far.unshown is None and far.expected.vanishes
    assert near is not None and near.decides and not near.expected.vanishes
    plain = suite.checks("db1", frozenset(["b1"]))
    assert {check.remark for check in plain} == {"db1 is zero but for rounding: it is taken out"}
    assert {check.remark for check in suite.checks("dlogit_maxes", frozenset(["dcounts"]))} >= {
        "dlogit_maxes is zero but for rounding"
    }
    assert {check.remark for check in suite.checks("dprobs", frozenset(["dlogprobs"]))} == {None}


DEAD = """
import torch

def draw(generator, *, rows):
    return {"x": torch.randn((rows, 2), generator=generator)}

def forward(x):
    y = x * 0.0
    loss = (y + 1).sum()
    return loss
"""


def test_a_step_that_is_zero_itself_is_shown_by_zeros(tmp_path: Path) -> None:
    """The nearest gradient there is has been taken: nobody can be told to take another."""
    settings = 'title = "Dead"\nasks = ["dy", "dx"]\n'
    settings += "[lecture]\nsizes = { rows = 3 }\n[[fresh]]\nsizes = { rows = 4 }\n"
    (tmp_path / "forward.py").write_text(DEAD, "utf-8")
    (tmp_path / "exercise.toml").write_text(settings, "utf-8")
    exercise = Exercise.load(tmp_path)
    suite = ExerciseSuite(exercise, tuple(map(Oracle, cases(exercise))), None)
    assert "x" in suite.blind.tensors
    check = random(suite, "dx", "dy")
    assert check is not None and check.expected.vanishes and check.unshown is None
