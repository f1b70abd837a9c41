"""The wire between judge and box: frames of a JSON head and a body of bytes.

    4 bytes  length of the head, little-endian
    4 bytes  length of the body
    head     one JSON object, UTF-8
    body     raw bytes: source files on the way in, safetensors both ways

Both ends use this module. The judge reads what hostile code may have written: every length is bounded
before a byte is allocated, nothing is unpickled, and whatever breaks the form is a :class:`WireError`.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

LENGTHS = struct.Struct("<II")
HEAD_LIMIT = 1 << 20
BODY_LIMIT = 64 << 20
"""Bytes; a stub's answers are far smaller, its source and inputs too."""


T = TypeVar("T")

_encode = json.JSONEncoder(separators=(",", ":")).encode


class WireError(Exception):
    """The other end closed the connection or sent something that is not a frame."""


class Late(WireError):
    """The deadline passed before a whole frame had come."""


class Timer(Protocol):
    """A deadline that may move while it is waited for."""

    def left(self) -> float:
        """Seconds to wait before this is asked again; none when time is up."""


Deadline = float | Timer | None
"""A moment on ``time.monotonic()``'s clock, or a timer; None waits for ever."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    head: Mapping[str, Any]
    body: bytes = field(default=b"", repr=False)

    @cached_property
    def text(self) -> str:
        """The head as JSON."""
        return _encode(self.head)

    def numbered(self, number: str) -> Frame:
        """This frame with a number, which its reply must carry; nothing else is put into words again."""
        numbered = Frame({**self.head, "id": number}, self.body)
        vars(numbered)["text"] = f"{self.text[:-1]},{_encode({'id': number})[1:]}"
        return numbered

    def encode(self) -> bytes:
        """This frame as bytes.

        Raises:
            WireError: it is larger than the limits allow.
        """
        # Most frames are sent once: only what was put into words before is looked up.
        head = (vars(self).get("text") or _encode(self.head)).encode()
        if len(head) > HEAD_LIMIT or len(self.body) > BODY_LIMIT:
            raise WireError(f"a frame of {len(head)} + {len(self.body)} bytes is too large to send")
        return LENGTHS.pack(len(head), len(self.body)) + head + self.body


def send(connection: socket.socket, frame: Frame, deadline: Deadline = None) -> None:
    """Send one frame.

    Args:
        connection: a stream socket.
        frame: what to send.
        deadline: until when the other end has to have taken it.

    Raises:
        Late: the other end did not take it in time.
        WireError: the other end is gone.
    """
    rest = memoryview(frame.encode())
    try:
        while rest:
            rest = rest[_in_time(partial(connection.send, rest), connection, deadline) :]
    except TimeoutError as error:
        raise Late("the frame was not taken in time") from error
    except OSError as error:
        raise WireError(f"the connection is gone: {error}") from error


def receive(connection: socket.socket, deadline: Deadline = None) -> Frame:
    """Read one frame.

    Raises:
        Late: it had not come whole by the deadline.
        WireError: the other end is gone, or what came is not a frame.
    """
    head_length, body_length = LENGTHS.unpack(_exactly(connection, LENGTHS.size, deadline))
    if head_length > HEAD_LIMIT or body_length > BODY_LIMIT:
        raise WireError(f"a frame of {head_length} + {body_length} bytes is too large to be one")
    rest = _exactly(connection, head_length + body_length, deadline)
    try:
        head = json.loads(rest[:head_length])
    except (ValueError, RecursionError) as error:
        raise WireError("the head of a frame is not JSON") from error
    if not isinstance(head, dict):
        raise WireError("the head of a frame is not a JSON object")
    return Frame(head, bytes(rest[head_length:]))


def _exactly(connection: socket.socket, length: int, deadline: Deadline) -> bytes | bytearray:
    try:
        first = _part(connection, length, deadline)
        if len(first) == length:
            return first
        received = bytearray(first)
        while len(received) < length:
            received += _part(connection, length - len(received), deadline)
    except TimeoutError as error:
        raise Late("no answer in time") from error
    except OSError as error:
        raise WireError(f"the connection is gone: {error}") from error
    return received


def _part(connection: socket.socket, length: int, deadline: Deadline) -> bytes:
    if not length:
        return b""
    part = _in_time(partial(connection.recv, min(length, 1 << 20)), connection, deadline)
    if not part:
        raise WireError("the connection was closed")
    return part


def _in_time(act: Callable[[], T], connection: socket.socket, deadline: Deadline) -> T:
    """Send or receive, and try again for as long as there is time left when a wait comes to its end."""
    while True:
        _limit(connection, deadline)
        try:
            return act()
        except TimeoutError:
            if deadline is None:
                raise


def _limit(connection: socket.socket, deadline: Deadline) -> None:
    """Have the connection wait as long as the deadline says, and no longer."""
    if deadline is None:
        left = None
    else:
        left = deadline - time.monotonic() if isinstance(deadline, float | int) else deadline.left()
        if left <= 0:
            raise TimeoutError
    if left != connection.gettimeout():  # to say so takes a system call each time
        connection.settimeout(left)
