"""What a class costs as it grows: seconds and memory from ten submissions to three thousand.

python benchmarks/growth.py [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import classes
from throughput import Graded, graded


def rows(*, quick: bool) -> list[tuple[str, str]]:
    """Seconds and peak memory for each size of class, and what one more submission costs."""
    sizes = (10, 40, 120) if quick else (10, 100, 1000, 3000)
    with tempfile.TemporaryDirectory() as room:
        found = [graded(classes.honest(Path(room, str(size)), size), size) for size in sizes]
    lines = [(f"class of {one.count}", f"{one.seconds:.1f} s, {one.peak_mb:.0f} MiB") for one in found]
    first, middle, last = found[0], found[len(found) // 2], found[-1]
    lines.append(("one more submission, small classes, ms", f"{_slope(first, middle):.1f}"))
    lines.append(("one more submission, large classes, ms (linear: the same)", f"{_slope(middle, last):.1f}"))
    growth = (last.peak_mb - middle.peak_mb) / (last.count - middle.count) * 1000
    lines.append(("memory for a thousand more, MiB (flat: near 0)", f"{growth:.0f}"))
    return lines


def _slope(small: Graded, large: Graded) -> float:
    return (large.seconds - small.seconds) / (large.count - small.count) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    for label, value in rows(quick=parser.parse_args().quick):
        print(f"{label}: {value}")
