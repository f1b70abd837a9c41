"""Submissions are dealt to as many workers as there are jobs, and to others in place of those that stall."""

from __future__ import annotations

import pickle

import pytest

from grader.batch.executors import local
from grader.batch.executors.local import (
    AHEAD,
    AHEAD_BYTES,
    STALL_S,
    STANDING_IN,
    WORTH_A_WORKER,
    LocalPool,
    Waiting,
    Worker,
)
from grader.batch.task import Task
from grader.submissions.source import HandedIn, Source
from grader.submissions.submission import Submission


class Clock:
    """The time that workers go by, set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Pipe:
    """A connection that takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[Task] = []

    def send_bytes(self, task: bytes) -> None:
        self.sent.append(pickle.loads(task))

    def close(self) -> None: ...


class Dealer(LocalPool):
    """A pool that hires workers of no process."""

    def _hire(self, count: int) -> None:
        self._workers += [Worker(None, Pipe()) for _ in range(count)]  # type: ignore[arg-type]

    def deal(self, waiting: Waiting) -> list[int]:
        """Deal once; how many submissions each worker holds."""
        self._deal(waiting)
        return [len(worker.dealt) for worker in self._workers]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(local, "time", clock)
    return clock


def pool(jobs: int) -> Dealer:
    made = Dealer(jobs)
    made._jobs = jobs
    made._hire(jobs)
    return made


def tasks(count: int) -> Waiting:
    return Waiting([Task(Submission(str(number), None, "", {})) for number in range(count)])


def remaining(waiting: Waiting) -> list[Task]:
    """What nobody was handed."""
    return [waiting.take() for _ in iter(lambda: bool(waiting), False)]


def test_each_worker_is_dealt_one_ahead(clock: Clock) -> None:
    waiting = tasks(100)
    assert pool(3).deal(waiting) == [AHEAD] * 3
    assert len(remaining(waiting)) == 100 - 3 * AHEAD


def test_the_last_few_are_dealt_singly(clock: Clock) -> None:
    """Behind one that hangs, none waits that another worker could take."""
    assert pool(2).deal(tasks(WORTH_A_WORKER - 1)) == [1, 1]


def test_another_worker_goes_on_where_one_stalls(clock: Clock) -> None:
    dealer, waiting = pool(2), tasks(100)
    dealer.deal(waiting)
    for worker in dealer._workers:
        worker.answer()
    clock.now += STALL_S * 2
    dealer._workers[1].answer()
    assert dealer.deal(waiting) == [1, AHEAD, AHEAD], "the first has been at its second submission for long"
    clock.now += STALL_S * 2
    dealer._workers[0].answer()
    assert dealer.deal(waiting)[0] == AHEAD, "it is back, and the second stalls in its turn"
    assert len(dealer._workers) == 3, "those that there are suffice"


def test_no_more_go_on_than_there_are_jobs(clock: Clock) -> None:
    dealer, waiting = pool(1), tasks(100)
    dealer.deal(waiting)
    dealer._workers[0].answer()
    clock.now += STALL_S * 2
    assert dealer.deal(waiting) == [1, AHEAD]
    dealer._workers[0].answer()
    assert dealer.deal(waiting) == [0, AHEAD], "the first is back, but the other is at work"


def test_a_worker_gets_ready_before_it_stalls(clock: Clock) -> None:
    """To start takes longer than a submission; it is no reason to hire another."""
    dealer, waiting = pool(2), tasks(100)
    dealer.deal(waiting)
    clock.now += STALL_S * 10
    assert dealer.deal(waiting) == [AHEAD, AHEAD]


def test_workers_are_hired_up_to_a_limit_and_for_enough_work(clock: Clock) -> None:
    dealer, waiting = pool(2), tasks(200)
    for _ in range(6):
        dealer.deal(waiting)
        for worker in dealer._workers:
            if worker._since is None:
                worker.answer()
        clock.now += STALL_S * 2
    assert len(dealer._workers) == STANDING_IN * 2
    assert len(dealer.deal(Waiting([]))) == STANDING_IN * 2
    few = pool(2)
    few.deal(waiting)
    for worker in few._workers:
        worker.answer()
    clock.now += STALL_S * 2
    assert len(few.deal(tasks(WORTH_A_WORKER - 1))) == 2


def test_a_large_task_is_not_sent_to_a_worker_that_is_busy() -> None:
    """It would fill the pipe, and an answer that fills it the other way would never be taken."""
    pipe = Pipe()
    worker = Worker(None, pipe)  # type: ignore[arg-type]
    source = Source("a.py", b"#" * AHEAD_BYTES)
    first, second = (
        Task(Submission(name, None, "", {"a": HandedIn("a.py", source)})) for name in ("first", "second")
    )
    worker.deal(first)
    worker.deal(second)
    assert pipe.sent == [first]
    assert worker.answer() == first
    assert pipe.sent == [first, second]
    assert worker.answer() == second
    assert not worker.dealt


class Dead:
    """A process that has been killed."""

    exitcode = -9

    def terminate(self) -> None: ...
    def join(self, timeout: float | None = None) -> None: ...


def test_a_worker_that_dies_idle_costs_no_submission(clock: Clock) -> None:
    dealer, waiting = pool(2), tasks(1)
    dealer.deal(waiting)
    busy, idle = sorted(dealer._workers, key=lambda worker: not worker.dealt)
    for worker in (busy, idle):
        worker.process = Dead()  # type: ignore[assignment]
    assert dealer._bury(idle) == []
    assert dealer._bury(busy) == [Task(Submission("0", None, "", {}), deaths=1)]
    assert len(dealer._workers) == 2, "others have taken their places"
