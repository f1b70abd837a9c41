"""What is left: wrong numbers that nothing else explains, and the lines they went back through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from grader.hints.inquiry import Inquiry
from grader.hints.lines import Line
from grader.hints.pieces import Alteration, Part, back, parts
from grader.hints.text import hint, listed, quoted
from grader.scorecard.model import Hint, Outcome

ORDER = 99

MOST_LINES = 4
"""More lines than this are told by the first and the last."""


def explain(inquiry: Inquiry) -> Iterator[Hint]:
    """Where the mistake must lie, without saying what it is."""
    if inquiry.outcome is not Outcome.WRONG_VALUE:
        return
    whole = parts(inquiry)
    blamed = [part for part in whole if len(whole) > 1 and _is_all_there_is(inquiry, part, whole)]
    if blamed:
        line = blamed[0].line
        yield hint(
            "wrong_local_derivative",
            line,
            f"What flows back through {quoted(line)} is wrong; what flows back through the other lines is right.",
            f"All wrong entries are among those that this line reads of `{inquiry.tensor}`, {inquiry.everywhere}.",
        )
        return
    lines = inquiry.through
    yield hint(
        "wrong_local_derivative",
        lines[0] if len(lines) == 1 else None,
        f"The numbers are wrong: look again at how you go back through {_said(lines)}.",
        "Shape and dtype are right.",
    )


def _said(lines: Sequence[Line]) -> str:
    if len(lines) <= MOST_LINES:
        return listed(quoted(line) for line in lines)
    return f"the {len(lines)} lines from {quoted(lines[0])} to {quoted(lines[-1])}"


def _is_all_there_is(inquiry: Inquiry, part: Part, whole: Sequence[Part]) -> bool:
    """Whether every wrong entry is one that this line reads, while other lines read more."""
    piece = back(part.line, inquiry.tensor, part.use, Alteration(("ones",)))
    for view in inquiry.views:
        reach = view.scene.get(piece)
        if reach is None or bool((reach != 0).all()):
            return False
        wrong: Tensor = ~((view.answer - view.scene.gradients[inquiry.tensor]).abs() <= view.tolerance)
        if bool((wrong & (reach == 0)).any()):
            return False
    return True
