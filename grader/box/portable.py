"""The portable base: each box a fresh subprocess, with limits where the platform has them.

For macOS and Windows, where a student runs their own code at their own desk. It protects the score, as every
box does: the truth never enters it. It does not protect the machine: such a box can read files and reach
the network as its owner can.
"""

from __future__ import annotations

import importlib.util
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from grader.box.box import START_LIMIT_S, Limits, clean_environment
from grader.box.layers import Confinement, Layer, Unavailable, layers
from grader.errors import IsolationError
from grader.scorecard import Isolation, MissingLayer

NAME = "subprocess"
ELSEWHERE = "boxes are plain subprocesses on this platform"
UNGUARDED = {
    "answers": "a plain subprocess can read every file its owner can",
    "network": "a plain subprocess can reach the network",
    "processes": "a plain subprocess can start others",
}


@dataclass
class Fresh:
    """A box in a subprocess of its own."""

    connection: socket.socket
    limits: Limits
    child: subprocess.Popen[bytes]

    def death(self) -> str:
        """Kill the process if it has not ended, and say how it ended."""
        from grader.box.box import ENDING_S, status_name

        try:
            status = self.child.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "killed"
        return status_name(status)

    def kill(self) -> None:
        """End the process, now."""
        self.child.kill()
        self.child.wait()
        self.connection.close()


class Subprocesses:
    """Opens boxes as fresh subprocesses; one is always being started ahead."""

    def __init__(self) -> None:
        self._ahead: tuple[Limits, _Started] | None = None

    @property
    def isolation(self) -> Isolation:
        """The layers in force and missing."""
        portable = [layer.name for layer in layers() if layer.portable and _works(layer)]
        missing = [MissingLayer(layer.name, ELSEWHERE) for layer in layers() if layer.name not in portable]
        return Isolation((NAME, *portable), tuple(missing))

    @property
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation would close and a plain subprocess leaves open."""
        return UNGUARDED

    def open(self, limits: Limits) -> Fresh:
        """A fresh box.

        Raises:
            IsolationError: the subprocess did not come up.
        """
        if self._ahead is not None and self._ahead[0] != limits:
            self._ahead[1].child.kill()
            self._ahead = None
        started = self._ahead[1] if self._ahead is not None else _Started.start(limits)
        self._ahead = (limits, _Started.start(limits))
        return started.connected(limits)

    def close(self) -> None:
        """End the process started ahead."""
        if self._ahead is not None:
            self._ahead[1].child.kill()
            self._ahead[1].child.wait()
            self._ahead[1].listener.close()


@dataclass(frozen=True)
class _Started:
    """A subprocess that will connect to a listener and show its token."""

    child: subprocess.Popen[bytes]
    listener: socket.socket
    token: bytes

    @classmethod
    def start(cls, limits: Limits) -> _Started:
        listener = socket.create_server(("127.0.0.1", 0))
        token = secrets.token_hex(16).encode()
        command = [sys.executable, "-I", "-B", "-m", __name__, str(listener.getsockname()[1])]
        command += [str(limits.memory_limit_mb), str(int(limits.time_limit_s * 60) + 1)]
        child = subprocess.Popen(
            command,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdin is not None
        child.stdin.write(token + b"\n")
        child.stdin.close()
        return cls(child, listener, token)

    def connected(self, limits: Limits) -> Fresh:
        self.listener.settimeout(START_LIMIT_S)
        try:
            connection, _ = self.listener.accept()
            if connection.recv(len(self.token), socket.MSG_WAITALL) != self.token:
                raise IsolationError("somebody else connected in the place of a box")
        except OSError as error:
            self.child.kill()
            raise IsolationError(f"a box's subprocess did not come up: {error}") from error
        finally:
            self.listener.close()
        return Fresh(connection, limits, self.child)


def _works(layer: Layer) -> bool:
    """Whether a portable layer can be had here; each of them needs POSIX's resource limits or nothing."""
    return layer.name != "rlimits" or importlib.util.find_spec("resource") is not None


def main(port: int, memory_limit_mb: int, cpu_limit_s: int) -> None:
    """Be a box in a subprocess: connect to the judge, put up what layers there are, and serve."""
    from grader.box.inside import Inside
    from grader.box.zygote import warm_up

    token = sys.stdin.readline().strip().encode()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(token)
    warm_up()
    confinement = Confinement(memory_limit_mb, cpu_limit_s, keep_fds=(connection.fileno(),))
    for layer in layers():
        if layer.portable:
            try:
                layer.warm(confinement)
                layer.inside(confinement)
            except Unavailable:
                continue  # the judge reports what is in force from its own knowledge of the platform
    Inside(connection).serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
