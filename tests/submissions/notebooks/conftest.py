"""A desk where notebooks are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from grader.checks.suite import ExerciseSuite
from grader.grading.judge import Judge
from grader.scorecard.model import Gradient
from grader.submissions.submission import HandedIn, Submission
from tests.submissions.notebooks.build import Piece, notebook, pieces

Graded = Mapping[str, Mapping[str, Gradient]]
"""Gradients by exercise and name."""


class NotebookDesk:
    """Grades notebooks and scripts as they are."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def grade(self, content: bytes, filename: str = "part4.ipynb") -> Graded:
        """Every gradient of a notebook or script."""
        return self._grade(
            content, filename, [suite for suite in self._judge.suites if not suite.exercise.declared]
        )

    def train(self, content: bytes, filename: str = "part4.ipynb") -> Graded:
        """What the training loop of a notebook or script is graded by."""
        return self._grade(
            content, filename, [suite for suite in self._judge.suites if suite.exercise.declared]
        )

    def _grade(self, content: bytes, filename: str, suites: Sequence[ExerciseSuite]) -> Graded:
        exercises = tuple(suite.exercise for suite in self._judge.suites)
        files = {exercise.id: HandedIn(filename, script=content) for exercise in exercises}
        judge = replace(self._judge, suites=tuple(suites), exercises=exercises)
        card = judge.grade(Submission("part4", Path(filename), "0" * 64, files))
        return {
            exercise.id[:3]: {gradient.name: gradient for gradient in exercise.gradients}
            for exercise in card.exercises
        }

    def grade_stored(self, name: str) -> Graded:
        """A stored text, as a notebook."""
        return self.grade(notebook(pieces(name)))

    def grade_cells(self, *cells: str) -> Graded:
        """Code cells, as a notebook."""
        return self.grade(notebook([("code", cell) for cell in cells]))

    def grade_pieces(self, cells: list[Piece]) -> Graded:
        """Cells of both kinds, as a notebook."""
        return self.grade(notebook(cells))


def lost(graded: Graded) -> dict[str, str]:
    """The gradients that earned nothing, as ``ex1 dprobs``, and why."""
    return {
        f"{exercise} {g.name}": f"{g.outcome}: {g.error.message if g.error else ''} "
        f"{g.hint.message if g.hint else ''} {g.notes}"
        for exercise, gradients in graded.items()
        for g in gradients.values()
        if not g.outcome.scores
    }


def outcomes(graded: Graded) -> dict[str, str]:
    """The outcomes of those that earned nothing."""
    return {name: why.partition(":")[0] for name, why in lost(graded).items()}


@pytest.fixture
def notebooks(judge: Judge) -> NotebookDesk:
    """A desk for notebooks."""
    return NotebookDesk(judge)
