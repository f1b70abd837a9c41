"""Stored scorecards for reports: read back, and without what no report of a class needs."""

from __future__ import annotations

from dataclasses import replace

from grader.reports.context import ReportError
from grader.scorecard.json_reader import SIZE_LIMIT, ScorecardError
from grader.scorecard.model import ExerciseResult, Scorecard

__all__ = ["SIZE_LIMIT", "load", "slim"]


def load(text: str) -> Scorecard:
    """Read a scorecard that a report is to be made of.

    Raises:
        ReportError: the text is too long, is not JSON, or is not a scorecard.
    """
    try:
        return Scorecard.from_json(text)
    except ScorecardError as error:
        raise ReportError(str(error)) from error


def slim(card: Scorecard) -> Scorecard:
    """Return the scorecard without pictures, cases, trainings and the forward pass.

    These show one student's work, no report of a class reads them, and they are most of a scorecard: thousands of
    slim ones fit in memory.
    """
    return replace(card, exercises=tuple(map(_slim_exercise, card.exercises)))


def _slim_exercise(exercise: ExerciseResult) -> ExerciseResult:
    gradients = (replace(g, error_map=None, worst=None, cases=(), through=()) for g in exercise.gradients)
    return replace(exercise, gradients=tuple(gradients), forward=(), descent=None, training=None)
