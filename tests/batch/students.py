"""A small class to grade: one short exercise, and students of every kind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

EXERCISE = "ex2_cross_entropy"

RIGHT = """import torch.nn.functional as F
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[range(n), Yb] -= 1
    return d / n
"""

WORK = {
    "ada": RIGHT,
    "ben": RIGHT.replace(" / n", ""),
    "cyd": "def dlogits(logits):\n    raise NotImplementedError\n",
    "dora": "def dlogits(:\n",
    "eve": "import os\ndef dlogits(logits):\n    os._exit(7)\n",
    "finn": "def dlogits(logits):\n    print({'one', 'two', 'six'}, dlogits)\n    return [logits]\n",
    "gus": "def dlogits(logits):\n    return logits[0]\n",
    "hana": RIGHT.replace("softmax", "log_softmax"),
    "ivo": "def dlogits(logits):\n    return logits.nosuch\n",
    "jan": RIGHT.replace("1\n", "2\n"),
    "kim": "# nothing here\n",
    "lea": RIGHT + "\nprint('hello')\n",
}

HANGING = "import time\ndef dlogits(logits):\n    time.sleep(600)\n"

VOLATILE = re.compile(r'"(seconds|\w+_at)": [^,\n]+')


def hand_in(folder: Path, work: dict[str, str] = WORK) -> Path:
    """A folder with one submission for each student."""
    for name, source in work.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"{EXERCISE}.py").write_text(source, "utf-8")
    return folder


def grade(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=300, check=False, **options
    )


def command(*words: object) -> list[str]:
    """The command line that grades the class's one exercise."""
    return [sys.executable, "-m", "grader", *map(str, words), "--exercise", EXERCISE]


def results(out: Path) -> dict[str, str]:
    """Every scorecard in an output folder, in every format, without what differs from run to run."""
    found = [path for path in out.iterdir() if path.suffix in (".json", ".html") and path.stem != "gradebook"]
    return {path.name: VOLATILE.sub("", path.read_text("utf-8")) for path in found}


def score(out: Path, name: str) -> float:
    """A submission's score."""
    return float(json.loads((out / f"{name}.json").read_text("utf-8"))["score"])
