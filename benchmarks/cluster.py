"""A Dask cluster of this machine's processes beside the workers of a plain run: the same class, in turn.

python benchmarks/cluster.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import classes
import throughput

PAIRS = 3


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Submissions a second of both, and their ratio in pairs that ran one after the other."""
    count = 200 if quick else 1000
    plain, dask = [], []
    with tempfile.TemporaryDirectory() as room:
        folder = classes.honest(Path(room, "honest"), count)
        for _ in range(1 if quick else PAIRS):
            plain.append(throughput.graded(folder, count))
            dask.append(throughput.graded(folder, count, "--executor", "dask"))
    steady = statistics.median(two.steady / one.steady for one, two in zip(plain, dask, strict=True))
    whole = statistics.median(two.rate / one.rate for one, two in zip(plain, dask, strict=True))
    cores = throughput.CORES
    return [
        (
            f"honest class of {count}, exercises 1 to 3, {cores} workers: submissions/s",
            f"{statistics.median(one.steady for one in plain):.1f}",
        ),
        (
            f"the same on {cores} Dask workers: submissions/s",
            f"{statistics.median(one.steady for one in dask):.1f}",
        ),
        ("Dask as a share of that (target: 85 %)", f"{steady:.0%}"),
        ("the same, start of the cluster included", f"{whole:.0%}"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
