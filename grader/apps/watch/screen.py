"""The result of a save on one screen of 80 by 24: every outcome, what changed, and what to do next.

Student text reaches rich only inside ``Text`` objects, which know no markup.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.apps.watch.changes import Turn, grouped
from grader.apps.watch.save import Save, Unreadable
from grader.reports.explanation import details
from grader.reports.table import STYLES
from grader.reports.wording import LOOKS, Tone, next_step, one_line, points, reason, visible
from grader.scorecard.model import ExerciseResult, Gradient, Scorecard

FAINT = "bright_black"
SIGNS = {Turn.GAINED: ("+", "green"), Turn.LOST: ("-", "red"), Turn.CHANGED: ("~", "yellow")}


def page(played: Save, note: str) -> RenderableType:
    """Return the result of a save as something rich can draw.

    Args:
        played: the graded save.
        note: a few words beside the score: what is going on, or when this was saved.
    """
    return Group(*_blocks(played, note))


def message(text: str) -> RenderableType:
    """Return a screen with nothing but a message."""
    return Text(one_line(text), FAINT)


def _blocks(played: Save, note: str) -> Iterator[RenderableType]:
    card = played.shown
    heading = f"{one_line(card.submission.name)}  {points(card.score, card.max_score)}"
    yield Text.assemble((heading, "bold"), (f"  {one_line(note)}  Ctrl-C ends", FAINT))
    yield Text()
    yield _outcomes(played)
    yield from _changes(played)
    yield Text()
    for trouble in dict.fromkeys(played.troubles.values()):  # exercises may share a file
        yield from _trouble(trouble)
    if not played.troubles:
        yield from _next(card)


def _outcomes(played: Save) -> Table:
    """One row for each exercise; faint if its file cannot be run, and the row shows its last result."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, exercise in zip(_short(played.shown), played.shown.exercises, strict=True):
        dim = exercise.id in played.troubles
        marks = Text(" ").join(_mark(gradient, dim=dim) for gradient in exercise.gradients)
        score = points(exercise.score, exercise.max_score)
        grid.add_row(Text(name, "bold"), Text(score, FAINT if dim else ""), marks)
    return grid


def _short(card: Scorecard) -> list[str]:
    """``ex1`` for ``ex1_step_by_step``, unless two exercises would share it."""
    names = [one_line(exercise.id) for exercise in card.exercises]
    heads = [name.partition("_")[0] for name in names]
    return [
        head if head and heads.count(head) == 1 else name for head, name in zip(heads, names, strict=True)
    ]


def _mark(gradient: Gradient, *, dim: bool) -> Text:
    # Without a blank in between, a glyph and its name cannot end up on two lines.
    look = LOOKS[gradient.outcome]
    return Text(f"{look.glyph}{one_line(gradient.name)}", FAINT if dim else STYLES[look.tone])


def _changes(played: Save) -> Iterator[RenderableType]:
    if played.changes:
        yield Text()
    for group in grouped(played.changes):
        sign, style = SIGNS[group.turn]
        names = ", ".join(map(one_line, group.gradients))
        way = f"{LOOKS[group.before].word} → {LOOKS[group.after].word}"
        yield Text.assemble((f"{sign} {group.turn} ", style), names, (f"  {way}", FAINT))


def _trouble(trouble: Unreadable) -> Iterator[RenderableType]:
    text = f"{one_line(trouble.filename)}: {one_line(trouble.message)}"
    yield Text(text, f"bold {STYLES[Tone.BROKE]}", overflow="fold")
    if trouble.source is not None:
        yield _indented(f"{trouble.line} | {visible(trouble.source)}")


def _next(card: Scorecard) -> Iterator[RenderableType]:
    """The gradient to work on next, and all that helps to mend it."""
    step = next_step(card)
    yield Text(str(step), "bold")
    if step.place is None:
        return
    exercise: ExerciseResult = card.exercises[step.place[0]]
    gradient = exercise.gradients[step.place[1]]
    for line in filter(None, (reason(gradient), *details(gradient, exercise))):
        yield _indented(line)


def _indented(line: str) -> RenderableType:
    return Padding(Text(line, overflow="fold"), (0, 0, 0, 2))
