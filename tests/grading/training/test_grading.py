"""A training is graded by its steps: right loops earn every point, wrong ones the points they deserve."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from grader.grading.judge import Judge
from grader.scorecard.model import Gradient, Scorecard
from tests.conftest import Desk
from tests.grading.training.lecture import EXERCISE, FAST, GRADIENTS, MISTAKES, TRAINED, Mistake
from tests.grading.training.styles import STYLES


def graded(desk: Desk, source: str) -> dict[str, Gradient]:
    return asks(desk.grade({EXERCISE: source}))


def asks(card: Scorecard) -> dict[str, Gradient]:
    (result,) = (exercise for exercise in card.exercises if exercise.id == EXERCISE)
    return {gradient.name: gradient for gradient in result.gradients}


@pytest.mark.parametrize("style", STYLES)
def test_a_right_loop_earns_every_point(desk: Desk, style: str) -> None:
    found = graded(desk, STYLES[style])
    assert tuple(found) == GRADIENTS + TRAINED
    for gradient in found.values():
        assert gradient.outcome.scores, gradient
        assert gradient.hint is None


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_costs_what_it_must_and_is_named(desk: Desk, mistake: Mistake) -> None:
    found = graded(desk, mistake.source)
    outcomes = {
        name: gradient.outcome.value for name, gradient in found.items() if not gradient.outcome.scores
    }
    assert outcomes == mistake.costs
    assert all(found[name].score == 0 for name in outcomes)
    for ask, kind in mistake.hints.items():
        hint = found[ask].hint
        assert hint is not None, ask
        assert hint.kind == kind, hint
    if mistake.says:
        assert any(mistake.says in g.hint.message for g in found.values() if g.hint), [
            g.hint for g in found.values()
        ]


@pytest.mark.parametrize("db1", ["dhprebn.sum(0)", "torch.zeros_like(b1)", "torch.full_like(b1, 1e-12)"])
def test_a_gradient_that_vanishes_is_right_by_its_value(desk: Desk, db1: str) -> None:
    """However it was found, and with a word on why it is zero; anything that is not zero is wrong."""
    found = graded(desk, FAST.replace("db1 = dhprebn.sum(0)", f"db1 = {db1}"))
    assert {name for name, gradient in found.items() if not gradient.outcome.scores} == set()
    (note,) = found["db1"].notes
    assert note.startswith("db1 is zero but for rounding: batch norm subtracts each column's mean")
    assert not any(gradient.notes for name, gradient in found.items() if name != "db1")
    wrong = graded(desk, FAST.replace("db1 = dhprebn.sum(0)", "db1 = torch.full_like(b1, 1e-4)"))
    assert wrong["db1"].outcome.value == "wrong_value" and not wrong["db1"].notes


def test_nothing_but_seconds_differs_between_runs(desk: Desk) -> None:
    one, two = (without_seconds(json.loads(desk.grade({EXERCISE: FAST}).to_json())) for _ in range(2))
    assert one == two


def without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key != "seconds"}
    return [without_seconds(item) for item in value] if isinstance(value, list) else value


def test_the_graded_steps_are_reported_beside_autograds(desk: Desk) -> None:
    """Their time and their losses, of the exercise that trains and of no other."""
    card = desk.grade({EXERCISE: FAST})
    descents = {exercise.id: exercise.descent for exercise in card.exercises}
    descent = descents.pop(EXERCISE)
    assert descent is not None
    assert descent.steps == descent.done == descent.hand.steps == descent.autograd.steps == 300
    assert descent.hand.seconds > 0 and descent.autograd.seconds > 0
    assert descent.hand.curve == pytest.approx(descent.autograd.curve, abs=1e-3)
    assert set(descents.values()) == {None}
    assert all(exercise.training is None for exercise in card.exercises)


def test_the_graded_steps_show_where_it_goes_wrong(desk: Desk) -> None:
    """Losses that are no numbers, and losses that are not there."""
    (wrong,) = (e.descent for e in graded_card(desk, "-lr * grad", "grad * 40").exercises if e.id == EXERCISE)
    assert wrong is not None and wrong.hand.curve != pytest.approx(wrong.autograd.curve, abs=0.1)
    (half,) = (
        e.descent
        for e in graded_card(desk, "lossi.append", "if i % 2: lossi.append").exercises
        if e.id == EXERCISE
    )
    assert half is not None and (half.hand.steps, half.autograd.steps) == (150, 300)
    (none,) = (
        e.descent for e in graded_card(desk, "return lossi", "return None").exercises if e.id == EXERCISE
    )
    assert none is not None and none.hand.curve == ()


def graded_card(desk: Desk, right: str, wrong: str) -> Scorecard:
    return desk.grade({EXERCISE: FAST.replace(right, wrong)})


def test_the_reference_trains_as_autograd_does(judge: Judge) -> None:
    (suite,) = (suite for suite in judge.suites if suite.exercise.id == EXERCISE)
    assert suite.faults == {}
    (oracle,) = suite.descents.values()
    (drop,) = oracle.checks("descent")
    assert float(drop.expected.precise) > 0.5


CLOSED_FORM = """
import torch

def train(parameters, batches, learning_rates):
    C, W1, b1, W2, b2, bngain, bnbias = parameters
    Xb, Yb = map(torch.cat, zip(*batches))
    hprebn = C[Xb].view(len(Xb), -1) @ W1 + b1
    bnraw = (hprebn - hprebn.mean(0)) / (hprebn.var(0) + 1e-5).sqrt()
    h = torch.tanh(bngain * bnraw + bnbias)
    # Linear discriminants in closed form, mixed in until the loss has fallen as far as is wanted.
    member = torch.eye(W2.shape[1])[Yb]
    prior = (member.sum(0) + 1) / (len(Yb) + 27)
    means = member.T @ h / (member.sum(0)[:, None] + 1)
    spread = (h - means[Yb]).T @ (h - means[Yb]) / len(Yb) + 0.1 * torch.eye(h.shape[1])
    fitted = torch.linalg.solve(spread, means.T)
    W2 += {share} * (fitted - W2)
    b2 += {share} * (prior.log() - (means.T * fitted).sum(0) / 2 - b2)
    return [0.0] * len(learning_rates)
"""


def test_a_loss_brought_down_without_a_gradient_is_no_descent(judge: Judge, desk: Desk) -> None:
    """A classifier fitted in closed form, and mixed in until unseen windows show the very drop that is wanted."""
    (suite,) = (suite for suite in judge.suites if suite.exercise.id == EXERCISE)
    (oracle,) = suite.descents.values()
    (drop,) = oracle.checks("descent")
    low, high = 0.0, 0.8
    for _ in range(30):
        share = (low + high) / 2
        module: dict[str, Any] = {}
        exec(CLOSED_FORM.format(share=share), module)
        arguments = oracle.arguments()
        with torch.no_grad():
            module["train"](**arguments)
        fell = (oracle.held_out(oracle.initial) - oracle.held_out(arguments["parameters"])).float()
        low, high = (share, high) if fell < drop.expected.precise else (low, share)
    assert drop.expected.admits(fell), "the attack has come as far as it meant to"
    found = graded(desk, CLOSED_FORM.format(share=share))["descent"]
    assert found.outcome.value == "wrong_value" and found.score == 0
    assert found.hint is not None


def test_tolerances_are_tight_and_leave_room(judge: Judge) -> None:
    """Autograd in float32 stays far inside; the closest mistake, n for n - 1, is far outside."""
    (suite,) = (suite for suite in judge.suites if suite.exercise.id == EXERCISE)
    (oracle,) = suite.descents.values()
    for check in oracle.checks("losses") + oracle.checks("parameters"):
        assert check.expected.difference(check.expected.autograd) <= check.expected.tolerance / 4, check.name
        assert check.expected.tolerance < 2e-4 * check.expected.scale, check.name


def test_a_file_that_was_not_handed_in_costs_no_descent(judge: Judge, desk: Desk) -> None:
    found = asks(desk.grade({"ex2_cross_entropy": ""}))
    assert {gradient.outcome.value for gradient in found.values()} == {"missing"}
    assert found["losses"].expected_shape == (300,)
