"""The ``result.json`` of Classroom 50, schema ``classroom50/result/v1``.

Who and what was graded is not in a scorecard; Classroom 50's runner says it in the environment, and stamps
the owner and the kind of assignment anew itself.

Source: https://github.com/foundation50/classroom50/wiki/Advanced-Autograding#the-resultjson-contract ;
what is checked, ``validate_result`` in
https://github.com/foundation50/classroom50/blob/main/cli/gh-teacher/skeleton/dotgithub/scripts/runner.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from fractions import Fraction
from typing import Any

from grader.reports.context import ReportContext, ReportError, only
from grader.reports.wording import LOOKS, one_line
from grader.scorecard.model import Gradient, Scorecard

KIND = "classroom50"
ALONE = True
USES = frozenset({"commit_time"})
SCHEMA = "classroom50/result/v1"

FINEST = 1_000
"""Points are taken for multiples of at least a thousandth."""


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The result of one submission.

    Args:
        scorecards: exactly one.
        context: ``commit_time`` is the submission's time, so that grading again makes nothing late; the
            ``environment`` is that of Classroom 50's runner.

    Returns:
        JSON text. Scores are integers: where a gradient is worth half a point, everything counts double.

    Raises:
        ReportError: there is not exactly one submission, the time or a variable is missing, or the grader
            itself failed, which Classroom 50 is told by the exit status.
    """
    tests = _tests(only(scorecards, KIND))
    result = {
        "schema": SCHEMA,
        **_identity(context.environment),
        "datetime": _time(context),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def check(titles: Mapping[str, str], context: ReportContext) -> None:
    """See whether all is known that is not in a scorecard.

    Args:
        titles: not used.
        context: as for :func:`render`.

    Raises:
        ReportError: the time or a variable is missing.
    """
    _time(context)
    _identity(context.environment)


def _time(context: ReportContext) -> str:
    if context.commit_time is None:
        raise ReportError(f"report {KIND}: expected the time of the graded commit (commit_time), found none")
    return context.commit_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identity(known: Mapping[str, str]) -> dict[str, str]:
    found = {
        "classroom": known.get("CLASSROOM"),
        "assignment": known.get("ASSIGNMENT"),
        "assignment_type": known.get("ASSIGNMENT_TYPE") or "individual",
        "owner": known.get("OWNER") or known.get("USERNAME"),
        "submission": known.get("SUBMISSION_TAG"),
        "commit": known.get("COMMIT_URL"),
        "release": known.get("RELEASE_URL"),
        "review": known.get("REVIEW_URL") or known.get("COMMIT_URL"),
    }
    missing = [name for name, value in found.items() if not value]
    if missing:
        gone = ", ".join(missing)
        raise ReportError(f"report {KIND}: expected Classroom 50's environment, found no {gone}")
    return {name: value for name, value in found.items() if value}


def _tests(card: Scorecard) -> list[dict[str, Any]]:
    asked = [(e, g) for e in card.exercises for g in e.gradients]
    scale = math.lcm(*(Fraction(g.max_score).limit_denominator(FINEST).denominator for _, g in asked))
    return [
        {
            "test-name": one_line(f"{exercise.id}: {gradient.name}"),
            "passed": gradient.outcome.scores,
            "score": _integer(gradient, scale),
            "max-score": round(gradient.max_score * scale),
            "outcome": LOOKS[gradient.outcome].word,
        }
        for exercise, gradient in asked
    ]


def _integer(gradient: Gradient, scale: int) -> int:
    """The score in integers, never rounded up beyond what was earned."""
    score = gradient.score or 0.0
    full = round(gradient.max_score * scale)
    return full if score >= gradient.max_score else min(math.floor(score * scale + 1e-9), full)
