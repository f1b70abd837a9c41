"""What a command does to its own process: it starts quickly, and cleans up whatever ends it."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP", "SIGQUIT")
"""Signals that end a command from outside, where the platform has them."""


class Ended(BaseException):
    """A signal ended the command; what is open is closed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_status = 128 + number


@contextmanager
def quick_start() -> Iterator[None]:
    """Keep the garbage collector off during imports: it would take a tenth of their time and find nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Have a signal end the command as Ctrl-C does: boxes are ended, and what was unpacked is removed.

    Raises:
        Ended: a signal came.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    with _handled(end):
        yield


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Have those signals interrupt what knows of Ctrl-C alone, as pytest does: all else is to it a failed test.

    Raises:
        Ended: a signal came.
    """
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield
    if came:
        raise Ended(came[0])


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have a function handle the signals that end a command, as long as the context lasts."""
    before = {}
    for name in ENDING:
        number = getattr(signal, name, None)
        # Whoever started the command with a signal ignored, as nohup does, wants it ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(ValueError):  # not the main thread: a program of its own sees to signals
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
