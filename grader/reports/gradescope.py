"""Gradescope's ``results.json``: one test for every gradient.

Every text is declared to be plain: Gradescope would render the text for the whole submission as HTML if
nothing were said. Nothing is put on a leaderboard.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grader.reports.context import ReportContext, ReportError, only
from grader.reports.wording import LOOKS, next_step, one_line, reason, visible
from grader.scorecard.model import Gradient, Scorecard

KIND = "gradescope"
ALONE = True

VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
VISIBILITY_VARIABLE = "GRADE_VISIBILITY"
"""The environment variable by which an instructor says when students see the tests; ``visible`` without."""

OUTPUT_LIMIT = 10_000
"""Characters of one test's output."""


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The results of one submission.

    Args:
        scorecards: exactly one.
        context: the run took ``seconds``; the variable :data:`VISIBILITY_VARIABLE` of its ``environment``.

    Returns:
        JSON text.

    Raises:
        ReportError: there is not exactly one submission; or the grader itself failed, and Gradescope, which
            gets no results then, tells the student to ask the staff instead of recording a zero.
    """
    card, visibility = only(scorecards, KIND), _visibility(context)
    results = {
        "score": card.score,
        "execution_time": round(context.seconds, 3),
        "output": str(next_step(card)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "tests": [test | {"visibility": visibility} for test in _tests(card)],
    }
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def check(titles: Mapping[str, str], context: ReportContext) -> None:
    """See whether it is known when students see the tests.

    Args:
        titles: not used.
        context: as for :func:`render`.

    Raises:
        ReportError: the variable is none of :data:`VISIBILITIES`.
    """
    _visibility(context)


def _visibility(context: ReportContext) -> str:
    found = context.environment.get(VISIBILITY_VARIABLE, VISIBILITIES[0])
    if found not in VISIBILITIES:
        raise ReportError(
            f"{VISIBILITY_VARIABLE}: expected one of {', '.join(VISIBILITIES)}, found {found!r}"
        )
    return found


def _tests(card: Scorecard) -> list[dict[str, Any]]:
    return [
        {
            "score": gradient.score,
            "max_score": gradient.max_score,
            "status": "passed" if gradient.outcome.scores else "failed",
            "name": one_line(f"{exercise.id}: {gradient.name}"),
            "name_format": "text",
            "number": f"{place}.{within}",
            "output": output(gradient)[:OUTPUT_LIMIT],
            "output_format": "text",
        }
        for place, exercise in enumerate(card.exercises, 1)
        for within, gradient in enumerate(exercise.gradients, 1)
    ]


def output(gradient: Gradient) -> str:
    """What there is to say about a gradient as plain text: outcome, hint, error, notes, what it printed."""
    hint, fault = gradient.hint, gradient.error
    why = hint.message if hint is not None else reason(gradient)
    lines = [LOOKS[gradient.outcome].word, *([why] if why else [])]
    lines += [f"Forward pass: {hint.forward_line}"] if hint is not None and hint.forward_line else []
    lines += fault.traceback if fault is not None else ()
    lines += gradient.notes
    lines += ["", "What it printed:", gradient.output] if gradient.output else []
    return visible("\n".join(lines))
