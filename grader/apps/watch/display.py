"""Where results are shown: a terminal's screen, or lines where there is no terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live

from grader.apps.watch import plain, screen
from grader.apps.watch.save import Save


class Display(Protocol):
    """What a watch needs of the place where it shows results."""

    def waiting(self, text: str) -> None:
        """Say why there is nothing to show."""

    def grading(self, last: Save) -> None:
        """Say that a save is being graded."""

    def show(self, played: Save) -> None:
        """Show the result of a save."""

    def steady(self) -> None:
        """Nothing happened: make sure that what is shown still fits."""

    def close(self) -> None:
        """Leave behind what should stay when the watch is over."""


class Screen:
    """A terminal's alternate screen, redrawn for every save; it leaves one line on the ordinary screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._live.start()
        self._size = console.size
        self._last: Save | None = None

    def waiting(self, text: str) -> None:
        """Show nothing but the text."""
        self._live.update(screen.message(text), refresh=True)

    def grading(self, last: Save) -> None:
        """Keep showing the last result, and say that a newer one is on its way."""
        self._live.update(screen.page(last, "grading ..."), refresh=True)

    def show(self, played: Save) -> None:
        """Draw the result over the one before."""
        self._last = played
        unchanged = "" if played.changes else ", no outcome changed"
        note = f"{datetime.now():%H:%M:%S}{unchanged}, graded in {played.seconds:.2f} s"
        self._live.update(screen.page(played, note), refresh=True)

    def steady(self) -> None:
        """Redraw if the terminal's size has changed."""
        if self._console.size != self._size:
            self._size = self._console.size
            self._live.refresh()

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._live.stop()
        if self._last is not None:
            self._console.print(plain.summary(self._last.shown), markup=False, emoji=False, soft_wrap=True)


class Lines:
    """Lines on a pipe or in a log."""

    def __init__(self, console: Console) -> None:
        self._file = console.file

    def waiting(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def grading(self, last: Save) -> None:
        """Say nothing: the result follows at once."""

    def show(self, played: Save) -> None:
        """Say what is new."""
        for line in plain.lines(played):
            self._say(line)

    def steady(self) -> None:
        """Do nothing: lines stay as they are."""

    def close(self) -> None:
        """Do nothing: every line has been printed."""

    def _say(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()


@contextmanager
def display_on(console: Console) -> Iterator[Display]:
    """The display that suits a console; however it is left, the terminal is as it was."""
    if isinstance(console.file, io.TextIOWrapper):
        # A terminal that lacks a character shows its code instead of ending the watch.
        console.file.reconfigure(errors="backslashreplace")
    has_screen = console.is_terminal and not console.is_dumb_terminal
    display: Display = Screen(console) if has_screen else Lines(console)
    try:
        yield display
    finally:
        display.close()
