"""How long one submission takes beside a bare ``import torch``: pairs of whole processes, in turn.

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
    """The medians of both, and the median of the ratios pair by pair."""
    with tempfile.TemporaryDirectory() as out:
        only = [word for name in EXERCISES for word in ("--exercise", name)]
        alice = [sys.executable, "-m", "grader", str(ROOT / "submissions/alice"), "--out", out, *only]
        bare = [sys.executable, "-c", "import torch"]
        seconds(alice)
        pairs = [(seconds(alice), seconds(bare)) for _ in range(3 if quick else 11)]
    ratio = statistics.median(one / other for one, other in pairs)
    return [
        ("`python -c 'import torch'`, median s", f"{statistics.median(other for _, other in pairs):.2f}"),
        ("`grade submissions/alice`, median s", f"{statistics.median(one for one, _ in pairs):.2f}"),
        ("ratio, median of pairs (target: at most 1.5)", f"{ratio:.2f}"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for name, value in rows(quick=parser.parse_args().quick):
        print(f"{name}: {value}")
