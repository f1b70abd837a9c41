"""The process a box lives in, as its judge holds it: what it may use, and how it ended."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from grader.sandbox.usage import Usage
from grader.scorecard.model import Isolation, Outcome

START_LIMIT_S = 120.0
"""How long a zygote may take to import torch on a slow, cold machine."""

ENDING_S = 0.5
"""How long a box that closed its connection is given to end by itself, so that its status tells why."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PASSED_ON = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
"""What a box's interpreter may need of the environment; nothing else is passed on."""

BACKSTOP = 60
"""Time limits of processor time after which the kernel ends a box."""

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
    """What one box may use.

    Args:
        time_limit_s: seconds for one question, see :class:`grader.sandbox.deadline.Deadline`.
        memory_limit_mb: MiB beyond what a box starts with.
    """

    time_limit_s: float
    memory_limit_mb: int

    @property
    def cpu_limit_s(self) -> int:
        """Processor seconds of a box's whole life, which the kernel enforces.

        A backstop in case the judge has gone: the judge ends a box that takes too long over one question. Where a
        box reaches this limit all the same, by many questions, the last one is asked again in a fresh box.
        """
        return int(self.time_limit_s * BACKSTOP) + 1


class Process(Protocol):
    """The process a box lives in, as its judge holds it."""

    connection: socket.socket

    @property
    def can_kill_itself(self) -> bool:
        """Whether no layer in force keeps it from sending itself a SIGKILL."""

    def usage(self) -> Usage | None:
        """What it has used so far, None where this cannot be told."""

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
    def counts_processor_time(self) -> bool:
        """Whether time limits spare a box the time in which others hold the processors."""

    @property
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation closes and is open here (answers, network, processes), and why."""

    def open(self, limits: Limits) -> Process:
        """A process that serves :class:`grader.sandbox.student.Inside` on its connection."""

    def hand_over(self) -> None:
        """Let go, here, of what another process, forked from this one, goes on with."""

    def close(self) -> None:
        """End every process."""


KILLED = "SIGKILL"
SPENT = "processor time spent"
"""The end of a box that has used up the processor time of its whole life."""

AUTOGRAD = "your code ran into torch's autograd, which is closed: derive it by hand"

ENDS = {
    "SIGILL": (Outcome.FORBIDDEN, AUTOGRAD),
    "SIGTRAP": (Outcome.FORBIDDEN, AUTOGRAD),
    "SIGXCPU": (Outcome.TIMED_OUT, "your code used up its processor time"),
    SPENT: (Outcome.TIMED_OUT, "your code used up its processor time"),
    KILLED: (
        Outcome.GRADER_FAULT,
        "the system killed the process that ran this code, most likely for want of memory: give the machine more "
        "of it, or a submission less, and grade again",
    ),
    "killed": (Outcome.CRASHED, "your code closed the grader's connection"),
    "SIGSYS": (Outcome.CRASHED, "your code made a system call that a box forbids"),
}


def how_it_died(status: str) -> tuple[Outcome, str]:
    """What the end of a box means for the function that was running.

    Args:
        status: a signal's name such as ``SIGILL``, ``exit N``, ``killed`` by the judge, or :data:`SPENT`. A
            ``SIGKILL`` is one that neither the judge nor the box has sent.
    """
    return ENDS.get(status, (Outcome.CRASHED, f"your code ended its own process ({status})"))


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
