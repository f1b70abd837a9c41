"""Time that is counted: what a box computes and sleeps counts, what others keep it from does not."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.sandbox.deadline import CAP, LOOK_S, Deadline
from grader.sandbox.usage import Meter, Usage, parse
from tests.wanted import only_where

COMPUTES, SLEEPS, WAITS = "computes", "sleeps", "waits for a processor"


@dataclass
class World:
    """A clock and a box, which does what it is told to for as long as somebody waits for it."""

    does: Callable[[float], tuple[str, float]]
    now: float = 100.0
    cpu_s: float = 7.0
    runnable: bool = False
    looks: int = 0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def read(self) -> Usage | None:
        self.looks += 1
        return Usage(self.cpu_s, self.runnable)

    def wait(self, seconds: float) -> None:
        """Let time go by; who computes gets a share of the processor."""
        what, share = self.does(self.now - 100.0)
        self.now += seconds
        self.cpu_s += seconds * share if what != SLEEPS else 0.0
        self.runnable = what != SLEEPS
        self.waits.append(seconds)

    def wall_s(self, deadline: Deadline) -> float:
        """Seconds on the wall until the deadline has passed."""
        started = self.now
        while (left := deadline.left()) > 0:
            self.wait(left)
        return self.now - started


def world(what: str, share: float = 1.0) -> World:
    return World(lambda _: (what, share))


def test_who_computes_is_stopped_after_its_processor_seconds() -> None:
    box = world(COMPUTES)
    assert box.wall_s(Deadline(10.0, box.read, box.clock)) == pytest.approx(10.0, abs=LOOK_S)


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_who_gets_a_share_of_a_processor_has_as_much_longer(share: float) -> None:
    box = world(COMPUTES, share)
    wall_s = box.wall_s(Deadline(10.0, box.read, box.clock))
    assert wall_s == pytest.approx(10.0 / share, abs=LOOK_S / share)


def test_who_sleeps_is_stopped_after_as_many_seconds() -> None:
    box = world(SLEEPS)
    deadline = Deadline(10.0, box.read, box.clock)
    assert box.wall_s(deadline) == pytest.approx(10.0, abs=LOOK_S)
    assert deadline.asleep_s == pytest.approx(10.0, abs=2 * LOOK_S)


def test_who_never_gets_a_processor_is_given_up_at_the_cap() -> None:
    box = world(WAITS, 0.0)
    assert box.wall_s(Deadline(10.0, box.read, box.clock)) == pytest.approx(CAP * 10.0, abs=LOOK_S)


def test_who_alternates_has_one_limit_for_both() -> None:
    box = World(lambda passed: (SLEEPS if int(passed) % 2 else COMPUTES, 1.0))
    assert box.wall_s(Deadline(10.0, box.read, box.clock)) == pytest.approx(10.0, abs=2 * LOOK_S)


def test_threads_that_compute_at_once_are_counted_together() -> None:
    box = world(COMPUTES, 4.0)
    assert box.wall_s(Deadline(8.0, box.read, box.clock)) == pytest.approx(2.0, abs=2 * LOOK_S)


def test_where_nothing_is_told_the_wall_decides() -> None:
    box = world(WAITS, 0.0)
    deadline = Deadline(10.0, lambda: None, box.clock)
    assert box.wall_s(deadline) == pytest.approx(10.0, abs=LOOK_S)
    assert deadline.asleep_s == 0.0


def test_a_fast_answer_is_not_looked_at() -> None:
    """Nothing is read before an answer has taken longer than most do."""
    box = world(COMPUTES)
    deadline = Deadline(10.0, box.read, box.clock)
    for _ in range(9):
        box.wait(deadline.left() / 10)
    deadline.left()
    deadline.stop()
    assert box.looks == 0
    assert deadline.spent_s <= LOOK_S


def test_a_judge_that_was_held_up_does_not_blame_the_box() -> None:
    """A box that waits for its judge sleeps; how long the judge was away is no matter of the box."""
    box = world(SLEEPS)
    deadline = Deadline(1.0, box.read, box.clock)
    deadline.left()
    box.wait(3600.0)
    assert deadline.left() > 0
    assert deadline.spent_s <= 2 * LOOK_S


@given(
    st.floats(0.2, 60.0),
    st.lists(st.tuples(st.sampled_from([COMPUTES, SLEEPS, WAITS]), st.floats(0.0, 1.0)), min_size=1),
)
def test_whatever_a_box_does_its_time_ends(limit_s: float, phases: list[tuple[str, float]]) -> None:
    """Not before what counts has reached the limit, and by the cap at the latest."""
    box = World(lambda passed: phases[int(passed * 10) % len(phases)])
    deadline = Deadline(limit_s, box.read, box.clock)
    wall_s = box.wall_s(deadline)
    assert wall_s <= CAP * limit_s + LOOK_S
    assert deadline.spent_s >= limit_s or wall_s >= CAP * limit_s - 1e-6
    assert deadline.spent_s <= wall_s + LOOK_S
    assert math.isfinite(deadline.asleep_s)


def test_the_text_of_a_process_is_read_whatever_its_name() -> None:
    fields = ["S", *["0"] * 10, "250", "50", "7", "3", *["0"] * 30]
    tick = os.sysconf("SC_CLK_TCK")
    assert parse(f"12 (a) R (b)) {' '.join(fields)}".encode()) == Usage(310 / tick, runnable=False)
    fields[0] = "R"
    assert parse(f"12 (x) {' '.join(fields)}".encode()).runnable


on_linux = only_where(sys.platform == "linux", "processes are looked at on Linux alone")


@contextmanager
def running(code: str) -> Iterator[tuple[subprocess.Popen[bytes], Meter]]:
    """A process, once it has said that it is there."""
    child = subprocess.Popen([sys.executable, "-S", "-c", f"print(flush=True)\n{code}"], stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    pidfd = os.pidfd_open(child.pid)
    meter = Meter(pidfd)
    yield child, meter
    meter.close()
    os.close(pidfd)
    child.kill()
    child.wait()
    child.stdout.close()


@on_linux
def test_a_process_that_spins_is_seen_to() -> None:
    with running("while True: pass") as (_, meter):
        first = meter.read()
        assert first is not None
        assert first.runnable
        while (usage := meter.read()) is not None and usage.cpu_s < first.cpu_s + 0.05:
            pass
        assert usage is not None


@on_linux
def test_a_process_that_waits_is_seen_to_and_so_is_one_that_has_ended() -> None:
    with running("import signal; signal.pause()") as (child, meter):
        while (usage := meter.read()) is not None and usage.runnable:
            pass
        assert usage is not None
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ended = meter.read()
        assert ended is not None
        assert ended.cpu_s >= usage.cpu_s
        child.wait()
        assert meter.read() is None
