"""The score as lines of ``name=value``, for a step's outputs in GitHub Actions.

``--report outputs=PATH`` appends them to PATH, which is meant to be ``$GITHUB_OUTPUT``. They are numbers and
nothing else, so no student text can end a line and begin another output.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.reports.context import ReportContext
from grader.scorecard.model import Scorecard

KIND = "outputs"
APPENDS = True


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The total over all submissions.

    Args:
        scorecards: what to report.
        context: not used.

    Returns:
        The lines ``score``, ``max-score`` and ``submissions``.
    """
    score = sum(card.score for card in scorecards)
    max_score = sum(card.max_score for card in scorecards)
    return f"score={score:.10g}\nmax-score={max_score:.10g}\nsubmissions={len(scorecards)}\n"
