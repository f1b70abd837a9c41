"""The judge's side of the wire, against an other side that writes whatever it likes."""

from __future__ import annotations

import copy
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.checks.compare import compare
from grader.checks.oracle import ExpectedGradient
from grader.sandbox import frames, payload
from grader.sandbox.answers import Returned
from grader.sandbox.box import Box, BoxDied
from grader.sandbox.frames import BODY_LIMIT, HEAD_LIMIT, LENGTHS, Frame, Late, WireError
from grader.sandbox.process import Limits, how_it_died, status_name
from grader.sandbox.student import Inside
from grader.sandbox.usage import Usage

LIMITS = Limits(time_limit_s=5, memory_limit_mb=64)
HURRIED = Limits(time_limit_s=0.3, memory_limit_mb=64)
AMPLE_S = 5.0
"""A deadline for what is there at once."""

SOURCE = {"work.py": b"def dx(x, y=1):\n    print('hello')\n    return x * 2\n\ndef dz(x):\n    1 / 0\n"}
CASES = [{"x": torch.arange(6.0).view(2, 3)}, {"x": torch.ones(4)}]
QUICK = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

Script = Callable[[Frame], bytes | None]
"""What the other side writes in reply to a request; None closes the connection."""


class FakeProcess:
    """A box of threads: its other side writes what a script says."""

    def __init__(self, script: Script) -> None:
        self.connection, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, args=(script,))
        self._thread.start()

    def _serve(self, script: Script) -> None:
        try:
            while (written := script(frames.receive(self._far))) is not None:
                self._far.sendall(written)
        except (OSError, WireError):
            pass
        finally:
            self._far.close()

    can_kill_itself = False

    def usage(self) -> Usage | None:
        return None

    def death(self) -> str:
        self.kill()
        return "exit 0"

    def kill(self) -> None:
        if self.connection.fileno() >= 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()
        self._thread.join()


@contextmanager
def box(script: Script, limits: Limits = LIMITS) -> Iterator[Box]:
    with Box(FakeProcess(script), limits) as opened:
        yield opened


def raw(head: Any, body: bytes = b"") -> bytes:
    """A frame, whatever its head is."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Genuine:
    """What an honest box would reply to a request."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.close()
        self._inside = Inside(theirs)

    def __call__(self, request: Frame) -> tuple[dict[str, Any], bytes]:
        actions = {"load": self._inside._load, "call": self._inside._call}
        reply = actions[request.head["do"]](request)
        return {**reply.head, "id": request.head["id"], "output": "hello\n"}, reply.body

    def close(self) -> None:
        self._inside._connection.close()


@contextmanager
def tampered(tamper: Callable[[dict[str, Any], bytes], bytes]) -> Iterator[Box]:
    """A box whose replies are honest but for what is done to them on the way."""
    genuine = Genuine()
    with box(lambda request: tamper(*genuine(request))) as opened:
        yield opened
    genuine.close()


def outcome_of(opened: Box) -> object:
    """Load and call, and see that nothing but an answer or the box's death comes of it; neither scores."""
    try:
        stubs, _, _ = opened.load(SOURCE, ["dx", "dz"])
        assert set(stubs) <= {"dx", "dz"}
        reply = opened.call("dx", CASES)
        assert 0 < len(reply.answers) <= len(CASES)
        for answer in reply.answers:
            assert_plain(compare(answer, TRUTH))
        return reply
    except BoxDied as death:
        return death


TRUTH = ExpectedGradient(
    torch.full((2, 3), 0.1234567, dtype=torch.float64), torch.full((2, 3), 0.1234567), 1e-7
)
"""What nobody sends by chance."""


def assert_plain(verdict: Any) -> None:
    """No answer was taken for right, and what is said of it can be written down."""
    assert not verdict.outcome.scores
    assert all(type(size) is int and 0 <= size < 2**63 for size in verdict.found_shape or ())
    fault = verdict.failure.fault if verdict.failure else None
    if fault is not None:
        assert fault.type
        assert fault.line is None or (type(fault.line) is int and fault.line > 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [10**400, -1, 0, 2**63, 2**64, math.inf, -math.inf, math.nan, 1e308, "", "\ud800", "exact"]
    )
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
KEYS = (
    *("raised", "other", "items", "numbers", "tensor", "shape", "dtype", "kind", "type", "message", "line"),
    *("traceback", "progress", "id", "output", "stubs", "answers", "after", "taken", "name", "parameters"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything that stands in a JSON value."""
    if path:
        yield path
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in pairs:
        yield from places(item, (*path, key))


def plain(head: Mapping[str, Any]) -> dict[str, Any]:
    """A head as it comes out of JSON: of lists and dictionaries that can be changed."""
    changed: dict[str, Any] = json.loads(json.dumps(head))
    return changed


@given(st.dictionaries(st.text(), JSON), st.binary(max_size=1000))
def test_a_frame_comes_back_as_it_was(head: dict[str, Any], body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send(ours, Frame(head, body))
        received = frames.receive(theirs, time.monotonic() + AMPLE_S)
    assert json.dumps(received.head) == json.dumps(json.loads(json.dumps(head)))
    assert received.body == body


@QUICK
@given(st.binary(max_size=300))
def test_noise_is_no_frame(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(noise)
        theirs.close()
        with suppress(WireError):
            assert isinstance(frames.receive(ours, time.monotonic() + AMPLE_S).head, dict)


def test_a_frame_too_large_is_not_read() -> None:
    for lengths in ((HEAD_LIMIT + 1, 0), (2, BODY_LIMIT + 1), (2**32 - 1, 2**32 - 1)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(LENGTHS.pack(*lengths))
            with pytest.raises(WireError, match="too large"):
                frames.receive(ours, time.monotonic() + AMPLE_S)


def test_a_frame_too_large_is_not_sent() -> None:
    with pytest.raises(WireError, match="too large"):
        Frame({}, bytes(BODY_LIMIT + 1)).encode()


@pytest.mark.parametrize("written", [b"", b"\x05", LENGTHS.pack(9, 9), LENGTHS.pack(2, 5) + b"{}abcd"])
def test_silence_ends_by_the_deadline(written: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(written)
        with pytest.raises(Late):
            frames.receive(ours, time.monotonic() + 0.1)


def test_one_byte_at_a_time_ends_by_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        # It stops long after the deadline, however slow the machine, so that a reader who waits fails here
        # for another reason than `Late`, and does not hang.
        theirs.sendall(LENGTHS.pack(HEAD_LIMIT, 0))
        for _ in range(1000):
            if over.wait(0.01):
                break
            theirs.sendall(b" ")
        theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=drip)
    with ours, theirs:
        thread.start()
        try:
            with pytest.raises(Late):
                frames.receive(ours, time.monotonic() + 0.3)
        finally:
            over.set()
            thread.join()


def test_who_does_not_read_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Late):
        frames.send(ours, Frame({}, bytes(1 << 24)), time.monotonic() + 0.2)


def test_an_honest_reply_is_understood() -> None:
    with tampered(lambda head, body: raw(head, body)) as opened:
        stubs, failed, output = opened.load(SOURCE, ["dx", "dz"])
        assert (set(stubs), failed, output) == ({"dx", "dz"}, None, "hello\n")
        answers = opened.call("dx", CASES).answers
    assert [a.tensor.tolist() for a in answers if isinstance(a, Returned)] == [
        [[0, 2, 4], [6, 8, 10]],
        [2] * 4,
    ]


CHANGES = ("replace", "remove", "wrap", "add")
TAMPERING = st.lists(
    st.tuples(
        st.integers(0, 2**16),
        st.sampled_from(["replace", "remove", "wrap", "add"]),
        st.sampled_from(KEYS),
        JSON,
    ),
    min_size=1,
    max_size=3,
)
SPOILING = st.lists(
    st.tuples(
        st.integers(0, 2**16), st.sampled_from(["flip", "cut", "insert"]), st.binary(min_size=1, max_size=40)
    ),
    min_size=1,
    max_size=8,
)


@QUICK
@given(TAMPERING)
def test_any_value_in_any_place_of_a_reply(changes: list[tuple[int, str, str, Any]]) -> None:
    def tamper(head: dict[str, Any], body: bytes) -> bytes:
        changed = plain(head)
        for number, action, name, value in changes:
            found = list(places(changed)) or [("id",)]
            *way, last = found[number % len(found)]
            holder = changed
            for key in way:
                holder = holder[key]
            if action == "replace":
                holder[last] = value
            elif action == "wrap":
                holder[last] = {
                    name: copy.deepcopy(holder.get(last) if isinstance(holder, dict) else holder[last])
                }
            elif action == "add" and isinstance(holder, dict):
                holder[name] = value
            elif isinstance(holder, list) or last in holder:
                del holder[last]
        return raw(changed, body)

    with tampered(tamper) as opened:
        outcome_of(opened)


@QUICK
@given(SPOILING)
def test_any_byte_of_a_reply(changes: list[tuple[int, str, bytes]]) -> None:
    def spoil(head: dict[str, Any], body: bytes) -> bytes:
        written = bytearray(raw(head, body))
        for number, action, noise in changes:
            place = number % (len(written) or 1)
            if action == "insert":
                written[place:place] = noise
            elif action == "cut":
                del written[place : place + len(noise)]
            elif written:
                written[place] ^= noise[0] or 1
        return bytes(written)

    genuine = Genuine()
    with box(lambda request: spoil(*genuine(request)), HURRIED) as opened:
        outcome_of(opened)
    genuine.close()


LONG = b"9" * 4000
HEADS = {
    "nothing": b"",
    "no object": b"[]",
    "a number": b"7",
    "null": b"null",
    "no JSON": b"{",
    "no UTF-8": b'{"id":"\xff"}',
    "UTF-16": '{"id":1}'.encode("utf-16"),
    "deep": b"[" * 500_000,
    "deep objects": b'{"a":' * 150_000,
    "a long number": b'{"a":' + LONG * 100 + b"}",
    "many long numbers": b'{"a":[' + b",".join([LONG] * 200) + b"]}",
    "NaN": b'{"id":NaN,"output":Infinity}',
    "a lone surrogate": b'{"id":"\\ud800"}',
    "two ids": b'{"id":1,"id":2}',
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_is_none(head: bytes) -> None:
    with box(lambda request: raw(head)) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


@pytest.mark.parametrize("number", ["", "0" * 16, 0, None, [], {}, True])
def test_a_reply_with_another_number_answers_nothing(number: object) -> None:
    with tampered(lambda head, body: raw({**head, "id": number}, body)) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


def test_a_reply_without_a_number_answers_nothing() -> None:
    with box(lambda request: raw({"output": "", "stubs": []})) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


def test_the_reply_to_an_earlier_request_answers_nothing() -> None:
    genuine, first = Genuine(), []

    def replay(request: Frame) -> bytes:
        first.append(raw(*genuine(request)))
        return first[0]

    with box(replay) as opened:
        assert opened.load(SOURCE, ["dx"])[0]
        with pytest.raises(BoxDied):
            opened.call("dx", CASES)
    genuine.close()


@pytest.mark.parametrize("count", [0, 3, 1000])
def test_a_wrong_number_of_answers_is_refused(count: int) -> None:
    def tamper(head: dict[str, Any], body: bytes) -> bytes:
        several = {
            key: value[:1] * count
            for key, value in head.items()
            if isinstance(value, list) and key != "stubs"
        }
        return raw({**head, **several}, body)

    with tampered(tamper) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


def entry(shape: list[Any], *offsets: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def one(shape: list[Any], *offsets: int, data: int = 24) -> bytes:
    """A body of one tensor."""
    return safetensors({"0.0": entry(shape, *offsets), "0": entry(shape, *offsets)}, bytes(data))


SHORT = b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
LONGER = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
TWICE = b'{"0":' + SHORT + b',"0":' + LONGER + b"}"
BODIES = {
    "noise": b"noise",
    "a header that never ends": b"\xff" * 8,
    "no JSON": safetensors(b"{{{{"),
    "deep": safetensors(b'{"a":' + b"[" * 100_000),
    "nothing in it": safetensors({}),
    "words": safetensors({"__metadata__": {"score": "26"}}),
    "bad words": safetensors({"__metadata__": {"a": 1}}),
    "too little data": safetensors({"0": entry([2, 3], 0, 24)}, bytes(23)),
    "too much data": safetensors({"0": entry([2, 3], 0, 24)}, bytes(25)),
    "overlapping": one([2, 3], 0, 24),
    "offsets from before": safetensors({"0": entry([2, 3], -24, 0)}, bytes(24)),
    "offsets the wrong way": safetensors({"0": entry([2, 3], 24, 0)}, bytes(24)),
    "one offset": safetensors({"0": entry([2, 3], 24)}, bytes(24)),
    "a negative size": safetensors({"0": entry([-2, -3], 0, 24)}, bytes(24)),
    "a size of nothing": safetensors({"0": entry([0], 0, 0)}),
    "sizes that overflow": safetensors({"0": entry([2**32, 2**32], 0, 0)}),
    "nothing, enormously": safetensors({"0": entry([0, 2**62], 0, 0)}),
    "nothing, beyond measure": safetensors({"0": entry([0, 2**64 - 1], 0, 0)}),
    "a size that is no number": safetensors({"0": entry(["2", 3], 0, 24)}, bytes(24)),
    "a scalar": safetensors({"0": entry([], 0, 4)}, bytes(4)),
    "a hundred dimensions": safetensors({"0": entry([1] * 100 + [2, 3], 0, 24)}, bytes(24)),
    "ten thousand dimensions": safetensors({"0": entry([1] * 10_000 + [2, 3], 0, 24)}, bytes(24)),
    "a hundred thousand tensors": safetensors({str(i): entry([0], 0, 0) for i in range(100_000)}),
    "a name twice": safetensors(TWICE, bytes(8)),
}
SIZES = {
    1: (
        "F8_E4M3",
        "F8_E5M2",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "I8",
        "BOOL",
    ),
    2: ("F16", "BF16", "I16", "U16"),
    4: ("F32", "I32", "X9"),
    8: ("F64", "I64", "U64", "C64"),
}
BODIES |= {
    f"{name} of {byte:#x}": safetensors(
        {"0": entry([2, 3], 0, 6 * size, dtype=name)}, bytes([byte]) * 6 * size
    )
    for size, names in SIZES.items()
    for name in names
    for byte in (0, 0xFF)
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_odd(body: bytes) -> None:
    with tampered(lambda head, _: raw(first_only(head), body if "answers" in head else b"")) as opened:
        outcome_of(opened)


DESCRIPTIONS = [
    *(
        {"dtype": "int64", "shape": [size]}
        for size in (math.inf, math.nan, -1, 2**70, 10**400, True, "3", None, 1.5)
    ),
    *({"dtype": "int64", "shape": shape} for shape in (None, 3, {}, {"0": 1}, [[]], "33", [2] * 100_000)),
    *({"dtype": dtype, "shape": [2, 3]} for dtype in (None, 7, [], "", "\ud800", "float32")),
    *({"tensor": key} for key in ("1", "", None, 0, [], {})),
    *({"other": "list", "numbers": key} for key in ("1", None, [])),
    *({"other": "list", "items": items} for items in (None, 3, {}, "x", [None], [{}], [{"other": 1}])),
    *({"other": other} for other in (None, 1, [], "", "\x00\x1b[2J\ud800")),
    *(None, 1, [], "raised", ["other"], {}),
]


@pytest.mark.parametrize("about", DESCRIPTIONS, ids=lambda about: repr(about)[:40])
def test_an_answer_described_oddly(about: object) -> None:
    with tampered(lambda head, body: raw(described(head, about), body)) as opened:
        outcome_of(opened)


RAISED = {"kind": "error", "type": "ValueError", "message": "m", "line": 1, "traceback": ["t"]}
ODDITIES = (
    None,
    "",
    0,
    -1,
    10**400,
    True,
    math.inf,
    1.5,
    [],
    {},
    ["a"] * 99,
    [None],
    "x" * 5000,
    "\ud800",
    "exact",
)


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: repr(oddity)[:20])
@pytest.mark.parametrize("key", RAISED)
def test_an_exception_described_oddly(key: str, oddity: object) -> None:
    with tampered(
        lambda head, body: raw(described(head, {"raised": {**RAISED, key: oddity}}), body)
    ) as opened:
        outcome_of(opened)


@pytest.mark.parametrize("line", [-1, 0, True, math.inf, 10**400, "1", None, [], 1.5])
def test_a_line_that_is_none(line: object) -> None:
    def tamper(head: dict[str, Any], body: bytes) -> bytes:
        return raw({**head, "stubs": [{**stub, "line": line} for stub in head["stubs"]]}, body)

    with tampered(tamper) as opened:
        stubs, _, _ = opened.load(SOURCE, ["dx", "dz"])
    assert [stub.line for stub in stubs.values()] == [None, None]


def first_only(head: dict[str, Any]) -> dict[str, Any]:
    """A reply to a call, cut down to its first case."""
    return {
        key: value[:1] if isinstance(value, list) and "answers" in head else value
        for key, value in head.items()
    }


def described(head: dict[str, Any], about: object) -> dict[str, Any]:
    """A reply to a call whose one answer is described in these words."""
    return {**first_only(head), "answers": [about]} if "answers" in head else head


@QUICK
@given(st.binary(max_size=200) | st.builds(safetensors, JSON, st.binary(max_size=64)))
def test_a_body_of_noise_is_tensors_or_refused(body: bytes) -> None:
    with suppress(WireError):
        assert all(isinstance(tensor, torch.Tensor) for tensor in payload.unpack(body).values())


def test_a_flood_of_progress_ends_by_the_deadline() -> None:
    def flood(request: Frame) -> bytes:
        return raw({"id": request.head["id"], "progress": 1, "after": {}}) * 2000

    with box(flood, HURRIED) as opened, pytest.raises(BoxDied):
        opened.call("dx", CASES)


@pytest.mark.parametrize("step", [math.inf, math.nan, -1, "1", None, True, [], 10**400])
def test_progress_that_is_no_number_is_refused(step: object) -> None:
    with box(lambda request: raw({"id": request.head["id"], "progress": step})) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


def test_a_closed_connection_is_a_death() -> None:
    with box(lambda request: None) as opened:
        assert isinstance(outcome_of(opened), BoxDied)


@pytest.mark.parametrize("code", [*range(-64, 0), 0, 1, 255])
def test_every_end_of_a_process_has_words(code: int) -> None:
    outcome, words = how_it_died(status_name(code))
    assert words
    assert not outcome.scores
