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
all its cases; other files may be loaded between. A stub that is anything but a plain function can run code when it
is looked at, so it is described only when it is about to be called, by a ``describe`` of its own. Before its reply
to a call that trains, a box may send ``progress`` frames, which are words, too; the judge may send ``stop``, which
ends the batches early.

How long it may take. The judge sets a :class:`~grader.sandbox.deadline.Deadline` for each question. What counts is
the time in which the box computes or sleeps, read from outside; that in which others hold the processors does not.

Who kills whom. The judge kills a box through its pidfd, from outside, when a deadline passes or the protocol is
broken, and always when it is done; the zygote reaps it and reports how it died. A box killed in one stub costs
that stub only: the next is asked in a fresh one. If the judge dies, the zygote sees its control close and ends,
and every box with it. A box that dies of a ``SIGKILL`` that neither the judge nor the box itself can have sent was
killed by the system or an operator. That is nobody's answer: see :mod:`grader.grading.runner`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from grader.sandbox import frames, replies
from grader.sandbox.answers import Failed, Stub
from grader.sandbox.deadline import Deadline
from grader.sandbox.frames import Frame, Late, WireError
from grader.sandbox.process import KILLED, SPENT, Limits, Process, how_it_died
from grader.sandbox.replies import Progress, Reply, Watch
from grader.sandbox.requests import Arguments, Calls
from grader.scorecard.model import Outcome

HURRIED = "no answer in the time that was left after other functions hung, or failed after a long time"


class BoxDied(Exception):
    """A box gave no proper reply; carries what that means for the stub that was asked.

    Args:
        outcome: the stub's outcome.
        message: what happened, for the student.
        step: how far a call that trains had come when it was last heard of.
        foreign: whether something else than this question ended the box, so that it is worth asking again.
    """

    def __init__(
        self, outcome: Outcome, message: str, step: int | None = None, *, foreign: bool = False
    ) -> None:
        super().__init__(message)
        self.failed = Failed(outcome, message, step=step)
        self.foreign = foreign


@dataclass(frozen=True)
class Took:
    """What one question to a box has taken.

    Args:
        spent_s: seconds in which the box computed or slept, its end included.
        asleep_s: those in which it slept, as far as can be told.
    """

    spent_s: float = 0.0
    asleep_s: float = 0.0


class Box:
    """One submission's code, in a process of its own."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self.took = Took()
        """What the last question has taken."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()

    def load(
        self,
        files: Mapping[str, bytes],
        asks: Sequence[str],
        *,
        into: str = "",
        limit_s: float | None = None,
    ) -> tuple[Mapping[str, Stub], Failed | None, str | None]:
        """Run a submission's file.

        Args:
            files: the file that is run, then the modules beside it, as bytes by file name.
            asks: the stubs of interest.
            into: what the file is known by in this box, where several are loaded.
            limit_s: seconds it may take, as long as the box's limits say where None.

        Returns:
            The stubs it defines by name, what went wrong if running it failed, and what it printed. The parameters
            of a stub that is not a plain function are not known yet: see :meth:`describe`.

        Raises:
            BoxDied: the file ended its process, or did not come to an end.
        """
        sizes = [[name, len(content)] for name, content in files.items()]
        request = Frame(
            {"do": "load", "into": into, "files": sizes, "asks": list(asks)}, b"".join(files.values())
        )
        reply = self._ask(request, limit_s)
        try:
            output = replies.read_text(reply.head["output"]) or None
            if "raised" in reply.head:
                return {}, replies.read_failed(reply.head["raised"]), output
            stubs = [replies.read_stub(described) for described in reply.head["stubs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken() from error
        return {stub.name: stub for stub in stubs if stub.name in asks}, None, output

    def describe(self, function: str, *, of: str = "", limit_s: float | None = None) -> Stub:
        """Look at a stub that is not a plain function, which may run code of the submission.

        Args:
            function: its name.
            of: the file it is in, as :meth:`load` was told.
            limit_s: seconds it may take, as long as the box's limits say where None.

        Raises:
            BoxDied: the stub ended its process, or did not let itself be looked at in time.
        """
        reply = self._ask(Frame({"do": "describe", "of": of, "function": function}), limit_s)
        try:
            stub = replies.read_stub(reply.head["stub"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken() from error
        if stub.name != function or stub.parameters is None:
            raise self._broken()
        return stub

    def call(
        self,
        function: str,
        cases: Sequence[Arguments],
        *,
        of: str = "",
        after: Sequence[str] = (),
        watch: Watch | None = None,
        limit_s: float | None = None,
    ) -> Reply:
        """Call one function on all its cases.

        Args:
            function: its name.
            cases: what it is called with in each.
            of: the file it is in, as :meth:`load` was told.
            after: the arguments that are looked at again afterwards, for it may change them in place.
            watch: is told how far a call that trains has come, several times a second.
            limit_s: seconds it may take, as long as the box's limits say where None.

        Raises:
            BoxDied: the function ended its process, did not come to an end, or broke the protocol.
        """
        from grader.sandbox import payload

        calls = cases if isinstance(cases, Calls) else Calls(cases)
        request = calls.request(of, function, tuple(after), watch is not None)
        started = time.perf_counter()
        reply = self._ask(request, limit_s, watch)
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

    def _ask(self, request: Frame, limit_s: float | None, watch: Watch | None = None) -> Frame:
        """Send a request and wait for the reply that carries its number; what comes before it is progress."""
        deadline = Deadline(limit_s or self._limits.time_limit_s, self._process.usage)
        try:
            return self._reply(request, deadline, watch)
        finally:
            deadline.stop()
            self.took = Took(deadline.spent_s, deadline.asleep_s)

    def _reply(self, request: Frame, deadline: Deadline, watch: Watch | None) -> Frame:
        number = secrets.token_hex(8)
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
            whole = deadline.limit_s >= self._limits.time_limit_s
            message = f"no answer within {self._limits.time_limit_s:g} s" if whole else HURRIED
            raise BoxDied(Outcome.TIMED_OUT, message, step) from error
        except WireError as error:
            raise self._death(step) from error

    def _death(self, step: int | None) -> BoxDied:
        """How the process ended, and whether the question that was asked had anything to do with it."""
        status = self._process.death()
        if status == KILLED and self._process.can_kill_itself:
            # Whoever it was: a zero must not turn into our own fault by a submission's will.
            message = (
                "the process that ran your code was killed, and nothing here keeps your code from doing that"
            )
            return BoxDied(Outcome.CRASHED, message, step, foreign=True)
        return BoxDied(*how_it_died(status), step, foreign=status in (KILLED, SPENT))

    def _progress(self, told: Frame) -> Progress:
        from grader.sandbox import payload

        try:
            after = replies.read_arguments(told.head.get("after", {}), payload.unpack(told.body))
            return Progress(replies.read_count(told.head["progress"]), after)
        except (AttributeError, TypeError, ValueError, KeyError, RecursionError, WireError) as error:
            raise self._broken() from error

    def _broken(self) -> BoxDied:
        return BoxDied(Outcome.CRASHED, "your code wrote to the grader's own connection")
