"""Frames on a connection that does exactly as it is told: limits, parts, waits."""

from __future__ import annotations

from typing import Any, cast

import pytest

from grader.sandbox import frames
from grader.sandbox.frames import BODY_LIMIT, HEAD_LIMIT, LENGTHS, Frame, Late, WireError


class Connection:
    """A stream of prepared parts.

    Args:
        parts: what ``recv`` returns or raises, one after the other.
        takes: how many bytes ``send`` takes each time, or what it raises.
        timeout: what the connection waits to begin with.
    """

    def __init__(
        self,
        parts: list[bytes | OSError] | None = None,
        takes: list[int | OSError] | None = None,
        timeout: float | None = None,
    ) -> None:
        self.parts = parts or []
        self.takes = takes or []
        self.timeout = timeout
        self.asked: list[int] = []
        self.sent = b""
        self.set: list[float | None] = []

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        part = self.parts.pop(0)
        if isinstance(part, OSError):
            raise part
        assert len(part) <= size
        return part

    def send(self, data: memoryview) -> int:
        size = self.takes.pop(0) if self.takes else len(data)
        if isinstance(size, OSError):
            raise size
        self.sent += bytes(data[:size])
        return min(size, len(data))

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        self.set.append(timeout)
        self.timeout = timeout


class Moving:
    """A timer that says each of these once."""

    def __init__(self, *lefts: float) -> None:
        self.lefts = list(lefts)

    def left(self) -> float:
        return self.lefts.pop(0)


def receive(connection: Connection, deadline: Any = None) -> Frame:
    return frames.receive(cast(Any, connection), deadline)


def send(connection: Connection, frame: Frame, deadline: Any = None) -> None:
    frames.send(cast(Any, connection), frame, deadline)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is always 100 s."""
    monkeypatch.setattr("grader.sandbox.frames.time.monotonic", lambda: 100.0)


def test_the_bytes_of_a_frame_are_agreed_on() -> None:
    """Both ends use them, and programs of other versions may be one of the ends."""
    assert Frame({"a": [1, "é"]}, b"xyz").encode() == b'\x12\0\0\0\x03\0\0\0{"a":[1,"\\u00e9"]}xyz'
    assert Frame({"a": 1, "b": 2}).text == '{"a":1,"b":2}'
    assert Frame({}).body == b""
    assert (HEAD_LIMIT, BODY_LIMIT) == (1_048_576, 67_108_864)


def test_a_body_is_not_shown() -> None:
    """A log of frames stays short."""
    assert repr(Frame({}, b"a body")) == "Frame(head={})"


def test_a_number_is_added_without_encoding_the_rest_again(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Frame({"do": "call", "n": [1]}, b"body")
    assert frame.text == '{"do":"call","n":[1]}'
    encoded = []
    encode = frames._encode
    monkeypatch.setattr(frames, "_encode", lambda value: encoded.append(value) or encode(value))
    numbered = frame.numbered("7")
    assert numbered.encode()[LENGTHS.size :] == b'{"do":"call","n":[1],"id":"7"}body'
    assert encoded == [{"id": "7"}]
    assert numbered == Frame({"do": "call", "n": [1], "id": "7"}, b"body")
    assert frame.head == {"do": "call", "n": [1]}


def head_of(length: int) -> dict[str, str]:
    """A head of so many bytes of JSON."""
    return {"a": "x" * (length - len('{"a":""}'))}


def test_a_frame_as_large_as_may_be_is_sent() -> None:
    assert len(Frame(head_of(HEAD_LIMIT), bytes(BODY_LIMIT)).encode()) == 8 + HEAD_LIMIT + BODY_LIMIT


@pytest.mark.parametrize(("head", "body"), [(HEAD_LIMIT + 1, 0), (10, BODY_LIMIT + 1)])
def test_a_frame_one_byte_too_large_is_not_sent(head: int, body: int) -> None:
    with pytest.raises(WireError, match=rf"^a frame of {head} \+ {body} bytes is too large to send$"):
        Frame(head_of(head), bytes(body)).encode()


@pytest.mark.parametrize(("head", "body"), [(HEAD_LIMIT, 0), (2, BODY_LIMIT)])
def test_a_frame_as_large_as_may_be_is_read(head: int, body: int) -> None:
    """Its lengths are believed: it is only then found to be cut off."""
    connection = Connection([LENGTHS.pack(head, body), b""])
    with pytest.raises(WireError, match=r"^the connection was closed$"):
        receive(connection)


@pytest.mark.parametrize(
    ("head", "body"), [(HEAD_LIMIT + 1, 0), (2, BODY_LIMIT + 1), (2**32 - 1, 2), (2, 2**32 - 1)]
)
def test_a_frame_one_byte_too_large_is_not_read(head: int, body: int) -> None:
    connection = Connection([LENGTHS.pack(head, body)])
    with pytest.raises(WireError, match=rf"^a frame of {head} \+ {body} bytes is too large to be one$"):
        receive(connection)
    assert connection.asked == [8]


def test_a_frame_comes_in_parts() -> None:
    whole = Frame({"a": 1}, b"body").encode()
    connection = Connection([whole[:3], whole[3:8], whole[8:11], whole[11:12], whole[12:]])
    received = receive(connection)
    assert (received.head, received.body, type(received.body)) == ({"a": 1}, b"body", bytes)
    assert connection.asked == [8, 5, 11, 8, 7]


def test_no_more_than_a_mebibyte_is_asked_for_at_once() -> None:
    """What is asked for is allocated, before anything has come."""
    mebibyte = 1 << 20
    connection = Connection([LENGTHS.pack(2, mebibyte), b"{}" + bytes(mebibyte - 2), b"ab"])
    assert receive(connection).body == bytes(mebibyte - 2) + b"ab"
    assert connection.asked == [8, mebibyte, 2]


def test_an_empty_frame_is_not_waited_for() -> None:
    """Its head is no JSON, and there is nothing to read."""
    connection = Connection([LENGTHS.pack(0, 0)])
    with pytest.raises(WireError, match="is not JSON"):
        receive(connection)
    assert connection.asked == [8]


@pytest.mark.parametrize(
    ("head", "said"), [(b"{", "is not JSON"), (b"[]", "is not a JSON object"), (b"null", "not a JSON object")]
)
def test_what_is_wrong_with_a_head_is_said(head: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        receive(Connection([LENGTHS.pack(len(head), 0), head]))


def test_a_frame_goes_in_parts() -> None:
    frame = Frame({"a": 1}, b"body")
    connection = Connection(takes=[1, 4, 2])
    send(connection, frame)
    assert connection.sent == frame.encode()


@pytest.mark.usefixtures("clock")
def test_a_wait_is_as_long_as_what_is_left() -> None:
    """The system is told when that changes, and only then."""
    connection = Connection([LENGTHS.pack(2, 1), b"{", b"}", b"x"])
    assert receive(connection, 102.5).body == b"x"
    assert connection.set == [2.5]
    connection.parts = [LENGTHS.pack(2, 0), b"{}"]
    receive(connection)
    assert connection.set == [2.5, None]
    connection.parts = [LENGTHS.pack(2, 0), b"{}"]
    receive(connection, 101)
    assert connection.set == [2.5, None, 1.0]
    send(connection, Frame({}), 104.0)
    assert connection.set == [2.5, None, 1.0, 4.0]


@pytest.mark.usefixtures("clock")
def test_half_a_second_is_left() -> None:
    connection = Connection([LENGTHS.pack(2, 0), b"{}"])
    assert receive(connection, 100.5).head == {}
    assert connection.set == [0.5]


def test_a_wait_that_ends_early_is_taken_up_again() -> None:
    """The deadline may have moved meanwhile."""
    connection = Connection([TimeoutError(), LENGTHS.pack(2, 0), TimeoutError(), TimeoutError(), b"{}"])
    assert receive(connection, Moving(1, 2, 3, 4, 5)).head == {}
    assert connection.set == [1, 2, 3, 4, 5]
    connection = Connection(takes=[TimeoutError(), 3, TimeoutError()])
    send(connection, Frame({}), Moving(1, 1, 1, 1))
    assert connection.sent == Frame({}).encode()
    assert connection.set == [1]


@pytest.mark.parametrize("last", [0, -1])
def test_a_timer_says_when_time_is_up(last: int) -> None:
    with pytest.raises(Late, match=r"^no answer in time$"):
        receive(Connection([TimeoutError(), b"never"]), Moving(1, last))
    connection = Connection(takes=[TimeoutError()])
    with pytest.raises(Late, match=r"^the frame was not taken in time$"):
        send(connection, Frame({}), Moving(1, last))
    assert connection.sent == b""


def test_a_wait_without_a_deadline_ends_with_the_connection_s_own() -> None:
    """Who asks for no deadline and has one all the same is told, not kept."""
    with pytest.raises(Late, match="no answer"):
        receive(Connection([TimeoutError(), b"never"]))
    with pytest.raises(Late, match="not taken"):
        send(Connection(takes=[TimeoutError()]), Frame({}))


def test_a_connection_that_is_gone_is_said_to_be() -> None:
    gone = r"^the connection is gone: broken$"
    for parts in ([OSError("broken")], [b"\2", OSError("broken")]):
        with pytest.raises(WireError, match=gone) as caught:
            receive(Connection(list(parts)))
        assert not isinstance(caught.value, Late)
    with pytest.raises(WireError, match=gone) as caught:
        send(Connection(takes=[3, OSError("broken")]), Frame({}))
    assert not isinstance(caught.value, Late)
