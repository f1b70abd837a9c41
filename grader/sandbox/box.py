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
the gradient it has still to be asked for: see :mod:`grader.grading.plan` for which stubs share a box, and
in which order they are asked.

What crosses. Frames (see :mod:`grader.sandbox.frames`) of JSON and safetensors. Nothing is unpickled, and of what
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

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Self

from grader.sandbox import frames, replies
from grader.sandbox.answers import Failed, Stub
from grader.sandbox.frames import Frame, Late, WireError
from grader.sandbox.process import Limits, Process, how_it_died
from grader.sandbox.replies import Progress, Reply, Watch
from grader.sandbox.requests import Arguments, Calls
from grader.scorecard.model import Outcome


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
        self, files: Mapping[str, bytes], asks: Sequence[str], *, into: str = ""
    ) -> tuple[Mapping[str, Stub], Failed | None, str | None]:
        """Run a submission's file.

        Args:
            files: the file that is run, then the modules beside it, as bytes by file name.
            asks: the stubs of interest.
            into: what the file is known by in this box, where several are loaded.

        Returns:
            The stubs it defines by name, what went wrong if running it failed, and what it printed.

        Raises:
            BoxDied: the file ended its process, or did not come to an end.
        """
        sizes = [[name, len(content)] for name, content in files.items()]
        request = Frame(
            {"do": "load", "into": into, "files": sizes, "asks": list(asks)}, b"".join(files.values())
        )
        reply = self._ask(request)
        try:
            output = replies.read_text(reply.head["output"]) or None
            if "raised" in reply.head:
                return {}, replies.read_failed(reply.head["raised"]), output
            stubs = [replies.read_stub(described) for described in reply.head["stubs"]]
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
        from grader.sandbox import payload

        calls = cases if isinstance(cases, Calls) else Calls(cases)
        request = calls.request(of, function, tuple(after), watch is not None)
        started = time.perf_counter()
        reply = self._ask(request, watch)
        seconds = time.perf_counter() - started
        try:
            told = [reply.head[key] for key in ("answers", "after", "taken")]
            output = replies.read_text(reply.head["output"]) or None
            content = None if after else replies.content_of(told, output, reply.body)
            called = calls.replies.get(content) if content else None
            if called is None or len(called) > len(calls):
                called = replies.read_calls(told, payload.unpack(reply.body), len(calls))
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
        from grader.sandbox import payload

        try:
            after = replies.read_arguments(told.head.get("after", {}), payload.unpack(told.body))
            return Progress(replies.read_count(told.head["progress"]), after)
        except (AttributeError, TypeError, ValueError, KeyError, RecursionError, WireError) as error:
            raise self._broken() from error

    def _broken(self) -> BoxDied:
        return BoxDied(Outcome.CRASHED, "your code wrote to the grader's own connection")
