"""Grading many submissions at once: processes that each have a judge and an opener of boxes of their own.

Theory of operation
===================

The parent deals out submissions, one ahead of each worker so that none waits for it, and collects what
became of them. A worker reads a submission, has its judge grade it and puts the scorecard in the store;
nothing large goes through the parent. The truth is worked out once, in the parent, and inherited by fork;
where processes are spawned instead, each worker works it out for itself, from the same seed and so to the same
numbers.

A worker that has been at one submission for long waits for code that hangs, until its time limit ends it. Others
go on in its place meanwhile, for which workers are hired as long as there is enough to do; so those that hang cost
their time limit beside the others, and beside each other.

A worker that dies (killed for want of memory, say) is replaced. The submission it was at is dealt once more;
if that costs a worker again, it is not graded but reported as the grader's own fault, and the others go on.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from grader.batch.cpus import ANYWHERE, CpuPin
from grader.batch.worker import DEATHS, Inherited, Task, TaskResult, WorkerConfig, work
from grader.errors import GraderError, InternalError

if TYPE_CHECKING:
    from grader.sandbox.process import Opener

AHEAD = 2
"""Submissions a worker holds at a time: the one it is at, and the next."""

STALL_S = 3.0
"""After so long over one submission a worker is taken to wait for code that hangs; others take far less."""

LOOK_S = 0.5
"""How often the parent looks whether a worker stalls, while there is something to be dealt."""

STANDING_IN = 2
"""Workers there may be for each job, those that wait for what hangs among them."""

WORTH_A_WORKER = 20
"""Submissions that are worth one more worker: it takes as long to start as they take."""

LEAVE_S = 5.0
"""How long a worker that has nothing left to do may take to end."""


@dataclass
class Worker:
    """A worker, as the parent holds it, with the submissions it was dealt and has not answered."""

    process: BaseProcess
    connection: Connection
    dealt: deque[Task] = field(default_factory=deque)
    _since: float | None = None

    @property
    def stalls(self) -> bool:
        """Whether it has been at one submission for long; its first takes longer, for it has to get ready."""
        return bool(self.dealt) and self._since is not None and time.monotonic() - self._since > STALL_S

    def deal(self, task: Task) -> None:
        """Give it one more submission; one that is dead is found out when its answer is waited for."""
        if not self.dealt and self._since is not None:
            self._since = time.monotonic()
        self.dealt.append(task)
        with suppress(OSError):
            self.connection.send(task)

    def answer(self) -> Task:
        """Take note that it has answered; the submission the answer is to."""
        self._since = time.monotonic()
        return self.dealt.popleft()

    def end(self) -> None:
        """End it, now, whatever it is doing; its boxes end with it."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


class WorkerPool:
    """The workers of one run.

    Args:
        job: what they are for.
        openers: one for each of the first workers, already started; they are handed over.
        seats: where each of those workers is to work, as its opener does.
        jobs: how many workers there are to be.
    """

    def __init__(
        self, job: WorkerConfig, openers: Sequence[Opener], seats: Sequence[CpuPin], jobs: int
    ) -> None:
        self._common = job
        self._jobs = jobs
        self._openers = list(openers)
        self._seats = list(seats)
        self._workers: list[Worker] = []
        self._deaths = 0

    def grade(self, paths: Iterable[Path]) -> Iterator[TaskResult]:
        """What became of each submission, as it comes.

        Raises:
            IsolationError: no box can be opened.
            UsageError: the results cannot be written.
            InternalError: the workers keep dying.
        """
        waiting = deque(Task(path) for path in paths)
        try:
            self._hire(min(self._jobs, len(waiting)))
            while waiting or any(worker.dealt for worker in self._workers):
                self._deal(waiting)
                yield from self._answers(waiting)
        finally:
            self._dismiss()

    def _deal(self, waiting: deque[Task]) -> None:
        """Keep as many workers busy as there are jobs, besides those that wait for what hangs."""
        active = [worker for worker in self._workers if not worker.stalls]
        is_short = len(active) < min(self._jobs, len(self._workers)) and len(waiting) >= WORTH_A_WORKER
        if is_short and len(self._workers) < STANDING_IN * self._jobs:
            self._hire(1)
            active.append(self._workers[-1])
        # The last few are dealt singly, so that none is left behind one that hangs.
        ahead = AHEAD if len(waiting) >= WORTH_A_WORKER else 1
        for worker in sorted(active, key=lambda worker: not worker.dealt)[: self._jobs]:
            while waiting and len(worker.dealt) < ahead:
                worker.deal(waiting.popleft())

    def _answers(self, waiting: deque[Task]) -> Iterator[TaskResult]:
        """Wait for an answer, or for a while; what was not done goes back to those waiting."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for ready in wait(list(by_connection), LOOK_S if waiting else None):
            worker = by_connection[ready]  # type: ignore[index]
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                waiting.extendleft(reversed(self._bury(worker)))
                continue
            if isinstance(answer, GraderError):
                raise answer
            task = worker.answer()
            self._deaths = 0
            if answer.row is None:
                waiting.append(replace(task, wait=True))
            else:
                yield answer

    def _bury(self, worker: Worker) -> list[Task]:
        """Replace a worker that died; what it was dealt, the submission it died over marked."""
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
        gc.collect()
        gc.freeze()  # what is alive now is shared with the workers for as long as neither side touches it
        for _ in range(count):
            ours, theirs = Pipe()
            boxes, seat = None, ANYWHERE
            if inherits and self._openers:
                boxes, seat = self._openers.pop(0), self._seats.pop(0)
            held = [worker.connection for worker in self._workers] + [ours]
            legacy = Inherited(boxes, seat, tuple(self._openers), tuple(held)) if inherits else Inherited()
            process = start(target=work, args=(theirs, self._job(inherits), legacy), daemon=True)
            with warnings.catch_warnings():
                # The other threads are those of a library for linear algebra, which sees to a fork itself.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            if boxes is not None:
                boxes.hand_over()
            self._workers.append(Worker(process, ours))
        gc.unfreeze()

    def _job(self, inherits: bool) -> WorkerConfig:
        return self._common if inherits else replace(self._common, workshop=self._common.workshop.bare())

    def _dismiss(self) -> None:
        """End the workers: those that have nothing left to do by themselves, the others at once."""
        for worker in self._workers:
            worker.connection.close()
        while self._workers:
            worker = self._workers.pop()
            worker.process.join(0 if worker.dealt else LEAVE_S)
            worker.end()


def can_inherit() -> bool:
    """Whether workers may be forked from a process that has worked out the truth.

    Linux alone promises that a fork goes on as it should, and torch's autograd not where it drives a GPU.
    """
    import torch

    return sys.platform == "linux" and torch.cuda.device_count() == 0
