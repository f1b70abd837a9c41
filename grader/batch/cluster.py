"""Grading on a Dask cluster: workers on other machines, which share no disk with this one.

Theory of operation
===================

Dask moves the work; nothing here is a protocol of ours. Course and settings travel once, in a plugin that the
scheduler hands to every worker, also to one that joins later. On a worker the plugin compares versions, unpacks
the course and opens an engine. Then it offers a *resource* named after this run, one per worker. Every batch of
submissions asks for that resource, so only a worker with a sound engine is given one, and one at a time.

Batches hold up to 16 submissions, as bytes. Two per worker are on their way at any time, so that results do not
pile up in the scheduler. Where results are lost with a worker, Dask has the batch graded again, to the same bytes.

Dask gives a batch up once more workers died over it than the scheduler's ``allowed-failures``. Then its
submissions are sent one by one. One that is given up alone is reported as the grader's own fault, and the others
go on.

A run that is killed leaves its plugin behind. The next run on that cluster removes those of clients that are gone.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import Any, Self

import dask
import distributed
from distributed import Client, Future, KilledWorker, LocalCluster

from grader import __version__
from grader.batch.dask_worker import PREFIX, GradingPlugin, RemoteRun, WorkerKind, isolation_on, results_of
from grader.batch.task import Task, TaskResult, WorkerConfig
from grader.batch.worker import DEATHS
from grader.errors import InternalError, UsageError
from grader.scorecard.model import Isolation

AHEAD = 2
"""Batches on their way for each worker."""

BATCH = 16
"""Submissions in a batch at most: enough to make the scheduler's share small, few enough to lose with a worker."""

ROUNDS = 4
"""Batches that each worker gets at least, so that all end at about the same time."""

CONNECT_S = 30
"""How long a scheduler and a first worker are waited for."""

logger = logging.getLogger(__name__)


def _left_behind(dask_scheduler: Any) -> list[str]:
    """The plugins of runs whose client is gone, on the scheduler."""
    ours = [name for name in dask_scheduler.worker_plugins if name.startswith(PREFIX)]
    return [name for name in ours if name.removeprefix(PREFIX) not in dask_scheduler.clients]


class DaskExecutor:
    """Grades on the workers of a Dask cluster; an :class:`~grader.batch.task.Executor`.

    Use it as a context manager, or call :meth:`close`.

    Args:
        address: the scheduler's, such as ``tls://10.0.0.1:8786``. Certificates are Dask's own configuration.
        jobs: how many workers grade at most; None for all there are, those included that join later.
    """

    def __init__(self, address: str, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise UsageError(f"expected at least 1, found {jobs}", setting="jobs")
        self._address = address
        self._jobs = jobs
        self._client: Client | None = None
        self._helper = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._helper.shutdown()

    def start(self, config: WorkerConfig, expected: int) -> None:
        """Send course and settings to all workers; their engines open meanwhile.

        Raises:
            UsageError: no scheduler answers, it has no worker, or the workers' versions are not all the same.
        """
        self.close()
        client = self._client = self._connected()
        workers = self._workers_of(client)
        self._size = max(1, min(BATCH, expected // (ROUNDS * len(workers))))
        self._name = PREFIX + client.id
        for name in client.run_on_scheduler(_left_behind):
            client.unregister_worker_plugin(name)
        plugin = GradingPlugin(self._name, RemoteRun.of(config, _agreed(workers)))
        self._opened = self._helper.submit(client.register_plugin, plugin, name=self._name)

    def isolation(self) -> Isolation:
        """The layers in force on the workers.

        Raises:
            UsageError: they are not the same on all of them.
            IsolationError: a worker is not isolated well enough.
        """
        self._opened.result()
        found = self._running.run(isolation_on, self._name)
        first, *others = found
        for other in others:
            if found[other] != found[first]:
                raise UsageError(
                    f"expected the same isolation layers on all workers, found {_layers(found[first])} on {first} "
                    f"and {_layers(found[other])} on {other}",
                    setting="cluster",
                )
        return found[first]  # type: ignore[no-any-return]

    def map(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """Grade submissions; see :class:`~grader.batch.task.Executor`."""
        source = iter(tasks)
        alone: deque[Task] = deque()
        flying: dict[Future[Any], tuple[Task, ...]] = {}
        try:
            while True:
                room = self._room()
                while len(flying) < room:
                    batch = (alone.popleft(),) if alone else tuple(islice(source, self._size))
                    if not batch:
                        break
                    flying[self._sent(batch)] = batch
                if not flying:
                    return
                for future in self._done(list(flying)):
                    batch = flying.pop(future)
                    results = _results(future)
                    alone.extend(_apart(batch) if results is None else ())
                    yield from results or ()
        except (CancelledError, OSError) as error:
            raise InternalError(
                f"{self._address}: the cluster's scheduler is gone ({type(error).__name__}); "
                "results so far are kept, and the same command goes on from there"
            ) from error
        finally:
            self._drop(list(flying))

    def close(self) -> None:
        """Close the workers' engines and leave the cluster; it stays up."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(Exception):  # the scheduler may be gone, and with it what would be closed
            client.unregister_worker_plugin(self._name)
        client.close()

    @property
    def _running(self) -> Client:
        assert self._client is not None, "start() comes first"
        return self._client

    def _connected(self) -> Client:
        try:
            client = Client(self._address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"expected the address of a Dask scheduler, found none at {self._address}: {error}",
                setting="cluster",
            ) from error
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            client.close()
            raise UsageError(
                f"expected at least one worker at {self._address} within {CONNECT_S} s, found none: "
                f"start one with `dask worker {self._address} --nthreads 1`",
                setting="cluster",
            ) from error
        return client

    def _workers_of(self, client: Client) -> dict[str, WorkerKind]:
        """What each worker is, by its address."""
        kinds: dict[str, Any] = client.run(WorkerKind.here, on_error="return")
        for address, kind in kinds.items():
            if isinstance(kind, BaseException):
                raise UsageError(
                    f"worker {address}: expected backprop-grader {__version__}, "
                    f"found {type(kind).__name__}: {kind}",
                    setting="cluster",
                )
        return kinds

    def _room(self) -> int:
        """How many batches may be on their way."""
        workers = len(self._running.nthreads())
        if self._jobs is not None and self._jobs < workers:
            return self._jobs
        return AHEAD * max(1, workers)

    def _sent(self, batch: tuple[Task, ...]) -> Future[Any]:
        return self._running.submit(
            results_of,
            self._name,
            batch,
            key=f"grade-{batch[0].submission.digest[:16]}-{uuid.uuid4().hex}",
            resources={self._name: 1},
            pure=False,
        )

    def _done(self, futures: list[Future[Any]]) -> set[Future[Any]]:
        """Those that have ended; waits for one."""
        with self._running.as_current():
            return distributed.wait(futures, return_when="FIRST_COMPLETED").done  # type: ignore[no-any-return]

    def _drop(self, futures: list[Future[Any]]) -> None:
        if futures and self._client is not None:
            with suppress(Exception):
                self._client.cancel(futures, force=True)


def _results(future: Future[Any]) -> list[TaskResult] | None:
    """The results of a batch; None where Dask has given it up because workers died over it."""
    try:
        return future.result()  # type: ignore[no-any-return]
    except KilledWorker as error:
        logger.warning("workers died: %s", error)
        return None


def _apart(batch: tuple[Task, ...]) -> Iterator[Task]:
    """The tasks of a batch that workers died over: nobody knows which of them it was, unless it was alone."""
    for task in batch:
        yield replace(task, deaths=DEATHS) if len(batch) == 1 else task


def _agreed(workers: dict[str, WorkerKind]) -> WorkerKind:
    """What all workers are, and this process as well, but for its processor: it grades nothing.

    Raises:
        UsageError: names what differs, and on which worker.
    """
    usual = Counter(workers.values()).most_common(1)[0][0]
    here = replace(WorkerKind.here(), machine=usual.machine, processor=usual.processor)
    for address, kind in workers.items():
        for expected, whose in ((usual, "most workers"), (here, "this machine")):
            if kind != expected:
                raise UsageError(
                    f"expected worker {address} to be as {whose}, found {expected.differs(kind)}: "
                    "results would not be the same bytes; install the same, or take it out of the cluster",
                    setting="cluster",
                )
    return usual


def _layers(isolation: Isolation) -> str:
    return ", ".join(isolation.layers) or "none"


@contextmanager
def local_cluster(workers: int | None) -> Iterator[str]:
    """A cluster of processes of this machine, for trying out what another one will do; its address.

    Args:
        workers: how many; None for one per processor.
    """
    from grader.batch.cpus import cores

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": DEATHS - 1}),
        LocalCluster(
            n_workers=workers or cores(),
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.ERROR,
        ) as cluster,
    ):
        yield cluster.scheduler_address
