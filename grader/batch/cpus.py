"""Which processors work is done on.

A worker, the parent of its boxes and its boxes take turns: while one of them works, the others wait for it. Kept
to one processor they find their data where they left it, and none has to wake another processor, which takes
long where processors are virtual.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


def cores() -> int:
    """How many processors this process may use."""
    # Windows and macOS do not tell apart those that it may and those that there are.
    return len(_usable()) or os.cpu_count() or 1


def _usable() -> tuple[int, ...]:
    """The processors this process may use, none where the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


@dataclass(frozen=True)
class CpuPin:
    """The one processor that a worker, its boxes' parent and its boxes keep to; None where any will do."""

    processor: int | None = None

    def take(self) -> None:
        """Keep this process, and what it starts from now on, to the processor."""
        if self.processor is not None:
            with suppress(OSError):  # it may have been taken away meanwhile, and any other will do
                os.sched_setaffinity(0, {self.processor})

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Keep what is started meanwhile to the processor, and this process no longer than that."""
        before = _usable()
        self.take()
        try:
            yield
        finally:
            if self.processor is not None:
                os.sched_setaffinity(0, before)


ANYWHERE = CpuPin()


def seats(jobs: int) -> tuple[CpuPin, ...]:
    """A seat for each of some workers: a processor each where that uses all of them, else the system sees to it.

    Where a processor is left over, it makes the next box while a worker is busy.
    """
    usable = _usable()
    return tuple(map(CpuPin, usable)) if jobs == len(usable) else (ANYWHERE,) * jobs
