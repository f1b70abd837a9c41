"""Why one gradient does not score, in a few lines of text: for a screen and for a test's report."""

from __future__ import annotations

from collections.abc import Iterator

from grader.reports.wording import LOOKS, after_first_sentence, number, one_line, reason, shape, visible
from grader.scorecard.model import ExerciseResult, Gradient, Outcome, StudentError, Worst

LINES_LIMIT = 3
"""Forward lines that are quoted one by one; a gradient in closed form goes back through many."""


def verdict(gradient: Gradient) -> str:
    """One line: what is the matter with a gradient, and why if that is known."""
    why = reason(gradient) if gradient.outcome is not Outcome.MISSING else ""
    return ": ".join(filter(None, (LOOKS[gradient.outcome].word, why)))


def details(gradient: Gradient, exercise: ExerciseResult) -> tuple[str, ...]:
    """What else helps to mend it, a line each; nothing in them can hide or pretend to be something else.

    Args:
        gradient: one that does not score.
        exercise: the exercise it belongs to, for the forward lines it goes back through.
    """
    return tuple(visible(line) for line in _details(gradient, exercise))


def _details(gradient: Gradient, exercise: ExerciseResult) -> Iterator[str]:
    if gradient.hint is not None:
        rest = after_first_sentence(gradient.hint.message)  # the verdict has said the first
        if rest:
            yield rest
    if gradient.error is not None:
        if gradient.outcome is not Outcome.MISSING:
            # Without a hint the verdict has said its first line.
            said = f"{gradient.error.type}: {gradient.error.message.strip()}".splitlines()
            yield from said if gradient.hint is not None else said[1:]
        yield from gradient.error.traceback
    if gradient.outcome is not Outcome.MISSING or gradient.line is None:
        yield from gradient.notes
    if not has_no_stub(gradient):
        yield from _shapes(gradient)
    if gradient.worst is not None:
        yield _worst(gradient.worst, gradient.shown_case)
    yield from _lines(gradient, exercise)


def has_no_stub(gradient: Gradient) -> bool:
    """Whether the file said nothing about this gradient, because it could not be run."""
    return gradient.line is None and gradient.error is not None


def _shapes(gradient: Gradient) -> Iterator[str]:
    expected = shape(gradient.expected_shape)
    if gradient.found_shape is None:
        yield f"expected shape {expected}"
    elif gradient.found_shape == gradient.expected_shape:
        yield f"shape {expected}, as expected"
    elif gradient.outcome is not Outcome.WRONG_SHAPE or gradient.hint is not None:
        yield f"expected shape {expected}, found {shape(gradient.found_shape)}"


def _worst(worst: Worst, case: str) -> str:
    where = f"[{', '.join(map(str, worst.index))}]"
    # As few digits as show the difference.
    pairs = [(number(worst.expected, digits), number(worst.found, digits)) for digits in (3, 6, 9)]
    expected, found = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])
    return f"furthest off at {where}: expected {expected}, found {found} (case {case})"


def _lines(gradient: Gradient, exercise: ExerciseResult) -> Iterator[str]:
    """The forward lines to look at: the hint's, else those the gradient goes back through."""
    hint = gradient.hint
    if hint is not None and hint.forward_line is not None:
        if hint.forward_line not in hint.message:
            yield f"look at  {hint.forward_line}"
        return
    sources = [line.source for line in exercise.forward if line.name in gradient.through]
    if len(sources) > LINES_LIMIT:
        sources = [sources[-1], f"... {len(sources) - 2} more lines", sources[0]]
    yield from (f"back through  {source}" for source in sources)


def fault_line(fault: StudentError) -> str:
    """An exception on one line, with the line it points at."""
    where = f" (line {fault.line})" if fault.line is not None else ""
    return one_line(f"{fault.type}: {fault.message}") + where
