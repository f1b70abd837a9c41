"""The portable base: each box a fresh subprocess, with limits where the platform has them.

For macOS and Windows, where a student runs their own code at their own desk. It protects the score, as every
box does: the truth never enters it. It does not protect the machine: such a box can read files and reach
the network as its owner can.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.errors import IsolationError
from grader.sandbox import frames
from grader.sandbox.frames import Frame, WireError
from grader.sandbox.layers import Confinement, Unavailable, layers
from grader.sandbox.process import ENDING_S, START_LIMIT_S, Limits, clean_environment, status_name
from grader.sandbox.usage import Usage
from grader.scorecard.model import Isolation, MissingLayer

NAME = "subprocess"
ELSEWHERE = "boxes are plain subprocesses on this platform"
UNGUARDED = {
    "answers": "a plain subprocess can read every file its owner can",
    "network": "a plain subprocess can reach the network",
    "processes": "a plain subprocess can start others",
}


@dataclass
class Fresh:
    """A box in a subprocess of its own; ``layers`` is what it says is in force, by name, and what is not, why."""

    connection: socket.socket
    child: subprocess.Popen[bytes]
    layers: Mapping[str, str | None]

    @property
    def can_kill_itself(self) -> bool:
        """Whether it can; nothing keeps it from that."""
        return True

    def usage(self) -> Usage | None:
        """Nothing: here the clock on the wall decides."""
        return None

    def death(self) -> str:
        """Kill the process if it has not ended, and say how it ended."""
        try:
            return status_name(self.child.wait(ENDING_S))
        except subprocess.TimeoutExpired:
            return "killed"
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process, now, and where the platform has sessions whatever else is in its own."""
        end(self.child)
        self.connection.close()


@dataclass(frozen=True)
class Starting:
    """A subprocess on its way: it will connect to a listener, show its token and say what is in force."""

    limits: Limits
    child: subprocess.Popen[bytes]
    listener: socket.socket
    token: bytes

    @classmethod
    def start(cls, limits: Limits) -> Starting:
        """Start a subprocess; do not wait for it."""
        listener = socket.create_server(("127.0.0.1", 0))
        token = secrets.token_hex(16).encode()
        command = [sys.executable, "-s", "-P", "-B", "-m", __name__, str(listener.getsockname()[1])]
        command += [str(limits.memory_limit_mb), str(limits.cpu_limit_s)]
        child = subprocess.Popen(
            command,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Not where the grader was started: what a submission writes by a relative path should do no harm.
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        assert child.stdin is not None
        child.stdin.write(token + b"\n")
        child.stdin.close()
        return cls(limits, child, listener, token)

    def box(self) -> Fresh:
        """The box, once it has connected.

        Raises:
            IsolationError: it did not come up.
        """
        try:
            self.listener.settimeout(START_LIMIT_S)
            connection, _ = self.listener.accept()
            first = frames.receive(connection, time.monotonic() + START_LIMIT_S).head
            if not secrets.compare_digest(str(first.get("token")).encode(), self.token):
                raise WireError("somebody else connected in the place of a box")
        except (OSError, WireError) as error:
            self.end()
            raise IsolationError(f"a box's subprocess did not come up: {error}") from error
        self.listener.close()
        return Fresh(connection, self.child, first["layers"])

    def end(self) -> None:
        """Give it up."""
        end(self.child)
        self.listener.close()


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill a subprocess and its session, and reap it."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


class Subprocesses:
    """Opens boxes as fresh subprocesses; one is always being started ahead."""

    def __init__(self) -> None:
        self._ahead: Starting | None = None
        self._layers: Mapping[str, str | None] | None = None

    @property
    def isolation(self) -> Isolation:
        """The layers in force and missing, as a box found them."""
        if self._layers is None:
            self.open(Limits(1.0, 1024)).kill()
        assert self._layers is not None
        in_force = [name for name, reason in self._layers.items() if reason is None]
        missing = [MissingLayer(name, reason) for name, reason in self._layers.items() if reason is not None]
        return Isolation((NAME, *in_force), tuple(missing))

    @property
    def counts_processor_time(self) -> bool:
        """No: every second on the wall counts."""
        return False

    @property
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation has to close and a plain subprocess leaves open."""
        return UNGUARDED

    def open(self, limits: Limits) -> Fresh:
        """A fresh box.

        Raises:
            IsolationError: the subprocess did not come up.
        """
        if self._ahead is not None and self._ahead.limits != limits:
            self._ahead.end()
            self._ahead = None
        box = (self._ahead or Starting.start(limits)).box()
        self._ahead = Starting.start(limits)
        self._layers = box.layers
        return box

    def hand_over(self) -> None:
        """Nothing to hand over: where there are no zygotes, no worker is forked."""

    def close(self) -> None:
        """End the process started ahead."""
        if self._ahead is not None:
            self._ahead.end()


def put_up(confinement: Confinement) -> dict[str, str | None]:
    """Apply the layers that a plain subprocess can have: None for each in force, else why it is not."""
    found: dict[str, str | None] = {}
    for layer in layers():
        found[layer.name] = None if layer.portable else ELSEWHERE
        if layer.portable:
            try:
                layer.warm(confinement)
                layer.inside(confinement)
            except Unavailable as reason:
                found[layer.name] = str(reason)
    return found


def main(port: int, memory_limit_mb: int, cpu_limit_s: int) -> None:
    """Be a box in a subprocess: apply the layers there are, connect to the judge, and serve."""
    from grader.sandbox.student import Inside
    from grader.sandbox.zygote import warm_up

    token = sys.stdin.readline().strip()
    stand_ins = warm_up()
    connection = socket.create_connection(("127.0.0.1", port))
    about: dict[str, Any] = {"token": token}
    about["layers"] = put_up(Confinement(memory_limit_mb, cpu_limit_s, keep_fds=(connection.fileno(),)))
    frames.send(connection, Frame(about))
    Inside(connection, stand_ins).serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
