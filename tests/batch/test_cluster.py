"""Grading on a Dask cluster: a real scheduler, and workers that are processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import grader
from grader.batch.executors import open_executor
from grader.batch.store import ResultStore
from grader.errors import IsolationError, UsageError
from tests.batch import dask_preload, students
from tests.conftest import ROOT

if TYPE_CHECKING:
    from grader.batch.cluster import DaskExecutor

pytestmark = pytest.mark.wants("dask")

STUCK_S = 300
"""Only what is really stuck takes as long as this."""


class Cluster:
    """A scheduler and workers.

    Args:
        folder: where the scheduler says its address.
        failures: how many workers may die over a batch before Dask gives it up.
    """

    def __init__(self, folder: Path, failures: int) -> None:
        self._file = folder / "scheduler.json"
        self._failures = str(failures)
        self._processes = [self._started("scheduler", "--host", "127.0.0.1", "--port", "0")]
        self.wait_for(self._file.exists)

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self._file.read_text())["address"])

    def add_worker(self, how: str = "") -> None:
        """Start a worker without a nanny, so that one that is killed stays away."""
        preload = ["--preload", dask_preload.__name__]
        self._processes.append(self._started("worker", "--nthreads", "1", "--no-nanny", *preload, how=how))

    def wait_for(self, holds: object) -> None:
        """Wait until something holds."""
        end = time.monotonic() + STUCK_S
        while not holds():  # type: ignore[operator]
            assert time.monotonic() < end, "the cluster does not come up"
            assert all(process.poll() is None for process in self._processes)
            time.sleep(0.05)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _started(self, part: str, *words: str, how: str = "") -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dask",
                part,
                "--scheduler-file",
                str(self._file),
                "--no-dashboard",
                *words,
            ],
            env=os.environ
            | {
                "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": self._failures,
                "TEST_WORKER": how,
                "PYTHONPATH": str(ROOT),
            },
            cwd=self._file.parent,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def cluster_of(folder: Path, *workers: str, failures: int = 1) -> Iterator[Cluster]:
    """A cluster whose workers have all arrived."""
    from distributed import Client

    folder.mkdir(exist_ok=True)
    cluster = Cluster(folder, failures)
    try:
        for how in workers:
            cluster.add_worker(how)
        with Client(cluster.address, set_as_default=False) as client:
            cluster.wait_for(lambda: len(client.nthreads()) == len(workers))
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module", autouse=True)
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Everything here is encrypted, by the files that deploy/cluster has for it."""
    import dask

    folder, files = tmp_path_factory.mktemp("tls"), ROOT / "deploy" / "cluster"
    subprocess.run([files / "certificates.sh", folder], check=True, capture_output=True)
    written = (files / "dask.yaml").read_text("utf-8").replace("/etc/grader/tls", str(folder))
    (folder / "dask.yaml").write_text(written.replace("allowed-failures", "_allowed-failures"), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_CONFIG", str(folder))
        with dask.config.set(dask.config.merge(dask.config.config, dask.config.collect([str(folder)]))):
            yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, on which a submission named zoe is deadly."""
    with cluster_of(tmp_path_factory.mktemp("cluster"), "deadly", "deadly") as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return students.hand_in(tmp_path_factory.mktemp("class"))


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What processes of this machine make of the class."""
    return graded(folder, tmp_path_factory.mktemp("local"), "local")


def graded(folder: Path, out: Path, executor: str) -> dict[str, str]:
    """The results of a class, by file name, without what differs from run to run."""
    with open_executor(executor, 2) as where:
        for _ in class_run(folder, where, ResultStore(out)):
            pass
    return students.results(out)


def class_run(
    folder: Path, where: grader.Executor, store: ResultStore | None = None
) -> Iterator[grader.TaskResult]:
    paths = sorted(path for path in folder.iterdir() if path.is_dir())
    return grader.grade_class(paths, course=ROOT, exercises=[students.EXERCISE], executor=where, store=store)


def executor(cluster: Cluster) -> DaskExecutor:
    from grader.batch.cluster import DaskExecutor

    return DaskExecutor(cluster.address)


def test_a_cluster_gives_the_bytes_of_this_machine(
    cluster: Cluster, folder: Path, local: dict[str, str], tmp_path: Path
) -> None:
    """By the command line, with nothing but the scheduler's address."""
    done = students.grade(folder, "--out", tmp_path / "out", "--cluster", cluster.address)
    assert done.returncode == 1, done.stderr
    assert students.results(tmp_path / "out") == local


def test_a_submission_that_kills_workers_is_our_fault_and_the_others_go_on(
    folder: Path, local: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a worker with others in its batch, and one more alone. Nobody else loses anything."""
    from grader.batch import cluster

    monkeypatch.setattr(cluster, "ROUNDS", 1)  # four in a batch
    work = students.hand_in(tmp_path / "class", students.WORK | {dask_preload.DEADLY: students.RIGHT})
    with cluster_of(tmp_path / "cluster", *["deadly"] * 3, failures=0) as made, executor(made) as where:
        results = {result.name: result for result in class_run(work, where, ResultStore(tmp_path / "out"))}
    assert results[dask_preload.DEADLY].at_fault
    assert "died over this submission" in results[dask_preload.DEADLY].files[".json"].decode()
    others = {name: text for name, text in students.results(tmp_path / "out").items() if "zoe" not in name}
    assert others == local


def test_a_worker_killed_in_the_middle_loses_nothing(
    cluster: Cluster, folder: Path, local: dict[str, str], tmp_path: Path
) -> None:
    """What it had is graded again elsewhere, to the same bytes; a worker that joins later takes part."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        pids = client.run(os.getpid)
    with executor(cluster) as where:
        results = class_run(folder, where, ResultStore(tmp_path / "out"))
        next(results)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        assert len(list(results)) == len(students.WORK) - 1
    assert students.results(tmp_path / "out") == local


def test_a_run_that_is_left_early_leaves_the_workers_clean(cluster: Cluster, folder: Path) -> None:
    """No plugin stays, and no engine."""
    from distributed import Client

    with executor(cluster) as where:
        next(class_run(folder, where))
    with Client(cluster.address, set_as_default=False) as client:
        assert not any(client.run(plugins_there).values())


def plugins_there(dask_worker: object) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("backprop-grader-")]  # type: ignore[attr-defined]


def test_a_worker_of_another_version_is_refused(tmp_path: Path, folder: Path) -> None:
    """Its results would be other bytes; the message says what differs, and where."""
    with (
        cluster_of(tmp_path / "cluster", "old") as made,
        executor(made) as where,
        pytest.raises(
            UsageError, match=r"expected worker tls://.* to be as this machine, found .*torch 2\.4\.0"
        ),
    ):
        next(class_run(folder, where))


def test_a_worker_without_strict_isolation_refuses(tmp_path: Path, folder: Path) -> None:
    with (
        cluster_of(tmp_path / "cluster", "open") as made,
        executor(made) as where,
        pytest.raises(IsolationError, match="answers could be read"),
    ):
        next(class_run(folder, where))


@pytest.mark.parametrize(("told", "asked"), [(None, "strict"), ("auto", "auto")])
def test_isolation_is_strict_unless_the_worker_was_told_otherwise(
    told: str | None, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grader.batch import dask_worker

    monkeypatch.delenv(dask_worker.WEAKER, raising=False)
    if told:
        monkeypatch.setenv(dask_worker.WEAKER, told)
    assert dask_worker._isolated() == asked


def test_what_cannot_be_reached_is_wrong_use(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    from grader.batch import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    with (
        cluster.DaskExecutor("tls://127.0.0.1:9") as where,
        pytest.raises(UsageError, match="expected the address of a Dask scheduler, found none at tls://127"),
    ):
        next(class_run(folder, where))


def test_a_cluster_without_workers_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from grader.batch import cluster

    with cluster_of(tmp_path / "cluster") as made:
        monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
        with executor(made) as where, pytest.raises(UsageError, match="start one with `dask worker tls://"):
            next(class_run(folder, where))


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "grader.batch.cluster", raising=False)
    with (
        pytest.raises(UsageError, match=r"pip install 'backprop-grader\[cluster\]'"),
        open_executor("dask=tcp://x"),
    ):
        pass


def test_an_executor_and_a_cluster_are_one_too_many(folder: Path) -> None:
    done = students.grade(folder, "--cluster", "tcp://x", "--executor", "local")
    assert done.returncode == 2 and "--executor: expected no executor beside a cluster" in done.stderr
