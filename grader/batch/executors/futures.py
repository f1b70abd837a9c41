"""Grading on any ``concurrent.futures.Executor``: a pool of processes, or whatever another library offers as one.

Each worker process (each thread, in a pool of threads) opens an engine for its first task and keeps it.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from concurrent.futures import Executor as Futures
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context

from grader.batch.cpus import cores
from grader.batch.task import Task, TaskResult, WorkerConfig
from grader.batch.worker import DEATHS, WorkerEngine
from grader.errors import InternalError, UsageError
from grader.scorecard.model import Isolation

KIND = "processes"

AHEAD = 2
"""Tasks in flight for each worker."""


class FuturesExecutor:
    """Grades on a pool that somebody else provides; an :class:`~grader.batch.task.Executor`.

    Args:
        pool: the pool; whoever made it shuts it down.
        workers: how many submissions it can grade at a time, to which the number in flight is bound.
        renew: makes another pool in place of one whose worker died; without it a death ends the run.

    Raises:
        UsageError: fewer workers than one.
    """

    def __init__(self, pool: Futures, workers: int, renew: Callable[[], Futures] | None = None) -> None:
        if workers < 1:
            raise UsageError(f"expected at least 1, found {workers}", setting="workers")
        self._pool = pool
        self._workers = workers
        self._renew = renew
        self._deaths = 0

    def start(self, config: WorkerConfig, expected: int) -> None:
        """Have one worker open its engine."""
        self._config = config
        self._isolation = self._pool.submit(isolation_of, config)

    def isolation(self) -> Isolation:
        """The layers in force in the worker that is ready first."""
        try:
            return self._isolation.result()
        except BrokenExecutor as error:
            raise InternalError(f"a worker of the pool died before it was ready: {error}") from error

    def close(self) -> None:
        """Do nothing: whoever made the pool closes it."""

    def map(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """Grade submissions; see :class:`~grader.batch.task.Executor`."""
        source = iter(tasks)
        suspects: deque[Task] = deque()
        flying: dict[Future[TaskResult], Task] = {}
        while True:
            # After a death nobody knows which submission caused it: those in flight are sent one at a time.
            room = 1 - len(flying) if suspects else AHEAD * self._workers - len(flying)
            new = [suspects.popleft()] if suspects and room > 0 else list(islice(source, max(0, room)))
            try:
                while new:  # a pool may be found to be broken here as well as below
                    future = self._pool.submit(result_of, self._config, new[0])
                    flying[future] = new.pop(0)
            except BrokenExecutor as error:
                suspects.extend(self._buried([*flying.values(), *new], error, is_known=False))
                flying.clear()
                continue
            if not flying:
                return
            try:
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del flying[future]
                    self._deaths = 0
                    yield result
            except BrokenExecutor as error:
                suspects.extend(self._buried(list(flying.values()), error, is_known=len(flying) == 1))
                flying.clear()

    def _buried(self, tasks: list[Task], error: BrokenExecutor, *, is_known: bool) -> list[Task]:
        """What was in flight when a worker died; a task that was alone is the one it died over."""
        self._deaths += 1
        if self._renew is None:
            raise InternalError(f"a worker of the pool died: {error}") from error
        if self._deaths > DEATHS * (self._workers + 1):
            raise InternalError(f"the workers of the pool keep dying: {error}") from error
        self._pool = self._renew()
        return [replace(task, deaths=task.deaths + 1) if is_known else task for task in tasks]


class _Engines(threading.local):
    """The engine of this thread, for the run it was last used in."""

    config: WorkerConfig | None = None
    engine: WorkerEngine

    def of(self, config: WorkerConfig) -> WorkerEngine:
        if self.config != config:
            if self.config is not None:
                self.config = None
                self.engine.close()
            self.engine = WorkerEngine(config)
            self.config = config
            # When its thread ends, too: a program may make many pools of threads.
            weakref.finalize(self.engine, self.engine.closing.close)
        return self.engine


_engines = _Engines()
"""A worker's engine, which outlasts a task. The pool may be another library's, so nothing else in it does."""


def result_of(config: WorkerConfig, task: Task) -> TaskResult:
    """Grade a submission in a worker of a pool."""
    return _engines.of(config).do(task)


def isolation_of(config: WorkerConfig) -> Isolation:
    """The layers in force in a worker of a pool."""
    return _engines.of(config).isolation


@contextmanager
def open_executor(jobs: int | None, argument: str | None) -> Iterator[FuturesExecutor]:
    """Fresh processes, started the portable way; it takes no argument."""
    workers = jobs or cores()
    pools: list[ProcessPoolExecutor] = []

    def renew() -> ProcessPoolExecutor:
        pools.append(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
        return pools[-1]

    try:
        yield FuturesExecutor(renew(), workers, renew)
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)
