"""Diagnosis as a whole: what it keeps silent on, combinations nobody listed, levels, the box."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import hints as package
from grader.checks.compare import Verdict, compare
from grader.checks.suite import Check
from grader.course.exercise import tensor_of
from grader.grading.judge import Judge
from grader.hints import diagnose, reduced
from grader.sandbox.answers import Failed, Returned
from grader.scorecard.model import Hint, Outcome
from grader.submissions import submission
from tests.hints.desk import Desk, Tried

HINT = Hint("sign", "Right but for its sign. And the evidence.", "b = -a")
SEVERAL = (
    ("ex1_step_by_step", "dcounts"),
    ("ex1_step_by_step", "dbndiff"),
    ("ex1_step_by_step", "dhprebn"),
    ("layer_norm", "dcentred"),
    ("layer_norm", "da"),
    ("attention", "dX"),
    ("gated_unit", "dgate"),
    ("gated_unit", "dx"),
)
"""Gradients that several lines send something back to."""


def answered(
    desk: Desk, exercise: str, ask: str, answer: Callable[[Check, dict[str, torch.Tensor]], torch.Tensor]
) -> Tried:
    """The calls of a stub that asks for every gradient it may, with answers made of the true shares."""
    suite = desk.suites[exercise]
    lines = suite.exercise.forward.users(tensor_of(ask))
    names = frozenset(f"d{line.name}" for line in lines) & frozenset(suite.exercise.may_ask(ask))
    found: list[tuple[Check, Verdict]] = []
    for oracle, check in zip(suite.oracles, suite.checks(ask, names), strict=False):
        shares = {name: expected.precise for name, expected in oracle.paths(tensor_of(ask)).items()}
        found.append((check, compare(Returned(answer(check, shares).float()), check.expected)))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SEVERAL), st.sampled_from([1.0, -1.0, 2.0, 0.5, 3.0, -0.25]), st.data())
def test_any_factor_times_any_of_the_paths_is_named(
    desk: Desk, asked: tuple[str, str], factor: float, data: st.DataObject
) -> None:
    """Nobody listed these: the hint must say which lines are missing, and that there is a factor."""
    exercise, ask = asked
    suite = desk.suites[exercise]
    names = [line.name for line in suite.exercise.forward.users(tensor_of(ask))]
    subsets = [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]
    kept = data.draw(st.sampled_from(subsets))
    if len(kept) == len(names) and factor == 1.0:
        return

    def answer(check: Check, shares: dict[str, torch.Tensor]) -> torch.Tensor:
        return factor * sum((shares[name] for name in kept), torch.zeros(check.expected.precise.shape))

    hint = diagnose(suite, ask, answered(desk, exercise, ask, answer))
    assert hint is not None
    expected = set()
    if len(kept) < len(names):
        expected.add("missing_path")
    if factor < 0:
        expected.add("sign")
    if abs(factor) != 1:
        expected.add("scale")
    assert set(hint.kind.split("+")) == expected, hint
    if "missing_path" in expected:
        left_out = {suite.exercise.forward.step(name).source for name in names if name not in kept}
        assert hint.forward_line in left_out
        assert all(source in hint.message for source in left_out)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SEVERAL), st.integers(0, 2**32 - 1))
def test_noise_is_not_explained(desk: Desk, asked: tuple[str, str], seed: int) -> None:
    """Random numbers fit no hypothesis: all that is said is that the numbers are wrong."""
    generator = torch.Generator().manual_seed(seed)

    def answer(check: Check, shares: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.randn(check.expected.precise.shape, generator=generator)

    hint = diagnose(desk.suites[asked[0]], asked[1], answered(desk, *asked, answer))
    assert hint is not None
    assert hint.kind == "wrong_local_derivative"
    assert hint.message.startswith("The numbers are wrong")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SEVERAL), st.integers(0, 3))
def test_what_explains_all_cases_but_one_explains_nothing(
    desk: Desk, asked: tuple[str, str], odd: int
) -> None:
    """A turned sign in three cases of four is no turned sign."""
    seen = iter(range(4))

    def answer(check: Check, shares: dict[str, torch.Tensor]) -> torch.Tensor:
        return check.expected.precise * (-3.3 if next(seen) == odd else -1.0)

    hint = diagnose(desk.suites[asked[0]], asked[1], answered(desk, *asked, answer))
    assert hint is not None
    assert hint.kind == "wrong_local_derivative"


@pytest.mark.parametrize(
    "silent",
    [
        Outcome.MISSING,
        Outcome.ERROR,
        Outcome.FORBIDDEN,
        Outcome.TIMED_OUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.CRASHED,
    ],
)
def test_outcomes_that_speak_for_themselves_get_no_hint(desk: Desk, silent: Outcome) -> None:
    suite = desk.suites["ex1_step_by_step"]
    checks = suite.checks("dprobs", frozenset({"probs", "dlogprobs"}))
    failed = Verdict(silent, failure=Failed(silent, "what happened"))
    assert diagnose(suite, "dprobs", [(check, failed) for check in checks]) is None


def test_a_stub_that_was_never_called_gets_no_hint(desk: Desk) -> None:
    assert diagnose(desk.suites["ex1_step_by_step"], "dprobs", ()) is None


def test_levels() -> None:
    assert reduced(HINT, "full") == HINT
    assert reduced(HINT, "off") is None
    assert reduced(None, "full") is None
    place = reduced(HINT, "line")
    assert place is not None
    assert (place.kind, place.forward_line) == ("line", "b = -a")
    assert "sign" not in place.message
    assert reduced(Hint("sign", "Right but for its sign.", None), "line") is None
    with pytest.raises(ValueError, match="some"):
        reduced(HINT, "some")


def test_every_family_has_its_own_place() -> None:
    """One file for each family, asked in an order that no two share."""
    families = package._families()
    files = {path.stem for path in Path(package.families.__file__).parent.glob("*.py")} - {"__init__"}
    assert len(families) == len(files)
    assert len({family.ORDER for family in families}) == len(families)


def test_diagnosis_is_the_same_without_autograd(desk: Desk) -> None:
    """A judge that grades with autograd switched off gets the same hints."""

    def answer(check: Check, shares: dict[str, torch.Tensor]) -> torch.Tensor:
        return -check.expected.precise

    tried = answered(desk, "layer_norm", "da", answer)
    with torch.no_grad():
        hint = diagnose(desk.suites["layer_norm"], "da", tried)
    assert hint is not None
    assert hint.kind == "sign"


def test_answers_from_a_box_are_diagnosed(judge: Judge) -> None:
    """Bob's sample work, through the real box: the typical mistakes by name."""
    folder = Path(__file__).parent.parent.parent / "submissions" / "bob"
    card = judge.grade(submission.read(folder, [suite.exercise.id for suite in judge.suites]))
    (result,) = [result for result in card.exercises if result.id == "ex1_step_by_step"]
    assert {g.name: g.hint.kind for g in result.gradients if g.hint is not None} == {
        "dcounts_sum_inv": "missing_sum",
        "dcounts_sum": "sign",
        "dcounts": "missing_path",
        "dlogit_maxes": "all_zero",
        "dlogits": "missing_path",
        "dW2": "transposed",
        "dbnraw": "transposed",
        "dbnvar": "wrong_local_derivative",
        "dbndiff2": "scale",
        "dbnmeani": "sign",
        "dC": "overwrite",
    }
