"""Fairness: no right answer loses a point, and no wrong one scores."""

from pathlib import Path

import pytest

from grader.scorecard.model import Gradient
from tests.cells import Cell, read
from tests.conftest import Desk

CORPUS = Path(__file__).parent / "corpus"
RIGHT = read(CORPUS / "right.py")
WRONG = read(CORPUS / "wrong.py")


def graded(desk: Desk, cell: Cell) -> Gradient:
    card = desk.grade({cell.exercise: cell.code})
    return next(
        g for e in card.exercises if e.id == cell.exercise for g in e.gradients if g.name == cell.gradient
    )


@pytest.mark.parametrize("cell", RIGHT, ids=str)
def test_a_right_answer_scores(desk: Desk, cell: Cell) -> None:
    gradient = graded(desk, cell)
    assert gradient.outcome.scores, gradient
    assert gradient.hint is None


@pytest.mark.parametrize("cell", WRONG, ids=str)
def test_a_wrong_answer_does_not(desk: Desk, cell: Cell) -> None:
    gradient = graded(desk, cell)
    assert gradient.outcome.value == cell.outcome, gradient
    assert gradient.score == 0


def test_the_corpus_is_large_enough() -> None:
    assert len(RIGHT) >= 60
    assert len(WRONG) >= 60
    assert len({str(cell) for cell in RIGHT + WRONG}) == len(RIGHT) + len(WRONG)
