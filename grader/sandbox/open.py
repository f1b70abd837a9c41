"""The way to open boxes on this platform, and what must be in force there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from grader.errors import IsolationError
from grader.sandbox.layers._ends import threat
from grader.sandbox.linux import Zygote
from grader.sandbox.portable import Subprocesses
from grader.sandbox.process import Opener


class Isolated(StrEnum):
    """How much isolation an operator asks for."""

    AUTO = "auto"
    STRICT = "strict"


@contextmanager
def opener(hidden: Sequence[Path], isolation: Isolated) -> Iterator[Opener]:
    """Start what opens boxes here: a zygote on Linux, a fresh subprocess for each box elsewhere.

    Args:
        hidden: folders that no box may read.
        isolation: ``strict`` refuses when a layer is missing that keeps answers, network or processes apart.

    Raises:
        IsolationError: no box can be opened, or strict isolation is not to be had.
    """
    boxes: Opener = Zygote(hidden) if sys.platform == "linux" else Subprocesses()
    try:
        if isolation is Isolated.STRICT:
            require(boxes, "isolation strict: nothing is graded, because ")
        yield boxes
    finally:
        boxes.close()


def require(boxes: Opener, so: str = "") -> None:
    """Refuse an opener that leaves something open that strict isolation closes.

    Args:
        boxes: the opener.
        so: what follows for whoever asks, in front of the message.

    Raises:
        IsolationError: says what is open and why.
    """
    standing_open = [f"{threat(end)} ({why})" for end, why in boxes.unguarded.items()]
    if standing_open:
        raise IsolationError(so + "; ".join(standing_open))
