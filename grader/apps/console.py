"""A command's standard streams. None changes a result, or shows a traceback, if it is closed or full."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

import click

STREAMS = (0, 1, 2)


def ready() -> None:
    """Make the standard streams take whatever is written to them.

    A closed one is replaced by the null device, so that no file that is opened later gets its number and its
    text. A character that an encoding lacks is written as an escape.
    """
    for number in STREAMS:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given out, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _tolerant(sys.stdout, 1)
    sys.stderr = _tolerant(sys.stderr, 2)


def _tolerant(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def say(text: str = "", *, nl: bool = True) -> None:
    """Print on the standard output; go on in silence if it is closed or full."""
    try:
        click.echo(text, nl=nl)
    except OSError:
        _give_up(sys.stdout)


def tell(text: str) -> None:
    """Print a line on the standard error, after the command's name."""
    try:
        click.echo(f"grade: {' '.join(text.split())}", err=True)
    except OSError:
        _give_up(sys.stderr)


def close() -> None:
    """Flush the streams; Python itself would end with another exit status if that failed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Send all that is written to a stream from now on to the null device."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
