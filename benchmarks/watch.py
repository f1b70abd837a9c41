"""What a save costs someone who watches: from the file to the drawn result, in processor and wall-clock time.

python benchmarks/watch.py [--quick]

One engine grades save after save, as while somebody works. Every save differs from the one before. Processor time
is that of the judge, of the boxes' parent and of all boxes, so that it says the same on a busy machine.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import classes
from rich.console import Console

from grader.apps.watch import screen
from grader.apps.watch.save import Save, play
from grader.course.course import Course
from grader.grading.engine import Engine
from grader.submissions import submission

EX1, EX4 = "ex1_step_by_step", "ex4_training"
TICKS = os.sysconf("SC_CLK_TCK")
NUMBERS = itertools.count(1)
"""Makes every save of this run differ from all others: one that is remembered costs less."""

EDITED = re.compile(r"^def dnorm_logits\(.*\):\n", re.M)

sys.path.insert(0, str(classes.ROOT))


def sample(who: str, name: str = EX1) -> str:
    """Return a file of one of the sample submissions."""
    return (classes.ROOT / f"submissions/{who}/{name}.py").read_text("utf-8")


def one_mistake() -> str:
    """Alice's work with a path left out."""
    return sample("alice") + "\ndef dcounts(counts_sum_inv, dprobs):\n    return counts_sum_inv * dprobs\n"


def strange_mistakes() -> str:
    """Alice's work with ten mistakes that no hypothesis explains, so that all of them are tried."""
    text, count = re.subn(
        r"^( +)return (.+)$",
        r"\1right = \2\n\1return right * (1 + right.sin() * right.shape[0])",
        sample("alice"),
        count=10,
        flags=re.M,
    )
    assert count == 10
    return text


def lectures_notebook() -> bytes:
    """The lecture's notebook, completed."""
    from tests.submissions.notebooks.build import stored

    return stored("lecture")


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one save."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:.0f}, {self.wall:.0f}"


class Student:
    """One person who saves again and again."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.last: Save | None = None
        self._console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)

    def save(self, name: str, content: bytes) -> None:
        """Save a file, and have it graded and drawn."""
        (self.folder / name).write_bytes(content)
        for suite in self.engine.judge.suites:
            suite.cache.forget()  # the judge sees what was just written for the first time
        work = submission.read(self.folder, self.engine.ids)
        self.last = play(self.engine, work, self.last)
        self._console.print(screen.page(self.last, "12:00:00"))

    def cost(self, name: str, contents: Iterator[bytes], count: int) -> Cost:
        """Return the cost of one save, after some to warm up; the median of the wall-clock times."""
        for _ in range(3):
            self.save(name, next(contents))
        walls = []
        before = cpu_s()
        for _ in range(count):
            started = time.perf_counter()
            self.save(name, next(contents))
            walls.append(time.perf_counter() - started)
        return Cost((cpu_s() - before) / count * 1000, statistics.median(walls) * 1000)


def cpu_s() -> float:
    """Processor seconds of this process, of all that come from it, and of those that have ended."""
    total, todo = 0.0, [os.getpid()]
    while todo:
        one = todo.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            todo += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) / TICKS
    return total


Saves = Callable[[str], Iterator[bytes]]


def one_edited(text: str) -> Iterator[bytes]:
    """A file as it is saved time and again by somebody at work on one gradient."""
    for number in NUMBERS:
        changed = EDITED.sub(rf"\g<0>    last_save = {number}\n", text, count=1)
        assert changed != text
        yield changed.encode()


def all_anew(text: str) -> Iterator[bytes]:
    """A file in which something changes that may matter to every gradient, as at the first save."""
    for number in NUMBERS:
        yield f"assert {number}\n{text}".encode()


def cell_edited(text: str) -> Iterator[bytes]:
    """A notebook as it is saved time and again by somebody at work on one gradient."""
    for number in NUMBERS:
        yield text.replace(
            "dlogprobs[range(n), Yb] = -1.0/n", f"dlogprobs[range(n), Yb] = -{number}/{number}/n"
        ).encode()


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Milliseconds of a save: of processor time, then of wall-clock time."""
    count = 10 if quick else 40
    course = Course.at(classes.ROOT)
    right, strange = sample("alice"), strange_mistakes()
    box_plans: tuple[tuple[str, str, str, Saves], ...] = (
        ("one gradient edited, all 26 right", f"{EX1}.py", right, one_edited),
        ("one edited, another wrong", f"{EX1}.py", one_mistake(), one_edited),
        ("one edited, ten wrong and explained", f"{EX1}.py", sample("bob"), one_edited),
        ("one edited, ten wrong and unexplained", f"{EX1}.py", strange, one_edited),
        ("one edited, exercise 4 beside it", f"{EX1}.py", right, one_edited),
        ("one edited in the lecture's notebook", "part4.ipynb", lectures_notebook().decode(), cell_edited),
        ("all 26 anew, all right", f"{EX1}.py", right, all_anew),
        ("all 26 anew, ten wrong and explained", f"{EX1}.py", sample("bob"), all_anew),
        ("all 26 anew, ten wrong and unexplained", f"{EX1}.py", strange, all_anew),
        ("exercise 4 anew: 300 steps of training", f"{EX4}.py", sample("alice", EX4), all_anew),
    )
    found = []
    with tempfile.TemporaryDirectory() as room, Engine(course, reuse=True) as engine:
        for number, (label, name, text, edits) in enumerate(box_plans):
            folder = Path(room, f"work{number}")
            folder.mkdir()
            if "beside" in label:
                (folder / f"{EX4}.py").write_text(sample("alice", EX4))
            few = 3 if edits is all_anew else 1
            cost = Student(engine, folder).cost(name, edits(text), count // few)
            found.append((f"{label}: CPU ms, wall ms", str(cost)))
    found.append(
        (
            "from save to printed result, ten wrong, wall ms (target: below 250)",
            f"{from_save_to_result(count):.0f}",
        )
    )
    return found


def from_save_to_result(count: int) -> float:
    """Median milliseconds from a save until ``grade watch`` has said something about it, on a pipe.

    Each save makes one gradient right or wrong, so that there is something to say.
    """
    wrong = sample("bob")
    contents = (wrong, wrong.replace("return counts_sum**-2", "return -counts_sum**-2"))
    assert contents[0] != contents[1]
    with tempfile.TemporaryDirectory() as room:
        file = Path(room, f"{EX1}.py")
        file.write_text(wrong)
        words = [sys.executable, "-m", "grader", "watch", str(file)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            _until(child.stdout.readline, "Next: ")
            walls = []
            for number in range(2 * count):
                text = f"{contents[(number + 1) % 2]}\n\ndef save_{number}():\n    pass\n"
                (Path(room) / "new").write_text(
                    text.replace("counts_sum**-2", f"counts_sum**-2 * ({number} + 1) / {number + 1}")
                )
                started = time.perf_counter()
                os.replace(Path(room) / "new", file)
                _until(child.stdout.readline, "Next: ")
                walls.append(time.perf_counter() - started)
                time.sleep(0.1)
            child.terminate()
    return statistics.median(walls) * 1000


def _until(readline: Callable[[], str], text: str) -> None:
    while text not in readline():
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
