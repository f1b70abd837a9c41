"""Boxes forked from a zygote, and the zygote itself, seen from the judge's side: the opener for Linux."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from grader.errors import IsolationError
from grader.sandbox import frames, usage
from grader.sandbox.frames import Frame, WireError
from grader.sandbox.process import (
    ENDING_S,
    KILLED,
    SPENT,
    START_LIMIT_S,
    Limits,
    clean_environment,
    status_name,
)
from grader.sandbox.usage import Meter, Usage
from grader.scorecard.model import Isolation, MissingLayer

ZYGOTE = "the box's parent process"

TICKS_S = 0.1
"""How far the processor time that is read may lag behind what the kernel goes by."""

NO_SELF_KILL = frozenset({"processes", "seccomp"})
"""Layers each of which keeps a box from sending itself a SIGKILL."""


@dataclass(frozen=True)
class Order:
    """A box that the zygote was asked for, and our end of its socket."""

    limits: Limits
    connection: socket.socket


@dataclass
class Forked:
    """A box forked from a zygote: killed through its pidfd, reaped by the zygote."""

    connection: socket.socket
    limits: Limits
    pid: int
    pidfd: int
    zygote: Zygote
    _ended: bool = False

    def __post_init__(self) -> None:
        self._meter = Meter(self.pidfd)

    @property
    def can_kill_itself(self) -> bool:
        """Whether it can: process 1 of a namespace cannot, nor can whom a filter refuses that signal."""
        return self.zygote.boxes_can_kill_themselves

    def usage(self) -> Usage | None:
        """What it has used so far, also when it has ended and is not yet reaped."""
        return self._meter.read()

    def death(self) -> str:
        """Wait a moment for the process to end by itself, kill it if it does not, and say how it ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        by_itself = bool(poll.poll(ENDING_S * 1000))
        used = self.usage()
        status = self._end(tell=True)
        if not by_itself or status is None:
            return "killed"
        name = status_name(os.waitstatus_to_exitcode(status))
        is_spent = used is not None and used.cpu_s > self.limits.cpu_limit_s - TICKS_S
        return SPENT if name == KILLED and is_spent else name

    def kill(self) -> None:
        """End the process, now."""
        self._end(tell=False)

    def abandon(self) -> None:
        """Close what belongs to a process that ends with its zygote."""
        self._ended = True
        self._meter.close()
        os.close(self.pidfd)
        self.connection.close()

    def _end(self, *, tell: bool) -> int | None:
        if self._ended:
            return None
        self._ended = True
        with contextlib.suppress(ProcessLookupError):  # it may have ended, and wait to be reaped
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self._meter.close()
        os.close(self.pidfd)
        self.connection.close()
        return self.zygote.reap(self.pid, tell=tell)


class Zygote:
    """A running zygote, seen from the judge's side: the opener for Linux.

    Boxes are forked one ahead: while one answers, the next is already being made, with the limits that followed
    the last time.

    Args:
        hidden: folders that no box may read.
        program: the interpreter's arguments that make it a zygote; a benchmark passes one without layers.
    """

    def __init__(
        self, hidden: Sequence[Path] = (), program: Sequence[str] = ("-m", "grader.sandbox.zygote")
    ) -> None:
        self._control, theirs = socket.socketpair()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the zygote)
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", *program, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            cwd="/",
        )
        theirs.close()
        frames.send(self._control, Frame({"hidden": [str(path.resolve()) for path in hidden]}))
        self._ordered: Order | None = None
        self._ready: Forked | None = None
        self._opened: Limits | None = None
        self._followed: dict[Limits, Limits] = {}

    @property
    def isolation(self) -> Isolation:
        """The layers in force and missing.

        Raises:
            IsolationError: the zygote did not come up.
        """
        missing = tuple(MissingLayer(**one) for one in self._survey["missing"])
        return Isolation(tuple(self._survey["layers"]), missing)

    @property
    def counts_processor_time(self) -> bool:
        """Whether what boxes use can be read here; it takes /proc."""
        return usage.is_available()

    @property
    def boxes_can_kill_themselves(self) -> bool:
        """Whether no layer in force keeps a box from killing itself, so that nobody can tell who did."""
        return NO_SELF_KILL.isdisjoint(self._survey["layers"])

    @property
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation has to close and no layer in force does, and why."""
        found: Mapping[str, str] = self._survey["unguarded"]
        return found

    @cached_property
    def _survey(self) -> Mapping[str, Any]:
        """The zygote's first word: what it found when it tried its layers."""
        return self._receive(self._control, ZYGOTE)

    def open(self, limits: Limits) -> Forked:
        """A fresh box, all of whose layers stand.

        Raises:
            IsolationError: the zygote is gone, or a layer that was in force has failed.
        """
        _ = self._survey  # the zygote's first word comes before any other
        self._settle()
        if self._ready is None or self._ready.limits != limits:
            self._order(limits)
        box = self._take()
        if self._opened is not None:
            self._followed[self._opened] = limits
        self._opened = limits
        with contextlib.suppress(IsolationError):  # whoever opens the next box is told
            self._order(self._followed.get(limits, limits))
        return box

    def reap(self, pid: int, *, tell: bool) -> int | None:
        """Have the zygote reap a box that has ended; its wait status if wanted.

        Raises:
            IsolationError: the status is wanted, and the zygote is gone.
        """
        order = Frame({"reap": pid, "tell": tell})
        if tell:
            self._settle()
            self._send(order)
            return int(self._receive(self._control, ZYGOTE)["status"])
        with contextlib.suppress(IsolationError):  # a zygote that has gone took its boxes along
            self._send(order)
        return None

    def hand_over(self) -> None:
        """Close this process's end; another process, forked from this one, goes on with it."""
        self._control.close()

    def close(self) -> None:
        """End the zygote, and with it every box."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()
        if self._ordered is not None:
            self._ordered.connection.close()
        if self._ready is not None:
            self._ready.abandon()

    def _order(self, limits: Limits) -> None:
        """Ask for a box without waiting for it; discard one that was made for other limits."""
        self._settle()
        if self._ready is not None:
            self._ready.kill()
            self._ready = None
        ours, theirs = socket.socketpair()
        about = {
            "memory_limit_mb": limits.memory_limit_mb,
            "cpu_limit_s": limits.cpu_limit_s,
        }
        with theirs, _or_else(ours.close):
            self._send(Frame({"open": about}), theirs.fileno())
        self._ordered = Order(limits, ours)

    def _settle(self) -> None:
        """Read the zygote's reply to the box ordered last, so that its next reply is to what is said next."""
        if self._ordered is None:
            return
        order, self._ordered = self._ordered, None
        with _or_else(order.connection.close):
            pid, pidfd = self._born()
        self._ready = Forked(order.connection, order.limits, pid, pidfd, self)

    def _born(self) -> tuple[int, int]:
        """The number of the box ordered last, and its pidfd."""
        told = self._receive(self._control, ZYGOTE)
        with self._reached(ZYGOTE):
            _, (pidfd,), _, _ = socket.recv_fds(self._control, 1, 1)
        return told["pid"], pidfd

    def _take(self) -> Forked:
        """The box made ahead, once its layers stand."""
        self._settle()
        assert self._ready is not None
        box, self._ready = self._ready, None
        with _or_else(box.kill):
            self._receive(box.connection, "a box that had just been opened")
        return box

    def _send(self, frame: Frame, descriptor: int | None = None) -> None:
        """Tell the zygote something, and hand it a descriptor with it.

        Raises:
            IsolationError: it is gone.
        """
        with self._reached(ZYGOTE):
            frames.send(self._control, frame)
            if descriptor is not None:
                socket.send_fds(self._control, [b"s"], [descriptor])

    def _receive(self, connection: socket.socket, whose: str) -> Mapping[str, Any]:
        """What the zygote says next, or a box before any student code runs in it.

        Raises:
            IsolationError: it is gone, or could not open a box.
        """
        with self._reached(whose):
            head = frames.receive(connection, time.monotonic() + START_LIMIT_S).head
        if "failed" in head:
            raise IsolationError(f"no box can be opened: {head['failed']}")
        return head

    @contextlib.contextmanager
    def _reached(self, whose: str) -> Iterator[None]:
        """Turn a lost connection into an error that says who is gone, and what the zygote printed last."""
        try:
            yield
        except (WireError, OSError, ValueError) as error:
            self._errors.seek(0)
            said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            raise IsolationError(f"{whose} is gone: {said[-1] if said else error}") from error


@contextlib.contextmanager
def _or_else(undo: Callable[[], None]) -> Iterator[None]:
    """Undo something if what comes after it fails."""
    try:
        yield
    except BaseException:
        undo()
        raise
