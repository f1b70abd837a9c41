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
    """Return how many processors this process may use."""
    # Windows and macOS do not say which processors a process may use: count all of them.
    return len(_usable()) or os.cpu_count() or 1


def _usable() -> tuple[int, ...]:
    """Return the processors this process may use; none if the system does not say."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


@dataclass(frozen=True)
class CpuPin:
    """The one processor that a worker, its boxes' parent and its boxes keep to; None where any will do."""

    processor: int | None = None

    def take(self) -> None:
        """Bind this process, and all processes it starts from now on, to the processor."""
        if self.processor is not None:
            with suppress(OSError):  # it may have been taken away meanwhile, and any other will do
                os.sched_setaffinity(0, {self.processor})

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Bind this process to the processor for a while; what it starts meanwhile stays bound."""
        before = _usable()
        self.take()
        try:
            yield
        finally:
            if self.processor is not None:
                os.sched_setaffinity(0, before)


ANYWHERE = CpuPin()


def seats(jobs: int) -> tuple[CpuPin, ...]:
    """Return a pin for each worker: a processor each if that uses all of them; otherwise the system chooses.

    A processor that is left over makes the next box while a worker is busy.
    """
    usable = _usable()
    return tuple(map(CpuPin, usable)) if jobs == len(usable) else (ANYWHERE,) * jobs
