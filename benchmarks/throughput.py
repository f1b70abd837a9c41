"""How many submissions a second: an honest class, a class as it is, and the same work done by other graders.

python benchmarks/throughput.py [--quick]

Other graders get the same assignment of 28 gradients, the lecture's case alone, and alice's right work; as many
run at a time as there are processors, each in a process of its own as it is meant to be run. otter-grader is
installed into an environment of its own, which takes torch from this one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import classes

CORES = len(os.sched_getaffinity(0))
HERE = Path(__file__).parent
OTTER = "otter-grader==7.0.0"

LOOK_S = 1.0
"""Seconds between looks at the memory, which take some milliseconds each."""

OTTER_TEST = """OK_FORMAT = True
test = {{"name": "{exercise}_{ask}", "points": 1, "suites": [{{
  "scored": True, "setup": "", "teardown": "", "type": "doctest",
  "cases": [{{"code": ">>> import rival\\n>>> rival.is_right('{exercise}', '{ask}', {exercise}_{ask})\\nTrue",
              "hidden": False, "locked": False}}]}}]}}
"""


@dataclass(frozen=True)
class Graded:
    """One run of the command line over a class.

    Args:
        seconds: all of it.
        steady: submissions a second between the first and the last result.
        peak_mb: the largest resident set of its processes together, in MiB.
    """

    count: int
    seconds: float
    steady: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Submissions a second, start-up included."""
        return self.count / self.seconds


def graded(
    folder: Path, count: int, *words: object, jobs: int = CORES, only: Sequence[str] = classes.ONLY
) -> Graded:
    """Grade a class as an instructor does."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "grader",
            folder,
            "--out",
            out,
            "--jobs",
            jobs,
            *only,
            *words,
        ]
        started = time.perf_counter()
        run = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
        peak = 0.0
        while not _ended(run, LOOK_S):
            peak = max(peak, _resident_mb(run.pid))
        seconds = time.perf_counter() - started
        times = sorted(path.stat().st_mtime for path in Path(out, ".grade").glob("*.json"))
    assert len(times) == count, f"{len(times)} of {count} were graded"
    return Graded(count, seconds, (count - 1) / max(times[-1] - times[0], 1e-9), peak)


def _ended(run: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Whether a process ends within some seconds."""
    try:
        run.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _resident_mb(pid: int) -> float:
    """The proportional set of a process and all that come from it: what is shared counts once."""
    total, todo = 0.0, [pid]
    while todo:
        one = todo.pop()
        try:
            todo += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except (OSError, ValueError):
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
    return total


def side_by_side(run: Callable[[int], object], count: int) -> float:
    """Submissions a second when as many processes run at a time as there are processors."""
    run(0)  # leave out what is compiled or cached only once
    started = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(run, range(1, count + 1)))
    return count / (time.perf_counter() - started)


def import_s() -> float:
    """Processor seconds that an import of torch takes with all processors at it, as when a class is graded.

    They tell how quick this machine is just now.
    """
    found = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        runs = [subprocess.Popen([sys.executable, "-c", "import torch"]) for _ in range(CORES)]
        assert all(run.wait() == 0 for run in runs)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append(spent / CORES)
    return statistics.median(found)


def pytest_rate(count: int) -> float:
    """One pytest process for each submission."""
    with tempfile.TemporaryDirectory() as room:
        folder = classes.honest(Path(room), count + 1)

        def run(index: int) -> None:
            words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull]
            subprocess.run(
                [sys.executable, *words, "--rootdir", room, str(HERE / "rival_checks.py")],
                env={**os.environ, "SUBMISSION": str(folder / f"s{index:04}"), "OMP_NUM_THREADS": "1"},
                check=True,
                stdout=subprocess.DEVNULL,
            )

        return side_by_side(run, count)


@contextmanager
def otter_installed() -> Iterator[Path]:
    """An environment with otter-grader; its interpreter.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    with tempfile.TemporaryDirectory() as room:
        venv.create(room, with_pip=True, symlinks=True)
        python = Path(room, "bin/python")
        site = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        _run(python, "-m", "pip", "install", "--quiet", OTTER, "ipykernel", timeout=900)
        # Torch, which takes long to download, from this environment; what otter brings comes first.
        Path(site.strip(), "torch.pth").write_text(sysconfig.get_path("purelib") + "\n")
        yield python


def otter_rate(count: int) -> float:
    """One ``otter run`` for each submission, which is otter's own way without containers."""
    with otter_installed() as python, tempfile.TemporaryDirectory() as name:
        room = Path(name)
        _assignment(room, python)

        def run(index: int) -> None:
            place = room / f"s{index}"
            place.mkdir()
            (place / "work.ipynb").write_text(_notebook())
            words = ("otter", "run", "-a", room / "autograder.zip", "-o", place, "work.ipynb")
            _run(python, "-m", *words, cwd=place, env=_environment(room))
            found = json.loads((place / "results.json").read_text())
            scored = sum(test.get("score", 0) for test in found["tests"])
            assert scored >= 28, f"otter gives a right submission {scored} of 28"

        return side_by_side(run, count)


def _run(*words: str | Path, **options: Any) -> None:
    """Run a command and hide what it prints.

    Raises:
        subprocess.SubprocessError: it fails, or takes longer than its ``timeout``.
    """
    subprocess.run(words, check=True, capture_output=True, **options)


def _environment(room: Path) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE), "HOME": str(room)}


def _assignment(room: Path, python: Path) -> None:
    """Write a test for each gradient, and have otter make its autograder of them."""
    import rival

    (room / "tests").mkdir()
    for exercise, ask in rival.asks():
        (room / "tests" / f"{exercise}_{ask}.py").write_text(OTTER_TEST.format(exercise=exercise, ask=ask))
    words = ("otter", "generate", "-t", "tests", "--no-environment", "-o", "autograder.zip")
    _run(python, "-m", *words, cwd=room, env=_environment(room))


def _notebook() -> str:
    """Alice's work as a notebook; exercises that ask for a gradient of the same name keep theirs apart."""
    import rival

    sources = []
    for exercise in classes.EXERCISES:
        text = (classes.ROOT / f"submissions/alice/{exercise}.py").read_text("utf-8")
        names = [ask for one, ask in rival.asks() if one == exercise]
        sources.append("\n".join([text, *(f"{exercise}_{ask} = {ask}" for ask in names)]))
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
        for i, text in enumerate(sources)
    ]
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5})


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Submissions a second, and how many times as many as other graders manage."""
    count, hang_s = (60, 2) if quick else (1000, 10)
    with tempfile.TemporaryDirectory() as room:
        one_right = graded(classes.honest(Path(room, "honest"), count), count)
        bare = import_s()
        few = max(20, count // 5)
        course = graded(classes.whole(Path(room, "whole"), few), few, only=())
        varied = graded(classes.varied(Path(room, "varied"), count), count)
        hanging = round(classes.MIX["hanging"] * count)
        as_it_is = graded(classes.mixed(Path(room, "mixed"), count), count, "--time-limit", hang_s)
        rest = classes.mixed(Path(room, "rest"), count, without="hanging")
        without = graded(rest, count - hanging, "--time-limit", hang_s)
    found = [
        (
            f"honest class of {count}, exercises 1 to 3, {CORES} cores, all layers: submissions/s (target: 60)",
            f"{one_right.steady:.1f}",
        ),
        ("the same, start-up included", f"{one_right.rate:.1f}"),
        (
            "cores x seconds a submission, in processor time of an `import torch` (target: at most 3.5 %)",
            f"{CORES / one_right.steady / bare:.1%}",
        ),
        (f"honest class of {few}, all four exercises: submissions/s", f"{course.steady:.1f}"),
        ("each right in a way of their own: submissions/s", f"{varied.steady:.1f}"),
        (f"class of {count} as it is ({hanging} hang for {hang_s} s): submissions/s", f"{as_it_is.rate:.2f}"),
        (
            "what those that hang add, s (target: at most the limit for each, over the jobs)",
            f"{as_it_is.seconds - without.seconds:.0f} of {hanging * hang_s / CORES:.0f}",
        ),
        (f"the others, {count - hanging}: submissions/s", f"{without.rate:.1f}"),
        (
            "peak memory of all processes, MiB",
            f"{max(one_right.peak_mb, varied.peak_mb, as_it_is.peak_mb):.0f}",
        ),
    ]
    rate = pytest_rate(4 if quick else 40)
    found.append(("pytest, a process each: submissions/s", f"{rate:.2f}"))
    found.append(("times as many as pytest (target: 50)", f"{one_right.steady / rate:.0f}"))
    try:
        rate = otter_rate(2 if quick else 12)
    except (subprocess.SubprocessError, OSError) as error:
        return [*found, ("otter-grader", f"could not be installed or run here: {type(error).__name__}")]
    found.append((f"{OTTER.replace('==', ' ')}, a process each: submissions/s", f"{rate:.2f}"))
    found.append(("times as many as otter-grader (target: 150)", f"{one_right.steady / rate:.0f}"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
