"""A training's progress bar: loss, steps a second, time left, and a way to stop it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from grader.grading.training import Moment, Show


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
    """Show a training's progress on a terminal's standard error, and let Ctrl-C stop it.

    Args:
        steps: how many steps it is to make.
    """
    stop = Stop()
    with _interrupts(stop):
        if sys.stderr.isatty():
            with _bar(steps, stop) as show:
                yield show
        else:
            yield lambda moment: not stop.wanted


@contextmanager
def _bar(steps: int, stop: Stop) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=steps, loss="-", speed="-", word="Ctrl-C stops")
        yield lambda moment: _show(moment, stop, bar, task)


def _show(moment: Moment, stop: Stop, bar: Progress, task: TaskID) -> bool:
    loss = "-" if moment.loss is None else f"{moment.loss:.3f}"
    speed = bar.tasks[0].speed
    word = "stopping …" if stop.wanted else "Ctrl-C stops"
    if moment.autograd is not None:
        word = f"autograd is at {moment.autograd:,}"
    bar.update(
        task,
        completed=moment.step,
        loss=loss,
        speed="-" if speed is None else f"{speed:.0f}",
        word=word,
    )
    return not stop.wanted


@contextmanager
def _interrupts(stop: Stop) -> Iterator[None]:
    """Have Ctrl-C ask for a stop; change nothing without a terminal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
