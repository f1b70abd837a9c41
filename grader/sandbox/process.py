"""The process a box lives in, as its judge holds it: what may be asked of it, what it may use, how it ended."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from grader.scorecard.model import Isolation, Outcome

START_LIMIT_S = 120.0
"""How long a zygote may take to import torch on a slow, cold machine."""

ENDING_S = 0.5
"""How long a box that closed its connection is given to end by itself, so that its status tells why."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PASSED_ON = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
"""What a box's interpreter may need of the environment; the rest is nobody's business."""

OWN = {
    # No two students sit at one machine: every submission sees the same one, behind whatever layers.
    "HOME": "/",
    "USER": "box",
    "LOGNAME": "box",
    "USERNAME": "box",
    "PATH": os.defpath,
    # Sets are printed in the same order in every box, so that the same submission gets the same scorecard.
    "PYTHONHASHSEED": "0",
}
"""What a box's interpreter is told instead of the operator's own."""


@dataclass(frozen=True)
class Limits:
    """What one box may use."""

    time_limit_s: float
    memory_limit_mb: int


class Process(Protocol):
    """The process a box lives in, as its judge holds it."""

    connection: socket.socket

    def death(self) -> str:
        """Kill the process if it has not ended, and say how it ended: see :func:`how_it_died`."""

    def kill(self) -> None:
        """End the process, now, and leave nothing of it."""


class Opener(Protocol):
    """A way to open boxes on this platform."""

    @property
    def isolation(self) -> Isolation:
        """The layers in force and missing; waits until they have been tried."""

    @property
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation closes and is open here (answers, network, processes), and why."""

    def open(self, limits: Limits) -> Process:
        """A process that serves :class:`grader.sandbox.student.Inside` on its connection."""

    def hand_over(self) -> None:
        """Let go, here, of what another process, forked from this one, goes on with."""

    def close(self) -> None:
        """End every process."""


def how_it_died(status: str) -> tuple[Outcome, str]:
    """What the end of a box means for the stub that was running.

    Args:
        status: a signal's name such as ``SIGILL``, ``exit N``, or ``killed`` by the judge.
    """
    return {
        "SIGILL": (
            Outcome.FORBIDDEN,
            "your code ran into torch's autograd, which is closed: derive it by hand",
        ),
        "SIGTRAP": (
            Outcome.FORBIDDEN,
            "your code ran into torch's autograd, which is closed: derive it by hand",
        ),
        "SIGXCPU": (Outcome.TIMED_OUT, "your code used up its processor time"),
        "SIGKILL": (Outcome.OUT_OF_MEMORY, "the system killed your code, most likely for want of memory"),
        "killed": (Outcome.CRASHED, "your code closed the grader's connection"),
        "SIGSYS": (Outcome.CRASHED, "your code made a system call that a box forbids"),
    }.get(status, (Outcome.CRASHED, f"your code ended its own process ({status})"))


def status_name(code: int) -> str:
    """An exit code in words: ``SIGKILL`` for -9, ``exit 3`` for 3."""
    if code >= 0:
        return f"exit {code}"
    named = {number.value: number.name for number in signal.Signals}
    return named.get(-code, f"signal {-code}")  # those for real-time use have no names of their own


def clean_environment() -> dict[str, str]:
    """The environment of a box's interpreter: what it cannot run without, and one thread."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | dict.fromkeys(THREADS, "1") | OWN
