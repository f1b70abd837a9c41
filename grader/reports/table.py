"""The scorecard as a table in the terminal, in the manner of the lecture's own check.

Student text reaches rich only inside ``Text`` objects, which know no markup. Without colour the table's own
characters are ASCII, so that a log or a pipe takes them anywhere; a student's name keeps its letters.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from grader.reports.loss_curve import chart
from grader.reports.wording import (
    LOOKS,
    Tone,
    how_far,
    loss_rows,
    next_step,
    number,
    one_line,
    pace,
    points,
    reason,
)
from grader.scorecard.model import ExerciseResult, Gradient, Isolation, Scorecard, Training

PLAIN_WIDTH = 80
WIDEST = 120
CHART_COLUMNS = 64
NARROW = 66
"""Below this width the columns ``exact`` and ``approximate`` make way."""

STYLES = {
    Tone.GOOD: "green",
    Tone.OPEN: "bright_black",
    Tone.WRONG: "red",
    Tone.BROKE: "yellow",
    Tone.OURS: "magenta",
}


@dataclass(frozen=True)
class _Page:
    """What everything on the page depends on: its width and whether it may use colour."""

    width: int
    colour: bool

    @classmethod
    def of(cls, width: int | None, colour: bool) -> _Page:
        terminal = shutil.get_terminal_size().columns if colour else PLAIN_WIDTH
        return cls(width or min(terminal, WIDEST), colour)

    def print(self, blocks: Iterable[Text | Padding]) -> str:
        out = io.StringIO()
        console = Console(
            file=out,
            width=self.width,
            height=25,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            # The caller has decided about colour; the environment must not decide again.
            _environ={},
        )
        for block in blocks:
            console.print(block)
        return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())

    def cell(self, text: str, size: int, style: str = "") -> Text:
        """Text of exactly ``size`` columns, shortened where it has to be."""
        flat = one_line(text)
        if cell_len(flat) > size:
            dots = "…" if self.colour else "..."[:size]
            flat = set_cell_size(flat, size - len(dots)).rstrip() + dots
        return Text(set_cell_size(flat, size), style)

    def row(self, cells: Iterable[Text]) -> Text:
        return Text(" | ").join(cells)

    def rule(self, sizes: Sequence[int]) -> Text:
        return Text("-+-".join("-" * size for size in sizes), "bright_black")


def render(scorecard: Scorecard, *, width: int | None = None, colour: bool = False) -> str:
    """The scorecard as text.

    Args:
        scorecard: what to show.
        width: columns to use; by default the terminal's with colour (at most 120), 80 without.
        colour: whether to use ANSI colours and glyphs; without, the output has no escape codes.

    Returns:
        A block for each exercise, then score, next step and isolation; ends in a newline.
    """
    page = _Page.of(width, colour)
    return page.print(_blocks(scorecard, page))


def render_training(training: Training, *, width: int | None = None, colour: bool = False) -> str:
    """A whole training as text: its losses beside autograd's, its time, its curve and its names.

    Args:
        training: what to tell.
        width: columns to use, as for :func:`render`.
        colour: as for :func:`render`.
    """
    page = _Page.of(width, colour)
    return page.print(_training(training, page))


@dataclass(frozen=True)
class Row:
    """One submission in a class, as plain text, and the tone its score is shown in.

    ``exercises`` holds each exercise's id and points; ``trouble`` is the first gradient that does not score.
    """

    name: str
    score: str
    exercises: tuple[tuple[str, str], ...]
    trouble: str
    tone: Tone

    @classmethod
    def of(cls, scorecard: Scorecard) -> Row:
        """A submission's row."""
        return cls(
            one_line(scorecard.submission.name),
            points(scorecard.score, scorecard.max_score),
            tuple((e.id, points(e.score, e.max_score)) for e in scorecard.exercises),
            first_trouble(scorecard),
            Tone.OURS if scorecard.at_fault else Tone.GOOD if scorecard.perfect else Tone.BROKE,
        )


def first_trouble(scorecard: Scorecard) -> str:
    """The first gradient that does not score and why, or nothing; the grader's own faults come first."""
    todo = [g for e in scorecard.exercises for g in e.gradients if not g.outcome.scores]
    if not todo:
        return ""
    first = min(todo, key=lambda g: LOOKS[g.outcome].tone is not Tone.OURS)
    return ": ".join(filter(None, (f"{first.name} {LOOKS[first.outcome].word}", reason(first))))


def render_rows(rows: Iterable[Row], *, width: int | None = None, colour: bool = False) -> str:
    """A class as text: one row for each submission, in the order given.

    Args:
        rows: the submissions'; they may have been graded on different exercises. Of a large class rows are
            kept, its scorecards are not.
        width: columns to use, as for :func:`render`.
        colour: as for :func:`render`.
    """
    page = _Page.of(width, colour)
    return page.print(_class(tuple(rows), page))


def _blocks(scorecard: Scorecard, page: _Page) -> Iterator[Text | Padding]:
    yield Text(one_line(scorecard.submission.name), "bold")
    for exercise in scorecard.exercises:
        yield Text()
        yield from _exercise(exercise, page)
    yield Text()
    total = f"score {points(scorecard.score, scorecard.max_score)}"
    yield Text(total, f"bold {STYLES[Tone.GOOD]}" if scorecard.perfect else "bold")
    yield Text(str(next_step(scorecard)))
    yield from (Text(line, "bright_black") for line in _isolation(scorecard.isolation))


def _exercise(exercise: ExerciseResult, page: _Page) -> Iterator[Text | Padding]:
    heading = f"{one_line(exercise.title)}  {points(exercise.score, exercise.max_score)}"
    where = f"  {one_line(exercise.file)}" if exercise.file is not None else ""
    yield Text.assemble((heading, "bold"), (where, "bright_black"))
    titles, sizes = _columns(page)
    yield page.row(page.cell(title, size, "bright_black") for title, size in zip(titles, sizes, strict=True))
    yield page.rule(sizes)
    for gradient, why in _with_reasons(exercise.gradients):
        yield _gradient(gradient, sizes, page)
        if why:
            yield Padding(Text(why, overflow="fold"), (0, 0, 0, min(4, page.width // 8)))
    if exercise.descent is not None:
        yield from _pace(exercise.descent)
    if exercise.training is not None:
        yield Text()
        yield from _training(exercise.training, page)


def _pace(training: Training) -> Iterator[Text]:
    if training.done and training.autograd.seconds:
        for sentence in pace(training.done, training.hand.seconds, training.autograd.seconds):
            yield Text(sentence, overflow="fold")


def _training(training: Training, page: _Page) -> Iterator[Text]:
    yield Text(f"Training: {how_far(training)}", "bold", overflow="fold")
    if training.trouble is not None:
        yield Text(one_line(training.trouble), STYLES[Tone.BROKE], overflow="fold")
    yield from _losses(training)
    yield from _pace(training)
    drawn = chart(training, max(1, min(CHART_COLUMNS, page.width - 8)), plain=not page.colour)
    yield from (Text(line, no_wrap=True, overflow="crop") for line in drawn.splitlines())
    if drawn:
        yield Text(f"{'':>6} loss by hand, step 1 to {training.hand.steps:,}")
    if training.names:
        yield Text("Names from this network:")
        yield from _names(training.names, page)


def _losses(training: Training) -> Iterator[Text]:
    """The loss on each split, a row each."""
    rows = loss_rows(training)
    if not rows:
        return
    published = training.published
    titles = ("loss", "by hand", "autograd", *(["published"] if published else []))
    yield _aligned(titles, "bright_black")
    for row in rows:
        yield _aligned((row.split, row.hand, row.autograd, *([row.published] if row.published else [])))
    if published is not None:
        yield Text(f"published: {one_line(published.by)}", overflow="fold")


def _aligned(cells: Sequence[str], style: str = "") -> Text:
    return Text(f"{cells[0]:<10}" + "".join(f"{cell:>11}" for cell in cells[1:]), style)


def _names(names: Sequence[str], page: _Page) -> Iterator[Text]:
    shown = [one_line(name) or "-" for name in names]
    size = min(max(map(cell_len, shown)), page.width - 2)
    across = max(1, min(5, page.width // (size + 2)))
    for first in range(0, len(shown), across):
        cells = (page.cell(name, size) for name in shown[first : first + across])
        yield Text("  ") + Text("  ").join(cells)


def _columns(page: _Page) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if page.width < NARROW:
        outcome = 15
        name = max(page.width - outcome - 10 - 6, 6)
        return ("gradient", "outcome", "maxdiff"), (min(name, 15), outcome, 10)
    return ("gradient", "outcome", "exact", "approximate", "maxdiff"), (15, 15, 5, 11, 10)


def _gradient(gradient: Gradient, sizes: Sequence[int], page: _Page) -> Text:
    look = LOOKS[gradient.outcome]
    style = STYLES[look.tone]
    # An answer that never came is neither exact nor approximate: a dash, not False.
    answered = gradient.found_shape is not None or gradient.outcome.scores
    marks = [str(flag) if answered else "-" for flag in (gradient.exact, gradient.outcome.scores)]
    texts = [
        (gradient.name, ""),
        (f"{look.glyph} {look.word}" if page.colour else look.word, style),
        *([(mark, style) for mark in marks] if len(sizes) == 5 else []),
        (number(gradient.max_abs_diff), ""),
    ]
    return page.row(page.cell(text, size, style) for (text, style), size in zip(texts, sizes, strict=True))


def _with_reasons(gradients: Sequence[Gradient]) -> Iterator[tuple[Gradient, str]]:
    """Each gradient and why it does not score; a reason that repeats the line above is not said again."""
    previous = ""
    for gradient in gradients:
        why = "" if gradient.outcome.scores else reason(gradient)
        yield gradient, why if why != previous else ""
        previous = why


def _isolation(isolation: Isolation) -> Iterator[str]:
    yield f"isolation: {', '.join(map(one_line, isolation.layers)) or 'none'}"
    for layer in isolation.missing:
        yield f"not in force: {one_line(layer.name)} ({one_line(layer.reason)})"


def _class(rows: Sequence[Row], page: _Page) -> Iterator[Text]:
    ids = tuple(dict.fromkeys(name for row in rows for name, _ in row.exercises))
    lines = [(_cells(row, ids), STYLES[row.tone]) for row in rows]
    titles = ("submission", "score", *_short(ids), "first trouble")
    sizes = _class_sizes([titles, *(texts for texts, _ in lines)], page.width)
    # Where even the shortest columns are too wide, the single exercises make way for the total.
    shown = range(len(sizes)) if _total(sizes) <= page.width else (0, 1, -1)
    yield page.row(page.cell(titles[i], sizes[i], "bright_black") for i in shown)
    yield page.rule([sizes[i] for i in shown])
    for texts, style in lines:
        yield page.row(page.cell(texts[i], sizes[i], style if i == 1 else "") for i in shown)


def _cells(row: Row, ids: Sequence[str]) -> tuple[str, ...]:
    by_id = dict(row.exercises)
    return (row.name, row.score, *(by_id.get(name, "-") for name in ids), row.trouble)


def _short(ids: Sequence[str]) -> tuple[str, ...]:
    """``ex1`` for ``ex1_step_by_step``, unless two exercises would share it."""
    heads = [one_line(name).partition("_")[0] for name in ids]
    return tuple(
        head if head and heads.count(head) == 1 else one_line(name)
        for head, name in zip(heads, ids, strict=True)
    )


def _class_sizes(rows: Sequence[Sequence[str]], width: int) -> tuple[int, ...]:
    """As wide as the contents, then the last column and the name give way until a row fits."""
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for index, least in ((-1, 12), (0, 10), (-1, 1), (0, 3)):
        excess = _total(sizes) - width
        if excess > 0:
            sizes[index] = max(sizes[index] - excess, min(least, sizes[index]))
    return tuple(sizes)


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + len(" | ") * (len(sizes) - 1)
