"""Count the mutants that no test notices: ``python -m tests.mutation [MODULE...]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.mutation.copies import Copy
from tests.mutation.equivalents import equivalents
from tests.mutation.forks import KILLED, Fork, start, warm
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.order import LATE, Known, Order, Recorder

ROOT = Path(__file__).parents[2]
ALLOWED_PERCENT = 5.0

CHECKS = ("tests/checks", "tests/grading/training", "tests/test_samples.py", "tests/test_corpus.py")
TARGETS: Mapping[str, Sequence[str]] = {
    **{f"grader/checks/{path.name}": CHECKS for path in sorted((ROOT / "grader/checks").glob("[!_]*.py"))},
    "grader/grading/plan.py": ("tests/grading/test_plan.py", "tests/grading/test_judge.py"),
    "grader/grading/runner.py": ("tests/grading", "tests/test_samples.py"),
    "grader/batch/store.py": (
        "tests/batch/test_records.py",
        "tests/batch/test_store.py",
        "tests/batch/test_class_run.py",
    ),
    "grader/sandbox/frames.py": ("tests/sandbox/test_wire.py", "tests/sandbox/test_frames.py"),
    "grader/submissions/discover.py": ("tests/submissions/test_discover.py",),
}
"""The modules, each with the tests that are to notice a change of it."""


@dataclass
class Tally:
    """What became of the mutants of one module."""

    module: str
    killed: int = 0
    late: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All that were tried."""
        return self.killed + self.late + len(self.survivors)

    def note(self, mutant: Mutant, status: int) -> None:
        """Take down how the tests ended on a mutant."""
        if status == 0:
            self.survivors.append(mutant)
        elif status in (LATE, KILLED):
            self.late += 1
        else:
            self.killed += 1

    def row(self) -> str:
        """One line of the table."""
        alive = len(self.survivors)
        percent = 100 * alive / max(self.count, 1)
        return f"{self.module:36} {self.count:7} {self.killed:7} {self.late:9} {alive:9} {percent:6.1f} %"


HEADING = f"{'module':36} {'mutants':>7} {'killed':>7} {'timed out':>9} {'survivors':>9}"


class Trial:
    """The mutants of one module against its tests."""

    def __init__(self, module: str, tests: Sequence[str], copies: Sequence[Copy], folder: Path) -> None:
        self._module = module
        self._tests = tests
        self._copies = copies
        self._folder = folder
        self._original = (copies[0].folder / module).read_text("utf-8")

    def _known(self) -> tuple[Known, float]:
        """Run the tests on the module as it is.

        Returns:
            What the run told, and how many seconds it took.
        """
        copy, told, log = self._copies[0], self._folder / "known.json", self._folder / "log"
        began = time.monotonic()
        recorder = Recorder(copy.folder / self._module, told)
        fork = start(copy, self._tests, [recorder], log, 3600)
        if (status := _wait(fork)) != 0:
            sys.exit(
                f"{self._module}: on the unchanged module the tests end with {status}:\n{log.read_text('utf-8')}"
            )
        return Known.read(told), time.monotonic() - began

    def run(self, chosen: Iterator[Mutant]) -> Tally:
        """Try mutants, as many at a time as there are copies."""
        known, seconds = self._known()
        warm(known.packages)
        tally, running = Tally(self._module), dict[Copy, tuple[Mutant, Fork]]()
        idle = list(self._copies)
        while running or idle:
            while idle and (mutant := next(chosen, None)):
                copy = idle.pop()
                copy.change(self._module, mutant.text)
                order = Order(known, range(mutant.lines[0], mutant.lines[1] + 1))
                log = self._folder / f"log-{copy.folder.name}"
                running[copy] = mutant, start(copy, self._tests, [order], log, 30 + 4 * seconds)
            if not running:
                break
            for copy, (tried, fork) in list(running.items()):
                if (status := fork.status()) is not None:
                    del running[copy]
                    idle.append(copy)
                    tally.note(tried, status)
                    if status == 0:
                        print(f"{self._module}:{tried.line}\n{tried.difference(self._original)}", flush=True)
            time.sleep(0.01)
        for copy in self._copies:
            copy.change(self._module, self._original)
        return tally


def _wait(fork: Fork) -> int:
    while (status := fork.status()) is None:
        time.sleep(0.01)
    return status


def main() -> None:
    """Try all mutants of the modules that are named, and tell how many survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"any of: {', '.join(TARGETS)} [all]")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time [2]")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try only each Nth mutant [1]")
    parser.add_argument("--sample", type=int, metavar="N", help="try N of each module, drawn at random")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw [0]")
    parser.add_argument(
        "--tests", nargs="+", metavar="PATH", help="run these tests, not all of a module's own"
    )
    parser.add_argument("--lines", metavar="FIRST-LAST", help="try only the mutants of these lines")
    parser.add_argument("--list", action="store_true", help="count the mutants and try none")
    asked = parser.parse_args()
    if unknown := set(asked.modules) - TARGETS.keys():
        parser.error(f"no such module: {', '.join(sorted(unknown))}; expected any of {', '.join(TARGETS)}")
    first, _, last = (asked.lines or "1-1000000").partition("-")
    lines = range(int(first), int(last or first) + 1)
    draw = Draw(asked.sample, asked.seed, asked.every, lines)
    modules = {module: draw.of(module) for module in asked.modules or TARGETS}
    if asked.list:
        print("\n".join(f"{module:36} {sum(1 for _ in found):7}" for module, found in modules.items()))
        return
    tallies = list(trials(ROOT, modules, {m: asked.tests or TARGETS[m] for m in modules}, asked.jobs))
    total = Tally("all", sum(one.killed for one in tallies), sum(one.late for one in tallies))
    total.survivors = [mutant for one in tallies for mutant in one.survivors]
    print("\n".join([HEADING, *(one.row() for one in [*tallies, total])]))
    sys.exit(100 * len(total.survivors) > ALLOWED_PERCENT * total.count)


@dataclass(frozen=True)
class Draw:
    """Which mutants of a module are tried: those that are not known to be equivalent, or a part of them.

    Attributes:
        sample: how many, drawn at random; None for all.
        seed: of the draw.
        every: each how manieth.
        lines: where they are.
    """

    sample: int | None = None
    seed: int = 0
    every: int = 1
    lines: range = range(1, 1_000_000)

    def of(self, module: str) -> Iterator[Mutant]:
        """The mutants of a module, made as they are asked for."""
        text = (ROOT / module).read_text("utf-8")
        same = {(one.went, one.came) for one in equivalents() if one.module == module}
        found = (
            mutant
            for mutant in mutants(text, self.sample, self.seed)
            if mutant.line in self.lines and mutant.change(text) not in same
        )
        return islice(found, 0, None, self.every)


def trials(
    root: Path, modules: Mapping[str, Iterator[Mutant]], tests: Mapping[str, Sequence[str]], jobs: int
) -> Iterator[Tally]:
    """Try the mutants of each module, and print what survives as it is found.

    Args:
        root: the project's folder.
        modules: the mutants by the path of their module.
        tests: the files or folders of tests that are run for each module.
        jobs: mutants at a time.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Copy(root, Path(folder, str(number))) for number in range(jobs)]
        for module, found in modules.items():
            began = time.monotonic()
            tally = Trial(module, tests[module], copies, Path(folder)).run(found)
            print(f"{tally.row()}  in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            yield tally


if __name__ == "__main__":
    main()
