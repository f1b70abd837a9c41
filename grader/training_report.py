"""A training for people: a progress bar while it runs, a summary, and a page with its curve."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from grader.curve import Curve
from grader.reports import wording
from grader.reports.wording import one_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from grader.training import Moment, Show, Training

CHART_COLUMNS = 64
PAGE_POINTS = 400
WIDTH, HEIGHT = 640, 240
"""Of the picture, in its own units."""


class Stop:
    """Ctrl-C once: end the training and go on with what there is. Twice: end everything."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note that somebody wants to stop.

        Raises:
            KeyboardInterrupt: they want it for the second time.
        """
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def watched(steps: int) -> Iterator[Show]:
    """Show a training's progress on a terminal, and let Ctrl-C stop it.

    Args:
        steps: how many steps it is to make.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    stop = Stop()
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[speed]} steps/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}"),
    )
    console = Console(stderr=True)
    with _interrupts(stop), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=steps, loss="-", speed="-", word="Ctrl-C stops")
        yield lambda moment: _show(moment, stop, bar, task)


def _show(moment: Moment, stop: Stop, bar: Progress, task: TaskID) -> bool:
    loss = "-" if moment.loss is None else f"{moment.loss:.3f}"
    speed = bar.tasks[0].speed
    bar.update(
        task,
        completed=moment.step,
        loss=loss,
        speed="-" if speed is None else f"{speed:.0f}",
        word="stopping …" if stop.wanted else "Ctrl-C stops",
    )
    return not stop.wanted


@contextmanager
def _interrupts(stop: Stop) -> Iterator[None]:
    """Have Ctrl-C ask for a stop; where there is no terminal to press it at, leave everything as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Row:
    """One line of the comparison: a split, and the loss on it by hand, by autograd and as published."""

    split: str
    hand: str
    autograd: str
    published: str


def rows(training: Training) -> tuple[Row, ...]:
    """The losses on both splits, ready to print."""

    def row(split: str, hand: float | None, autograd: float | None) -> Row:
        texts = [_loss(number) for number in (hand, autograd, training.published.get(split))]
        return Row(split, texts[0], texts[1], texts[2] if split in training.published else "")

    hand, autograd = training.hand, training.autograd
    return (
        row("training", hand.training, autograd.training),
        row("validation", hand.validation, autograd.validation),
    )


def _loss(number: float | None) -> str:
    return "-" if number is None else f"{number:.4g}"


def summary(training: Training, *, plain: bool = False) -> str:
    """A training as text: its losses beside autograd's, its time, its curve and its names.

    Args:
        training: what to tell.
        plain: use ASCII alone for the curve.
    """
    return "".join(f"{line}\n" for line in _lines(training, plain=plain))


def _lines(training: Training, *, plain: bool) -> Iterator[str]:
    yield f"{one_line(training.name)}: {training.done} of {training.steps} steps"
    if training.trouble is not None:
        yield one_line(training.trouble)
    yield ""
    published = any(row.published for row in rows(training))
    yield f"{'loss':<11}{'by hand':>9}{'autograd':>10}{'published' if published else '':>11}".rstrip()
    for row in rows(training):
        yield f"{row.split:<11}{row.hand:>9}{row.autograd:>10}{row.published:>11}".rstrip()
    yield ""
    yield from pace(training)
    if training.hand.losses:
        yield ""
        yield from Curve.of(training.hand.losses, CHART_COLUMNS).chart(plain=plain).splitlines()
        yield f"{'':>6} loss, step 1 to {len(training.hand.losses)}"
    if training.names:
        yield ""
        yield "Names from this network:"
        yield from _columns(training.names)


def pace(training: Training) -> Iterator[str]:
    """How long a step took, by hand and by autograd, and what to look for where it is slow."""
    if training.ratio is not None:
        yield from wording.pace(training.done, training.hand.seconds, training.autograd.seconds)


def _columns(names: tuple[str, ...], across: int = 5) -> Iterator[str]:
    shown = [one_line(name) or "-" for name in names]
    size = max(map(len, shown)) + 2
    for first in range(0, len(shown), across):
        yield "  " + "".join(f"{name:<{size}}" for name in shown[first : first + across]).rstrip()


def page(training: Training) -> str:
    """A training as one self-contained HTML page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("grader", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    curves = [Curve.of(side.losses, PAGE_POINTS) for side in (training.autograd, training.hand)]
    drawn = [curve for curve in curves if curve.means]
    low = min((curve.lowest for curve in drawn), default=0.0)
    high = max((curve.highest for curve in drawn), default=1.0)
    return environment.get_template("training.html.jinja").render(
        training=training,
        name=one_line(training.name),
        trouble=one_line(training.trouble or ""),
        rows=rows(training),
        published=any(row.published for row in rows(training)),
        pace=tuple(pace(training)),
        lines=[curve.points(WIDTH, HEIGHT, low, high) for curve in curves],
        width=WIDTH,
        height=HEIGHT,
        low=low,
        high=high,
        names=[one_line(name) or "–" for name in training.names],
    )


def is_plain() -> bool:
    """Whether what is printed should keep to ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
