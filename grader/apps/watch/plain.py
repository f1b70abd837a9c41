"""The result of a save as plain lines, for a pipe or a log: only what is new."""

from __future__ import annotations

from collections.abc import Iterator

from grader.apps.watch.changes import grouped
from grader.apps.watch.save import Save, Unreadable
from grader.reports.explanation import details
from grader.reports.wording import LOOKS, next_step, one_line, points, reason
from grader.scorecard.model import Scorecard


def lines(played: Save) -> Iterator[str]:
    """Return the lines: files in trouble, what changed, the score, the next thing to do."""
    for trouble in dict.fromkeys(played.troubles.values()):  # exercises may share a file
        yield from _trouble(trouble)
    for group in grouped(played.changes):
        names = ", ".join(map(one_line, group.gradients))
        yield f"{group.turn}: {names} ({LOOKS[group.before].word} -> {LOOKS[group.after].word})"
    yield summary(played.shown)
    if not played.troubles:
        yield from _why(played.shown)


def summary(card: Scorecard) -> str:
    """The score and the next step on one line."""
    return f"{one_line(card.submission.name)} {points(card.score, card.max_score)}: {next_step(card)}"


def _trouble(trouble: Unreadable) -> Iterator[str]:
    yield f"{one_line(trouble.filename)}: {one_line(trouble.message)}"
    if trouble.source is not None:
        yield f"  {trouble.line} | {one_line(trouble.source)}"


def _why(card: Scorecard) -> Iterator[str]:
    step = next_step(card)
    if step.place is not None:
        exercise = card.exercises[step.place[0]]
        gradient = exercise.gradients[step.place[1]]
        yield from (f"  {line}" for line in filter(None, (reason(gradient), *details(gradient, exercise))))
