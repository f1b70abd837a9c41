"""The texts of hints that were once odd or wrong."""

from __future__ import annotations

import pytest
import torch

from grader.checks.cases import LECTURE, RANDOM
from grader.checks.compare import compare
from grader.hints import diagnose, text
from grader.sandbox.answers import Answer, Called, Other, Returned
from grader.scorecard.model import Hint
from tests.hints.desk import Desk

EX1, EX4 = "ex1_step_by_step", "ex4_training"


def hinted(desk: Desk, exercise: str, ask: str, answer: Answer) -> Hint | None:
    """The hint for a function that takes nothing and always returns the same."""
    suite = desk.suites[exercise]
    function = suite.exercise.function_of(ask)
    checks = suite.checks(ask, frozenset(function.may_ask(suite.exercise)))
    return diagnose(suite, ask, [(c, compare(c.extract(Called(answer)), c.expected)) for c in checks])


@pytest.mark.parametrize(
    ("answer", "found"),
    [(Returned(torch.zeros(3)), "one tensor"), (Other("a dict"), "a dict"), (Other("None"), "None")],
)
def test_a_function_of_several_gradients_is_told_what_it_returns(
    desk: Desk, answer: Answer, found: str
) -> None:
    """Not that a gradient is one tensor, when one tensor is what came back."""
    hint = hinted(desk, EX4, "dC", answer)
    assert hint is not None and hint.kind == "wrong_type"
    assert hint.message.startswith(
        "This function returns `(loss, [dC, dW1, db1, dW2, db2, dbngain, dbnbias])`."
    )
    assert hint.message.endswith(f"Yours returned {found}.")
    assert ("`return` forgotten" in hint.message) == (found == "None")


def test_a_stub_is_told_what_it_returned(desk: Desk) -> None:
    """As data, whatever it looks like."""
    hint = hinted(desk, EX1, "dprobs", Other("a str, expected or not"))
    assert hint is not None
    assert (
        hint.message == "A gradient is one tensor, of the shape of `probs`. Yours is a str, expected or not."
    )


def test_a_case_is_named_as_a_sentence_names_it() -> None:
    assert text.case(LECTURE) == "the lecture's case"
    assert text.case(RANDOM) == "the case with random upstream gradients"
    assert text.case("fresh 1") == "case fresh 1"


def test_the_names_that_a_hint_quotes_are_found_with_those_of_their_gradients() -> None:
    """In code alone: a word of the sentence is no name."""
    hint = Hint("sign", "Right but for h, as `dprobs` and `counts_sum` say.", "b = -a")
    assert list(text.quoted_names(hint, ["h", "probs", "counts", "counts_sum", "a"])) == [
        "probs",
        "counts_sum",
        "a",
    ]


def test_entries_that_alone_are_right_are_not_said_to_be_wrong(desk: Desk) -> None:
    """The first row is right, and nothing else is."""
    suite = desk.suites[EX1]
    tried = []
    for check in suite.checks("dbnraw", frozenset({"dhpreact"})):
        answer = check.expected.precise.clone()
        answer[1:] += torch.randn(answer[1:].shape, generator=torch.Generator().manual_seed(1))
        tried.append((check, compare(Returned(answer.float()), check.expected)))
    hint = diagnose(suite, "dbnraw", tried)
    assert hint is not None and hint.kind == "partial"
    assert hint.message.startswith(
        "Only the first row is right. This holds in all 4 cases; in the lecture's case,"
    )
