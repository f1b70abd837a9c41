"""PrairieLearn's ``results.json`` of an external grader.

A submission that is no Python at all, or on which the grader itself failed, is ``gradable: false``:
PrairieLearn then counts no attempt and gives no points, which is what either deserves.

Source: https://prairielearn.readthedocs.io/en/latest/externalGrading/#grading-results
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from grader.reports.context import ReportContext, ReportError
from grader.reports.gradescope import output
from grader.reports.wording import next_step, one_line, reason, visible
from grader.scorecard.model import Gradient, Outcome, Scorecard

KIND = "prairielearn"
ALONE = True

SIZE_LIMIT = 900_000
"""Bytes; PrairieLearn takes results of at most 1 MB."""

SYNTAX = frozenset({"SyntaxError", "IndentationError", "TabError"})


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The results of one submission.

    Args:
        scorecards: exactly one.
        context: not used.

    Returns:
        JSON text of at most :data:`SIZE_LIMIT` bytes: where there is more, the tests tell less.

    Raises:
        ReportError: there is not exactly one submission.
    """
    if len(scorecards) != 1:
        raise ReportError(f"report {KIND}: expected one submission, found {len(scorecards)}")
    card, text = scorecards[0], ""
    for limit in (10_000, 1_000, 100, 0):
        text = json.dumps(_results(card, limit), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if len(text.encode("utf-8")) <= SIZE_LIMIT:
            break
    return text


def _results(card: Scorecard, limit: int) -> dict[str, Any]:
    errors = _format_errors(card, limit)
    if errors:
        return {"gradable": False, "format_errors": errors}
    tests = [
        {
            "name": one_line(f"{exercise.id}: {gradient.name}"),
            "points": gradient.score or 0.0,
            "max_points": gradient.max_score,
            "message": one_line(_message(gradient))[: limit or 100],
            "output": output(gradient)[:limit],
        }
        for exercise in card.exercises
        for gradient in exercise.gradients
    ]
    score = min(max(card.score / card.max_score, 0.0), 1.0)
    return {
        "gradable": True,
        "score": score,
        "message": str(next_step(card)),
        "tests": tests,
        "format_errors": [],
    }


def _message(gradient: Gradient) -> str:
    return gradient.hint.message if gradient.hint is not None else reason(gradient)


def _format_errors(card: Scorecard, limit: int) -> list[str]:
    """Why there is nothing to grade, in words; empty where there is."""
    asked = [gradient for exercise in card.exercises for gradient in exercise.gradients]
    if not asked or not card.max_score:
        return ["Nothing was graded: no exercise was asked for."]
    if any(gradient.outcome is Outcome.GRADER_FAULT for gradient in asked):
        return [str(next_step(card))]
    flaws = [g.error for g in asked if g.error is not None and g.outcome is Outcome.ERROR]
    if len(flaws) < len(asked) or any(flaw.type not in SYNTAX for flaw in flaws):
        return []
    told = (f"line {flaw.line or '?'}: {flaw.type}: {flaw.message}" for flaw in flaws)
    return list(dict.fromkeys(visible(flaw)[: limit or 100] for flaw in told))
