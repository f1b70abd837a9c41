"""All benchmarks, one command; the table goes into benchmarks/README.md.

python benchmarks/run.py [--quick] [--only NAME ...] [--no-write]

``--quick`` takes some three minutes and small samples; without it, an hour. Figures of one run are comparable
with each other and not with another machine's, so what counts are ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "README.md"
MARK = "<!-- what follows is written by run.py -->"

SECTIONS = {
    "startup": "One submission beside a bare import of torch",
    "isolation": "What isolation costs",
    "throughput": "Throughput on a class, and beside other graders",
    "cluster": "A Dask cluster of two workers beside two workers of a plain run",
    "growth": "As the class grows",
    "stages": "What the time goes into",
    "training": "Training with one's own backward pass",
    "watch": "What a save costs who watches",
    "diagnosis": "What saying why costs",
}

Rows = list[tuple[str, str]]


def measured(name: str, *, quick: bool) -> Rows:
    """Return one section's figures; a section that fails says so, and the others go on."""
    started = time.perf_counter()
    try:
        rows: Rows = import_module(name).rows(quick=quick)
    except Exception as error:
        rows = [("failed", f"{type(error).__name__}: {error}")]
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows


def table(title: str, rows: Rows) -> str:
    """A section in Markdown."""
    lines = [f"## {title}", "", "| what | figure |", "| --- | ---: |"]
    return "\n".join([*lines, *(f"| {what} | {figure} |" for what, figure in rows), ""])


def machine(*, quick: bool) -> str:
    """The machine that was measured on."""
    cores = len(os.sched_getaffinity(0))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    size = "quick run, small samples" if quick else "full run"
    return (
        f"{size}; {cores} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, torch {version('torch')}; load when it began: {load}"
    )


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small samples, some three minutes")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="only this section (repeatable)")
    parser.add_argument("--no-write", action="store_true", help="leave README.md as it is")
    chosen = parser.parse_args()
    sys.path.insert(0, str(HERE))
    about = machine(quick=chosen.quick)
    names = chosen.only or list(SECTIONS)
    parts = [table(SECTIONS[name], measured(name, quick=chosen.quick)) for name in names]
    text = "\n".join([about + ".\n", *parts])
    print(text)
    if not chosen.no_write:
        kept = TABLE.read_text("utf-8").partition(MARK)[0] if TABLE.exists() else ""
        TABLE.write_text(f"{kept}{MARK}\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
