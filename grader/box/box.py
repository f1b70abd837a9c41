"""The judge's side of a box: how student code is reached, and how it is kept apart.

Theory of operation
===================

Three parties::

    judge    trusted: draws the cases, knows the truth, writes the score
    zygote   trusted: imported torch once; knows no case and no truth; forks boxes
    box      hostile: one submission's code

What each may know. The zygote is started with a clean environment before the judge has drawn or computed
anything, and is told only what to hide and how much a box may use. A box gets the submission's source, and
per stub the forward values that stub asks for and the true gradients nearer to the loss. It is *never* sent
the truth of a gradient it has still to be asked for: see :mod:`grader.sitting` for which stubs share a box, and
in which order they are asked.

What crosses. Frames (see :mod:`grader.box.frames`) of JSON and safetensors. Nothing is unpickled, and of what
comes back only the bytes of tensors can earn a point; the rest is words for the student. A reply must carry
the random number of its request, so that a frame written ahead of time answers nothing.

In which order. ``load`` (a file → which stubs there are, what each asks for), then one ``call`` per stub with
all its cases; other files may be loaded between. The judge sets a deadline for each. Before its reply to a call
that trains, a box may send ``progress`` frames, which are words, too; the judge may send ``stop``, which ends the
batches early.

Who kills whom. The judge kills a box through its pidfd, from outside, when a deadline passes or the protocol
is broken, and always when it is done; the zygote reaps it and reports how it died. A box killed in one stub
costs that stub only: the next is asked in a fresh one. If the judge dies, the zygote sees its control close
and ends, and every box with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from grader.answers import (
    Answer,
    Called,
    Described,
    Failed,
    Numbers,
    Other,
    Parameter,
    Returned,
    Several,
    Stub,
)
from grader.box import frames
from grader.box.frames import Frame, Late, WireError
from grader.errors import IsolationError
from grader.recent import Recent
from grader.scorecard import Fault, Isolation, MissingLayer, Outcome

if TYPE_CHECKING:
    from torch import Tensor

START_LIMIT_S = 120.0
"""How long a zygote may take to import torch on a slow, cold machine."""

ENDING_S = 0.5
"""How long a box that closed its connection is given to end by itself, so that its status tells why."""

DIMENSIONS_LIMIT = 64
"""torch itself can do little with a tensor of more."""

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")

NUMBERS_END = 2**53
"""Whole numbers from the other side are smaller, so that every reader of JSON keeps them as they are."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PASSED_ON = ("LD_LIBRARY_PATH", "SYSTEMROOT", "PATH", "TMPDIR", "TEMP", "TMP")
"""What a box's interpreter may need of the environment; the rest is nobody's business."""


@dataclass(frozen=True)
class Limits:
    """What one box may use."""

    time_limit_s: float
    memory_limit_mb: int


@dataclass(frozen=True)
class Source:
    """A submission's file for one exercise, and the modules beside it, as bytes by file name."""

    filename: str
    content: bytes = field(repr=False)
    helpers: Mapping[str, bytes] = field(default_factory=dict, repr=False)


Arguments = Mapping[str, Any]
"""What a function is called with in one case, by parameter name: tensors, numbers, lists of them, batches."""


Content = tuple[str, bytes]
"""What came back from a function: the words of its reply and its bytes, which tell two replies apart."""

ANSWERS_KEPT = 32
"""Of one function, the latest replies that are kept: right answers agree bit for bit in a few ways."""

KEPT_BYTES = 1 << 16
"""A longer reply is not kept; those of a right function are shorter."""


class Calls(tuple[Arguments, ...]):
    """Every call of one function: what it is called with, packed once and sent to any number of boxes."""

    @cached_property
    def replies(self) -> Recent[Content, tuple[Called, ...]]:
        """What was read out of earlier replies: the same words and bytes say the same."""
        return Recent(ANSWERS_KEPT)

    def request(self, of: str, function: str, after: tuple[str, ...], watch: bool) -> Frame:
        """The request that asks a box for them; see :meth:`Box.call`."""
        key = (of, function, after, watch)
        if key not in self._requests:
            cases, body = self.packed
            head = {"do": "call", "of": of, "function": function, "cases": cases}
            self._requests[key] = Frame({**head, "after": after, "watch": watch}, body)
        return self._requests[key]

    @cached_property
    def _requests(self) -> dict[tuple[str, str, tuple[str, ...], bool], Frame]:
        return {}

    @cached_property
    def packed(self) -> tuple[Sequence[Mapping[str, Any]], bytes]:
        """The description of each call, and the tensors of all of them."""
        from grader.box import payload, trees

        tensors: dict[str, Tensor] = {}
        described = [
            {name: trees.pack(value, f"{number}.{name}", tensors) for name, value in arguments.items()}
            for number, arguments in enumerate(self)
        ]
        return described, payload.pack(tensors)


@dataclass(frozen=True)
class Reply:
    """What came back from one function: an answer per case (fewer after an exception), and its output.

    ``content`` is all that came back, as it came. It is None for a reply that is too long to be met again, or that
    tells what its arguments were left as.
    """

    called: tuple[Called, ...]
    output: str | None
    seconds: float
    content: Content | None = None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What was returned, case by case."""
        return tuple(called.answer for called in self.called)


@dataclass(frozen=True)
class Progress:
    """How far a call that trains has come, and what the arguments that are watched held then."""

    step: int
    after: Mapping[str, Answer]


Watch = Callable[[Progress], bool]
"""Is told of progress, and says whether to go on."""


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
        """A process that serves :class:`grader.box.inside.Inside` on its connection."""

    def hand_over(self) -> None:
        """Let go, here, of what another process, forked from this one, goes on with."""

    def close(self) -> None:
        """End every process."""


class BoxDied(Exception):
    """A box gave no proper reply; carries what that means for the stub that was asked."""

    def __init__(self, outcome: Outcome, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.failed = Failed(outcome, message, step=step)


class Box:
    """One submission's code, in a process of its own."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()

    def load(
        self, source: Source, asks: Sequence[str], *, into: str = ""
    ) -> tuple[Mapping[str, Stub], Failed | None, str | None]:
        """Run a submission's file.

        Args:
            source: the file.
            asks: the stubs of interest.
            into: what the file is known by in this box, where several are loaded.

        Returns:
            The stubs it defines by name, what went wrong if running it failed, and what it printed.

        Raises:
            BoxDied: the file ended its process, or did not come to an end.
        """
        files = {source.filename: source.content, **source.helpers}
        sizes = [[name, len(content)] for name, content in files.items()]
        request = Frame(
            {"do": "load", "into": into, "files": sizes, "asks": list(asks)}, b"".join(files.values())
        )
        reply = self._ask(request)
        try:
            output = _text(reply.head["output"]) or None
            if "raised" in reply.head:
                return {}, _failed(reply.head["raised"]), output
            stubs = [_stub(described) for described in reply.head["stubs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken() from error
        return {stub.name: stub for stub in stubs if stub.name in asks}, None, output

    def call(
        self,
        function: str,
        cases: Sequence[Arguments],
        *,
        of: str = "",
        after: Sequence[str] = (),
        watch: Watch | None = None,
    ) -> Reply:
        """Call one function on all its cases.

        Args:
            function: its name.
            cases: what it is called with in each.
            of: the file it is in, as :meth:`load` was told.
            after: the arguments that are looked at again afterwards, for it may change them in place.
            watch: is told how far a call that trains has come, several times a second.

        Raises:
            BoxDied: the function ended its process, did not come to an end, or broke the protocol.
        """
        from grader.box import payload

        calls = cases if isinstance(cases, Calls) else Calls(cases)
        request = calls.request(of, function, tuple(after), watch is not None)
        started = time.perf_counter()
        reply = self._ask(request, watch)
        seconds = time.perf_counter() - started
        try:
            told = [reply.head[key] for key in ("answers", "after", "taken")]
            output = _text(reply.head["output"]) or None
            content = None if after else _content(told, output, reply.body)
            called = calls.replies.get(content) if content else None
            if called is None:
                called = _read(told, payload.unpack(reply.body), len(calls))
                if content:
                    calls.replies[content] = called
            return Reply(called, output, seconds, content)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError, WireError) as error:
            raise self._broken() from error

    def _ask(self, request: Frame, watch: Watch | None = None) -> Frame:
        """Send a request and wait for the reply that carries its number; what comes before it is progress."""
        number = secrets.token_hex(8)
        deadline = time.monotonic() + self._limits.time_limit_s
        step = None
        try:
            frames.send(self._process.connection, request.numbered(number), deadline)
            while True:
                reply = frames.receive(self._process.connection, deadline)
                if reply.head.get("id") != number:
                    raise self._broken()
                if "progress" not in reply.head:
                    return reply
                progress = self._progress(reply)
                step = progress.step
                if watch is not None and not watch(progress):
                    frames.send(self._process.connection, Frame({"do": "stop"}), deadline)
                    watch = None
        except Late as error:
            message = f"no answer within {self._limits.time_limit_s:g} s"
            raise BoxDied(Outcome.TIMED_OUT, message, step) from error
        except WireError as error:
            raise BoxDied(*how_it_died(self._process.death()), step) from error

    def _progress(self, told: Frame) -> Progress:
        from grader.box import payload

        try:
            tensors = payload.unpack(told.body)
            after = {
                _text(name): read_answer(about, tensors) for name, about in told.head.get("after", {}).items()
            }
            return Progress(_count(told.head["progress"]), after)
        except (AttributeError, TypeError, ValueError, KeyError, RecursionError, WireError) as error:
            raise self._broken() from error

    def _broken(self) -> BoxDied:
        return BoxDied(Outcome.CRASHED, "your code wrote to the grader's own connection")


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

    def death(self) -> str:
        """Wait a moment for the process to end by itself, kill it if it does not, and say how it ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        by_itself = bool(poll.poll(ENDING_S * 1000))
        status = self._end(tell=True)
        if not by_itself or status is None:
            return "killed"
        return status_name(os.waitstatus_to_exitcode(status))

    def kill(self) -> None:
        """End the process, now."""
        self._end(tell=False)

    def abandon(self) -> None:
        """Let go of a process that ends with its zygote."""
        self._ended = True
        os.close(self.pidfd)
        self.connection.close()

    def _end(self, *, tell: bool) -> int | None:
        if self._ended:
            return None
        self._ended = True
        with contextlib.suppress(ProcessLookupError):  # it may have ended, and wait to be reaped
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.close(self.pidfd)
        self.connection.close()
        return self.zygote.reap(self.pid, tell=tell)


class Zygote:
    """A running zygote, as the judge holds it: the opener for Linux.

    Boxes are forked one ahead: while one is being asked, the next is already being made, with the limits that
    came next the last time.

    Args:
        hidden: folders that no box may read.
        program: how the interpreter is told to be a zygote; a benchmark has one without layers.
    """

    def __init__(
        self, hidden: Sequence[Path] = (), program: Sequence[str] = ("-m", "grader.box.zygote")
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
    def unguarded(self) -> Mapping[str, str]:
        """What strict isolation closes and no layer in force does, and why."""
        found: Mapping[str, str] = self._survey["unguarded"]
        return found

    @cached_property
    def _survey(self) -> Mapping[str, Any]:
        """The zygote's first word: what it found when it tried its layers."""
        return self._receive(START_LIMIT_S).head

    def open(self, limits: Limits) -> Forked:
        """A fresh box.

        Raises:
            IsolationError: the zygote is gone.
        """
        _ = self._survey  # the zygote's first word comes before any other
        self._settle()
        if self._ready is None or self._ready.limits != limits:
            self._order(limits)
        box = self._take()
        if self._opened is not None:
            self._followed[self._opened] = limits
        self._opened = limits
        self._order(self._followed.get(limits, limits))
        return box

    def reap(self, pid: int, *, tell: bool) -> int | None:
        """Have the zygote reap a box that has ended; its wait status if wanted."""
        if tell:
            self._settle()
        frames.send(self._control, Frame({"reap": pid, "tell": tell}))
        return int(self._receive(START_LIMIT_S).head["status"]) if tell else None

    def hand_over(self) -> None:
        """Close this process's end of what another process, forked from this one, goes on with."""
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
        """Ask for a box without waiting for it; one that was made for other limits is given up."""
        self._settle()
        if self._ready is not None:
            self._ready.kill()
            self._ready = None
        ours, theirs = socket.socketpair()
        about = {
            "memory_limit_mb": limits.memory_limit_mb,
            # A backstop only: the judge's clock decides. It must outlast every stub that is asked in a box.
            "cpu_limit_s": int(limits.time_limit_s * 60) + 1,
        }
        frames.send(self._control, Frame({"open": about}))
        socket.send_fds(self._control, [b"s"], [theirs.fileno()])
        theirs.close()
        self._ordered = Order(limits, ours)

    def _settle(self) -> None:
        """Read the zygote's reply to the box ordered last, so that its next reply is to what is said next."""
        if self._ordered is None:
            return
        order, self._ordered = self._ordered, None
        pid = self._receive(START_LIMIT_S).head["pid"]
        _, (pidfd,), _, _ = socket.recv_fds(self._control, 1, 1)
        self._ready = Forked(order.connection, order.limits, pid, pidfd, self)

    def _take(self) -> Forked:
        """The box made ahead."""
        self._settle()
        assert self._ready is not None
        box, self._ready = self._ready, None
        return box

    def _receive(self, limit_s: float) -> Frame:
        try:
            return frames.receive(self._control, time.monotonic() + limit_s)
        except WireError as error:
            self._errors.seek(0)
            said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            raise IsolationError(
                f"the box's parent process is gone: {said[-1] if said else error}"
            ) from error


def clean_environment() -> dict[str, str]:
    """The environment of a box's interpreter: what it cannot run without, and one thread."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # Sets are printed in the same order in every box, so that the same submission gets the same scorecard.
    return kept | dict.fromkeys(THREADS, "1") | {"PYTHONHASHSEED": "0"}


def _content(told: Sequence[Any], output: str | None, body: bytes) -> Content | None:
    """All that came back but its number, None where it is too long to be kept."""
    words = repr((told, output))  # which tells plain values apart, their types included
    return (words, body) if len(words) + len(body) <= KEPT_BYTES else None


def _read(told: Sequence[Any], returned: Mapping[str, Tensor], most: int) -> tuple[Called, ...]:
    """The calls that a reply tells of, one at least.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is no such reply.
    """
    called = tuple(_called(about, returned) for about in zip(*told, strict=True))
    if not 0 < len(called) <= most:
        raise ValueError("expected an answer per case")
    return called


def _called(told: tuple[Any, Any, Any], returned: Mapping[str, Tensor]) -> Called:
    """One call as the box described it: what came back, the arguments afterwards, and the batches taken."""
    answer, after, taken = told
    arguments = {_text(name): read_answer(about, returned) for name, about in after.items()}
    return Called(read_answer(answer, returned), arguments, None if taken is None else _count(taken))


def read_answer(about: Mapping[str, Any], returned: Mapping[str, Tensor]) -> Answer:
    """One value as the box described it; what it says is checked for form, not believed.

    Args:
        about: its description, see :class:`grader.box.trees.Describer`.
        returned: the tensors that came with it.

    Raises:
        KeyError, TypeError, ValueError: it is no such description.
    """
    if "raised" in about:
        return _failed(about["raised"])
    if "numbers" in about:
        return Numbers(_text(about["other"]), _floats(returned[about["numbers"]]))
    if "items" in about:
        items = tuple(read_answer(item, returned) for item in about["items"])
        return Several(_text(about["other"]), items)
    if "other" in about:
        return Other(_text(about["other"]))
    if "tensor" in about:
        return Returned(_floats(returned[about["tensor"]]))
    shape = tuple(map(_count, about["shape"][:16]))
    return Described(_text(about["dtype"]), shape)


def _floats(tensor: Tensor) -> Tensor:
    # torch compares no floating-point numbers of a single byte.
    if not tensor.dtype.is_floating_point or tensor.dtype.itemsize == 1 or tensor.dim() > DIMENSIONS_LIMIT:
        raise TypeError("expected floating-point numbers")
    return tensor


def _failed(raised: Mapping[str, Any]) -> Failed:
    outcomes = (Outcome.MISSING, Outcome.FORBIDDEN, Outcome.OUT_OF_MEMORY, Outcome.ERROR)
    outcome = Outcome(raised["kind"])
    if outcome not in outcomes:
        raise ValueError(f"an exception is never {outcome}")
    trace = tuple(_text(text) for text in raised["traceback"][-8:])
    name = _text(raised["type"]) or "Exception"
    fault = Fault(name, _text(raised["message"]), _line(raised["line"]), trace)
    return Failed(outcome, f"{fault.type}: {fault.message}", None if outcome is Outcome.MISSING else fault)


def _stub(described: Mapping[str, Any]) -> Stub:
    parameters = tuple(Parameter(_text(p["name"]), bool(p["required"])) for p in described["parameters"])
    return Stub(_text(described["name"]), parameters, _line(described["line"]))


def _count(value: object) -> int:
    """A size or a number of steps from the other side."""
    if type(value) is not int or not 0 <= value < NUMBERS_END:
        raise ValueError("expected a whole number")
    return value


def _line(value: object) -> int | None:
    """The number of a line from the other side, None for what cannot be one."""
    return value if type(value) is int and 0 < value < NUMBERS_END else None


def _text(value: object) -> str:
    """A string from the other side: short, and valid Unicode."""
    if not isinstance(value, str):
        raise TypeError("expected a string")
    whole = value[:4000].encode("utf-8", "replace").decode("utf-8")
    # Where an object lies in memory is another place in every process, and tells a student nothing.
    return ADDRESS.sub(" at 0x…", whole)
