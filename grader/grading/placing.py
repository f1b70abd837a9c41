"""A gradient's outcome told in the student's own terms: their cells, their lines, their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from grader.hints import reduced
from grader.hints.text import quoted_names
from grader.scorecard.model import Gradient, Hint
from grader.submissions.notebooks.stubs import Work


def placed(work: Work, gradient: Gradient, hints: str) -> Gradient:
    """A gradient's outcome with its lines in the student's own cells, and with what was noticed.

    Args:
        work: what was handed in.
        gradient: as the generated stub was graded.
        hints: how much a hint may tell.
    """
    made = work.translation
    if made is None:
        return gradient
    causes, told = made.causes.get(gradient.name, ()), gradient.hint
    notes = list(made.notes.get(gradient.name, ()))
    if gradient.outcome.scores:
        notes += (cause.message for cause in causes)
    elif gradient.error is None and causes:
        told = reduced(causes[0], hints)  # what the numbers look like says less than what made them so
    elif told is not None:
        notes += _in_own_names(told, made.own)
    return replace(
        gradient,
        hint=told,
        error=made.origins.fault(gradient.error) if gradient.error else None,
        line=made.origins.line(gradient.line),
        cell=made.origins.cell(gradient.line),
        notes=(*gradient.notes, *notes),
    )


def _in_own_names(hint: Hint, own: Mapping[str, str]) -> Iterator[str]:
    """What the author calls the values that a hint speaks of."""
    named = list(quoted_names(hint, own))
    if named:
        yield f"in your names: {', '.join(f'{name} is {own[name]}' for name in named)}"
