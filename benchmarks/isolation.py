"""What isolation costs: the same answers from a fresh process, a bare fork, and a full box.

python benchmarks/isolation.py [--quick]

Each way answers alice's exercise 1 over and over. Processor time is that of the answering side, all its
processes together, as the slope between a short and a long run, so that start-up does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.suites import prepare_suites
from grader.sandbox.box import Box
from grader.sandbox.linux import Zygote
from grader.sandbox.portable import Subprocesses
from grader.sandbox.process import Limits, Opener

ROOT = Path(__file__).parent.parent
LIMITS = Limits(30.0, 1024)

BARE = """
import sys
from grader.sandbox import zygote
class Bare(zygote.Layers):
    def __init__(self, found): super().__init__(())
zygote.Layers = Bare
zygote.main(int(sys.argv[1]))
"""


class Patient(Zygote):
    """A zygote that may end by itself, so that the system counts the processor time of its boxes."""

    def close(self) -> None:
        """Give up the spare box, and wait for the zygote to end."""
        self._settle()
        if self._ready is not None:
            self._ready.kill()
            self._ready = None
        self._control.close()
        self._process.wait()


class Work:
    """Everything a box is asked for exercise 1, worked out once."""

    def __init__(self) -> None:
        course = Course.at(ROOT)
        (suite,) = prepare_suites(course, course.select(["ex1_step_by_step"]), Settings())
        self.asks = suite.exercise.asks
        path = ROOT / "submissions/alice/ex1_step_by_step.py"
        self.files = {path.name: path.read_bytes()}
        self._bench = suite
        self._checks: dict[str, Sequence[object]] = {}

    def answer(self, boxes: Opener) -> None:
        """Open a box and have it answer."""
        with Box(boxes.open(LIMITS), LIMITS) as box:
            stubs, failed, _ = box.load(self.files, self.asks)
            assert failed is None
            for ask in self.asks:
                names = frozenset(parameter.name for parameter in stubs[ask].parameters or ())
                box.call(ask, [check.arguments for check in self._bench.checks(ask, names)])


def cpu_ms(open_boxes: Callable[[], Opener], work: Work, short: int, long: int) -> float:
    """Processor milliseconds of one more submission on the answering side."""

    def spent(count: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        boxes = open_boxes()
        for _ in range(count):
            work.answer(boxes)
        boxes.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    return (spent(long) - spent(short)) / (long - short) * 1000


def memory_growth(work: Work, count: int) -> tuple[float, float]:
    """MiB the zygote holds after a tenth (at least 50) of so many submissions, and after all of them."""
    boxes = Zygote(Course.at(ROOT).hidden)
    _ = boxes.isolation
    held = []
    for number in range(1, count + 1):
        with Box(boxes.open(LIMITS), LIMITS) as box:
            box.load(work.files, work.asks)
        if number in (max(50, count // 10), count):
            held.append(_family_mib(boxes._process.pid))
    boxes.close()
    return held[0], held[1]


def _family_mib(pid: int) -> float:
    """Memory that only a process and its children use, MiB."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/smaps_rollup"):
        owner = status.parent.name
        parent = (Path("/proc") / owner / "stat").read_text().rpartition(")")[2].split()[1]
        if str(pid) in (owner, parent):
            lines = status.read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total / 1024


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Milliseconds of processor time a submission, the three ways, and the zygote's memory."""
    work = Work()
    hidden = Course.at(ROOT).hidden
    few = (1, 3) if quick else (2, 8)
    many = (40, 120) if quick else (60, 460)
    fresh = cpu_ms(Subprocesses, work, *few)
    rounds = 3
    bare = statistics.median(
        cpu_ms(lambda: Patient(hidden, ("-c", BARE)), work, *many) for _ in range(rounds)
    )
    full = statistics.median(cpu_ms(lambda: Patient(hidden), work, *many) for _ in range(rounds))
    early, late = memory_growth(work, 200 if quick else 2000)
    return [
        ("a fresh subprocess for each, CPU ms a submission", f"{fresh:.0f}"),
        ("a bare fork for each, CPU ms", f"{bare:.1f}"),
        ("a full box for each, CPU ms", f"{full:.1f}"),
        ("full box over bare fork, CPU ms (target: at most 10)", f"{full - bare:.1f}"),
        ("fresh subprocess over full box", f"{fresh / full:.0f} x"),
        ("zygote's own memory after a tenth and after all submissions, MiB", f"{early:.1f}, {late:.1f}"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    started = time.perf_counter()
    for name, value in rows(quick=parser.parse_args().quick):
        print(f"{name}: {value}")
    print(f"({time.perf_counter() - started:.0f} s on {os.cpu_count()} cores)")
