"""How long one submission takes beside a bare ``import torch``: pairs of whole processes, in turn.

Exercises 1 to 3 by themselves, then the whole course: exercise 4, whose 300 steps the judge makes in float64, in
float32 and disturbed, takes most of the difference.

python benchmarks/startup.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXERCISES = ("ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm")


def seconds(command: list[str]) -> float:
    """The wall-clock seconds of a whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """The medians, and the medians of the ratios round by round."""
    with tempfile.TemporaryDirectory() as out:
        only = [word for name in EXERCISES for word in ("--exercise", name)]
        whole = [sys.executable, "-m", "grader", str(ROOT / "submissions/alice"), "--out", out]
        bare = [sys.executable, "-c", "import torch"]
        seconds(whole)
        rounds = [tuple(map(seconds, ([*whole, *only], whole, bare))) for _ in range(3 if quick else 11)]
    some, every, imports = (statistics.median(times) for times in zip(*rounds, strict=True))
    return [
        ("`python -c 'import torch'`, median s", f"{imports:.2f}"),
        ("`grade submissions/alice`, exercises 1 to 3, median s", f"{some:.2f}"),
        (
            "ratio, median of rounds (target: at most 1.5)",
            f"{statistics.median(one / other for one, _, other in rounds):.2f}",
        ),
        ("`grade submissions/alice`, all four exercises, median s", f"{every:.2f}"),
        ("ratio", f"{statistics.median(one / other for _, one, other in rounds):.2f}"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for name, value in rows(quick=parser.parse_args().quick):
        print(f"{name}: {value}")
