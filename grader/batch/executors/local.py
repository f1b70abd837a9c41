"""Grading on this machine: worker processes, each with an engine and boxes of its own.

Theory of operation
===================

The parent hands out submissions, one ahead of each worker so that none waits for it, and collects results. Cases
and expected gradients are worked out once, in the parent, and inherited by fork; where processes are spawned
instead, each worker works them out for itself, from the same seed and so to the same numbers.

A worker that has been at one submission for long is waiting for code that hangs, until the time limit ends it.
Meanwhile more workers are started in its place, as long as there is enough to do. So submissions that hang use up
their time limits while the others, and each other, go on.

A worker that dies (killed for want of memory, say) is replaced. The submission it was at is handed out once more.
If that costs a worker again, it is not graded but reported as the grader's own fault, and the others go on.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Self

from grader.batch.cpus import ANYWHERE, CpuPin, cores, seats
from grader.batch.task import Task, TaskResult, WorkerConfig
from grader.batch.worker import DEATHS, WorkerEngine
from grader.errors import GraderError, InternalError, UsageError
from grader.sandbox.open import opener

if TYPE_CHECKING:
    from grader.sandbox.process import Opener
    from grader.scorecard.model import Isolation

KIND = "local"

AHEAD = 2
"""Submissions a worker holds at a time: the one it is at, and the next."""

AHEAD_BYTES = 64 << 10 if sys.platform == "linux" else 0
"""A larger task is not sent to a worker that is busy.

It would not fit into the pipe: we would wait until the worker takes it, and if its answer does not fit either, the
worker would wait until we take that. Elsewhere pipes hold less, and not the same everywhere.
"""

STALL_S = 3.0
"""Seconds at one submission after which a worker is taken to wait for code that hangs."""

LOOK_S = 0.5
"""Seconds between the parent's looks for a worker that stalls, while there are tasks to hand out."""

STANDING_IN = 2
"""The most workers for each job, including those that wait for code that hangs."""

WORTH_A_WORKER = 20
"""Submissions that justify one more worker: grading them takes as long as starting it."""

LEAVE_S = 5.0
"""Seconds that a worker with nothing left to do may take to end."""

GARBAGE = 50_000
"""Objects a worker may make before the collector looks at them; a scorecard is some thousands."""


@dataclass(frozen=True)
class Inherited:
    """What a forked worker finds open: its own opener of boxes and its processor, and what belongs to others."""

    boxes: Opener | None = None
    seat: CpuPin = ANYWHERE
    openers: Sequence[Opener] = ()
    connections: Sequence[Connection] = ()

    def renounce(self) -> None:
        """Close what belongs to others: while it is open here, nobody could tell that its owner has gone."""
        for connection in self.connections:
            connection.close()
        for boxes in self.openers:
            boxes.hand_over()


def work(connection: Connection, config: WorkerConfig, inherited: Inherited) -> None:
    """Be a worker: grade what comes until the parent closes the connection."""
    # What a terminal sends goes to the whole group; the parent decides when a worker ends.
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Its end is the end of its boxes, too: what a command does when it is ended is not for a worker to do.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    inherited.renounce()
    inherited.seat.take()
    gc.set_threshold(GARBAGE)
    with WorkerEngine(config, inherited.boxes) as engine:
        for task in _tasks(connection):
            try:
                answer: TaskResult | GraderError = engine.do(task)
            except GraderError as error:
                answer = error
            with suppress(OSError):  # the parent has gone: nobody reads this
                connection.send(answer)
            if isinstance(answer, GraderError):
                return


def _tasks(connection: Connection) -> Iterator[Task]:
    """The tasks the parent sends, until it closes the connection or is gone."""
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        yield task


@dataclass
class Worker:
    """A worker, as the parent holds it, with the submissions it was handed and has not answered."""

    process: BaseProcess
    connection: Connection
    dealt: deque[Task] = field(default_factory=deque)
    _since: float | None = None
    _unsent: deque[bytes] = field(default_factory=deque)

    @property
    def stalls(self) -> bool:
        """Whether it has been at one submission for long; its first takes longer, for it has to get ready."""
        return bool(self.dealt) and self._since is not None and time.monotonic() - self._since > STALL_S

    def deal(self, task: Task) -> None:
        """Hand it one more submission; one that is dead is found out when its answer is waited for."""
        if not self.dealt and self._since is not None:
            self._since = time.monotonic()
        self._unsent.append(bytes(ForkingPickler.dumps(task)))
        is_busy = bool(self.dealt)
        self.dealt.append(task)
        if not is_busy or (len(self._unsent) == 1 and len(self._unsent[0]) <= AHEAD_BYTES):
            self._send()

    def answer(self) -> Task:
        """Note that it has answered; the submission the answer is to."""
        self._since = time.monotonic()
        done = self.dealt.popleft()
        if self._unsent:
            self._send()
        return done

    def _send(self) -> None:
        with suppress(OSError):
            self.connection.send_bytes(self._unsent.popleft())

    def end(self) -> None:
        """End it now, whatever it is doing; its boxes end with it."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


class Waiting:
    """Tasks that nobody has yet: a few are taken from the source ahead of time, to know how many there are."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._source = iter(tasks)
        self._taken: deque[Task] = deque()

    def __bool__(self) -> bool:
        return bool(len(self))

    def __len__(self) -> int:
        """How many there are, up to as many as are worth a worker."""
        self._taken.extend(islice(self._source, max(0, WORTH_A_WORKER - len(self._taken))))
        return len(self._taken)

    def take(self) -> Task:
        """Return the next task."""
        return self._taken.popleft() if self._taken else next(self._source)

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Take back tasks that were handed out and not done; they are handed out first."""
        self._taken.extendleft(reversed(tasks))


class LocalPool:
    """Worker processes on this machine; an :class:`~grader.batch.task.Executor`.

    Args:
        jobs: how many submissions are graded at a time, those that hang not counted; None for as many as this
            process may use processors.

    Raises:
        UsageError: fewer jobs than one.
    """

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise UsageError(f"expected at least 1, found {jobs}", setting="jobs")
        self._most = jobs or cores()
        self._closing = ExitStack()
        self._openers: list[Opener] = []
        self._seats: list[CpuPin] = []
        self._workers: list[Worker] = []
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, config: WorkerConfig, expected: int) -> None:
        """Start what opens boxes, and work out what workers inherit while it starts."""
        self.close()  # workers of an earlier class have its configuration
        self._config = config
        self._deaths = 0
        self._jobs = min(self._most, max(1, expected))
        self._seats = list(seats(self._jobs))
        hidden = config.prepared.course.hidden
        # They import torch while this process does.
        for seat in self._seats:
            with seat.lent():
                boxes = self._closing.enter_context(opener(hidden, config.isolation))
            self._openers.append(boxes)
        self._first = self._openers[0]
        if expected and can_inherit():
            config.prepared.work_out()

    def isolation(self) -> Isolation:
        """The layers in force here."""
        return self._first.isolation

    def close(self) -> None:
        """End the workers and what opens boxes."""
        self._dismiss()
        self._openers.clear()
        self._closing.close()

    def map(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """Grade submissions; see :class:`~grader.batch.task.Executor`."""
        waiting = Waiting(tasks)
        if not waiting:
            return
        if can_inherit():
            self._config.prepared.work_out()
        self._hire(min(self._jobs, len(waiting)) - len(self._workers))
        while waiting or any(worker.dealt for worker in self._workers):
            self._deal(waiting)
            yield from self._answers(waiting)

    def _deal(self, waiting: Waiting) -> None:
        """Keep as many workers busy as there are jobs, besides those that wait for what hangs."""
        active = [worker for worker in self._workers if not worker.stalls]
        is_short = len(active) < min(self._jobs, len(self._workers)) and len(waiting) >= WORTH_A_WORKER
        if is_short and len(self._workers) < STANDING_IN * self._jobs:
            self._hire(1)
            active.append(self._workers[-1])
        # The last few are handed out singly, so that none is left behind one that hangs.
        ahead = AHEAD if len(waiting) >= WORTH_A_WORKER else 1
        for worker in sorted(active, key=lambda worker: not worker.dealt)[: self._jobs]:
            while waiting and len(worker.dealt) < ahead:
                worker.deal(waiting.take())

    def _answers(self, waiting: Waiting) -> Iterator[TaskResult]:
        """Wait for an answer, or for a while; what was not done goes back to those waiting."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for ready in wait(list(by_connection), LOOK_S if waiting else None):
            worker = by_connection[ready]  # type: ignore[index]
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                waiting.give_back(self._bury(worker))
                continue
            if isinstance(answer, GraderError):
                raise answer
            worker.answer()
            self._deaths = 0
            yield answer

    def _bury(self, worker: Worker) -> list[Task]:
        """Replace a worker that died; what it was handed, the submission it died over marked."""
        worker.end()
        self._workers.remove(worker)
        self._deaths += 1
        if self._deaths > DEATHS * self._jobs:
            status = worker.process.exitcode
            raise InternalError(f"the grader's own processes keep dying (exit status {status})")
        self._hire(1)
        if not worker.dealt:
            return []
        first, *others = worker.dealt
        return [replace(first, deaths=first.deaths + 1), *others]

    def _hire(self, count: int) -> None:
        """Start workers: each with an opener of its own, one that is handed over as long as there are any."""
        inherits = can_inherit()
        start = get_context("fork").Process if inherits else get_context("spawn").Process
        with _shared_memory():
            for _ in range(count):
                ours, theirs = Pipe()
                boxes, seat = None, ANYWHERE
                if inherits and self._openers:
                    boxes, seat = self._openers.pop(0), self._seats.pop(0)
                held = [worker.connection for worker in self._workers] + [ours]
                everything = Inherited(boxes, seat, tuple(self._openers), tuple(held))
                inherited = everything if inherits else Inherited()
                process = start(target=work, args=(theirs, self._config, inherited), daemon=True)
                with warnings.catch_warnings():
                    # The other threads are those of a library for linear algebra, which sees to a fork itself.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    process.start()
                theirs.close()
                if boxes is not None:
                    boxes.hand_over()
                self._workers.append(Worker(process, ours))

    def _dismiss(self) -> None:
        """End the workers: those that have nothing left to do by themselves, the others at once."""
        for worker in self._workers:
            worker.connection.close()
        while self._workers:
            worker = self._workers.pop()
            worker.process.join(0 if worker.dealt else LEAVE_S)
            worker.end()


@contextmanager
def _shared_memory() -> Iterator[None]:
    """Keep the garbage collector from writing to what is alive now, which forked workers share with us."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def open_executor(jobs: int | None, argument: str | None) -> Iterator[LocalPool]:
    """A pool of this machine's processes; it takes no argument."""
    with LocalPool(jobs) as pool:
        yield pool


def can_inherit() -> bool:
    """Whether workers may be forked from a process that has worked out the expected gradients.

    Linux alone promises that a fork goes on as it should, and torch's autograd not where it drives a GPU.
    """
    import torch

    return sys.platform == "linux" and torch.cuda.device_count() == 0
