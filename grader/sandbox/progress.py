"""Report how far a training has come while it runs, and stop it when the judge says so.

A timer looks ten times a second: a step costs nothing, and even a step that never ends is reported by its number.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Mapping
from types import FrameType
from typing import Any, Self

from torch import Tensor

from grader.sandbox import frames, payload, values
from grader.sandbox.batches import Batches
from grader.sandbox.frames import Frame, WireError

INTERVAL_S = 0.1

Kept = Mapping[str, Any]
"""Arguments by name that are looked at while the call runs."""


class Reports:
    """Sends reports of one call for as long as it runs; none if it is handed no batches.

    Args:
        connection: where they are sent.
        request: the head of the request they belong to; with ``watch``, each carries what the kept arguments
            hold at the time.
        arguments: what the function is called with.
        kept: those of them that its reports may carry.
    """

    def __init__(
        self, connection: socket.socket, request: Mapping[str, Any], arguments: Kept, kept: Kept
    ) -> None:
        self._connection = connection
        self._request = request
        self._kept = kept
        # By exact type: a check against an abstract class takes ten times as long for each argument.
        self._batches = next((value for value in arguments.values() if type(value) is Batches), None)
        self._told = 0

    @property
    def taken(self) -> int | None:
        """How many batches have been taken, None where there are none to take."""
        return self._batches.taken if self._batches is not None else None

    def __enter__(self) -> Self:
        if self._batches is not None and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._tick)
            signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._batches is not None and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        assert self._batches is not None
        # Whatever the judge sends while a call runs means stop, and so does its absence.
        with contextlib.suppress(BlockingIOError):
            self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            self._batches.stop()
        if self._batches.taken != self._told:
            self._told = self._batches.taken
            with contextlib.suppress(WireError):
                frames.send(self._connection, self._frame())

    def _frame(self) -> Frame:
        tensors: dict[str, Tensor] = {}
        head: dict[str, Any] = {"id": self._request["id"], "progress": self._told}
        if self._request["watch"]:
            describer = values.Describer(tensors)
            head["after"] = {name: describer.describe(value, name) for name, value in self._kept.items()}
        return Frame(head, payload.pack(tensors) if tensors else b"")
