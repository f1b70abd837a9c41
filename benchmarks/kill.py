"""Kill a class's run at random moments with SIGKILL, and check that nothing is lost, torn or done twice.

python benchmarks/kill.py [--kills N] [--students N] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import classes

VOLATILE = re.compile(r'"(seconds|\w+_at)": [^,\n]+')


def command(folder: Path, out: Path) -> list[str]:
    """The command line of the class."""
    return [
        sys.executable,
        "-m",
        "grader",
        str(folder),
        "--out",
        str(out),
        *classes.ONLY,
        "--time-limit",
        "2",
    ]


def records(out: Path) -> dict[str, bytes]:
    """The record of each submission that is done."""
    return {path.stem: path.read_bytes() for path in (out / ".grade").glob("*.json")}


def results(out: Path) -> dict[str, str]:
    """Every scorecard, without what differs from run to run."""
    found = [path for path in out.iterdir() if path.suffix in (".json", ".html") and path.stem != "gradebook"]
    return {path.name: VOLATILE.sub("", path.read_text("utf-8")) for path in found}


def kill_once(folder: Path, out: Path, rng: random.Random, left: int) -> None:
    """Start a run, and kill it at a random moment: after some results, or before the first."""
    run = subprocess.Popen(
        command(folder, out), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    before, more = len(records(out)), rng.choice((0, 0, 1, 1, 2, 3))
    give_up = time.monotonic() + (rng.random() * 3 if more == 0 else 120)
    while run.poll() is None and time.monotonic() < give_up:
        if more and len(records(out)) >= min(before + more, before + left - 1):
            break
        time.sleep(0.001)
    time.sleep(rng.random() * 0.05)
    if run.poll() is None:
        # The whole group, as when power fails, or the parent alone.
        rng.choice((os.killpg, os.kill))(run.pid, signal.SIGKILL)
    run.wait()


def rows(*, kills: int, students: int, seed: int) -> list[tuple[str, str]]:
    """Kill a class's run so many times, and return what was found afterwards."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        folder = classes.mixed(room / "class", students, seed)
        subprocess.run(command(folder, room / "calm"), stdout=subprocess.DEVNULL, check=False)
        out, again = room / "killed", 0
        for _ in range(kills):
            done = records(out)
            kill_once(folder, out, rng, students - len(done))
            now = records(out)
            again += sum(now.get(student) != record for student, record in done.items())
        done = records(out)
        subprocess.run(command(folder, out), stdout=subprocess.DEVNULL, check=False)
        finished = records(out)
        again += sum(finished.get(student) != record for student, record in done.items())
        calm, killed = results(room / "calm"), results(out)
        return [
            (f"{kills} kills of a class of {students}: done before the last run", str(len(done))),
            ("lost or never graded", str(students - len(finished))),
            ("graded twice", str(again)),
            (
                "scorecards that differ from an undisturbed run's",
                str(sum(killed.get(k) != v for k, v in calm.items())),
            ),
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--students", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    for label, value in rows(kills=chosen.kills, students=chosen.students, seed=chosen.seed):
        print(f"{label}: {value}")
