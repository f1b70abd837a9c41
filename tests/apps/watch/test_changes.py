"""What a save changed: gained, lost, or another outcome of the same worth."""

from __future__ import annotations

from grader.apps.watch.changes import Change, Turn, changes, grouped
from grader.scorecard.model import ExerciseResult, Outcome
from tests.reports.builders import exercise, gradient

EXERCISE = "ex1_step_by_step"


def result(**outcomes: str) -> ExerciseResult:
    return exercise(*(gradient(name, Outcome(outcome)) for name, outcome in outcomes.items()))


def test_only_another_outcome_is_a_change() -> None:
    before = result(dprobs="exact", dcounts="missing", dlogits="wrong_value", dh="close")
    after = result(dprobs="exact", dcounts="exact", dlogits="wrong_shape", dh="error")
    assert changes(before, after) == (
        Change(EXERCISE, "dcounts", Outcome.MISSING, Outcome.EXACT),
        Change(EXERCISE, "dlogits", Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE),
        Change(EXERCISE, "dh", Outcome.CLOSE, Outcome.ERROR),
    )


def test_a_change_is_named_for_the_points() -> None:
    def turn(before: Outcome, after: Outcome) -> Turn:
        return Change(EXERCISE, "dprobs", before, after).turn

    assert turn(Outcome.MISSING, Outcome.CLOSE) is Turn.GAINED
    assert turn(Outcome.EXACT, Outcome.TIMED_OUT) is Turn.LOST
    assert turn(Outcome.EXACT, Outcome.CLOSE) is Turn.CHANGED
    assert turn(Outcome.ERROR, Outcome.MISSING) is Turn.CHANGED


def test_a_gradient_that_is_new_has_not_changed() -> None:
    assert changes(result(dprobs="exact"), result(dprobs="exact", dcounts="error")) == ()
    assert changes(result(dprobs="exact", dcounts="error"), result(dprobs="exact")) == ()


def test_changes_of_a_kind_are_told_together_gains_first() -> None:
    before = result(dprobs="exact", dcounts="missing", dlogits="missing", dh="error")
    after = result(dprobs="error", dcounts="exact", dlogits="exact", dh="missing")
    groups = grouped(changes(before, after))
    assert [(group.turn, group.gradients) for group in groups] == [
        (Turn.GAINED, ("dcounts", "dlogits")),
        (Turn.LOST, ("dprobs",)),
        (Turn.CHANGED, ("dh",)),
    ]
