"""Another package adds a report, a hint, a layer or an executor, and no file of the grader changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EX2 = "ex2_cross_entropy"
ENTRY_POINTS = "\n".join(
    f"[backprop_grader.{kind}s]\nnewcomer = newcomer.{kind}{what}\n"
    for kind, what in (("report", ""), ("hint", ""), ("layer", ":LAYER"), ("executor", ""))
)
MODULES = {
    "__init__": "",
    "report": '''"""Only the names, in capitals."""
KIND = "capitals"
def render(scorecards, context):
    return " ".join(card.submission.name.upper() for card in scorecards)
''',
    "hint": '''"""Anything that is wrong."""
from grader.hints.text import hint
ORDER = 0
def explain(inquiry):
    yield hint("newcomer", None, "A newcomer says so.", "It was wrong.")
''',
    "layer": '''"""A layer that closes nothing."""
from grader.sandbox.layers import Layer, nothing
LAYER = Layer("newcomer", 98, "nothing at all", "install the newcomer", nothing)
''',
    "executor": '''"""One after another, in this process."""
from grader.batch.executors import local
KIND = "newcomer"
def open_executor(jobs, argument):
    print("the newcomer grades")
    return local.open_executor(jobs, argument)
''',
}


@pytest.fixture
def grade(tmp_path: Path):
    """Run the command line where the newcomer is installed."""
    package = tmp_path / "site"
    (package / "newcomer").mkdir(parents=True)
    (package / "newcomer-1.dist-info").mkdir()
    (package / "newcomer-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: newcomer\nVersion: 1\n"
    )
    (package / "newcomer-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    for name, text in MODULES.items():
        (package / "newcomer" / f"{name}.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)])}

    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", "grader", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_report_is_used(grade, tmp_path: Path) -> None:
    grade(ROOT / "submissions/alice", "--exercise", EX2, "--report", f"capitals={tmp_path / 'names'}")
    assert (tmp_path / "names").read_text("utf-8") == "ALICE"


def test_a_hint_is_told(grade, tmp_path: Path) -> None:
    work = tmp_path / "me"
    work.mkdir()
    (work / f"{EX2}.py").write_text("def dlogits(logits, Yb, n):\n    return logits * 0 + 1\n")
    grade(work, "--exercise", EX2)
    assert "A newcomer says so." in (tmp_path / "scorecards/me.json").read_text("utf-8")


def test_a_layer_is_listed(grade) -> None:
    assert "newcomer" in grade("doctor")


def test_an_executor_grades(grade, tmp_path: Path) -> None:
    for name in ("ann", "ben"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / f"{EX2}.py").write_text("def dlogits(logits):\n    return logits\n")
    assert "the newcomer grades" in grade(tmp_path / "class", "--exercise", EX2, "--executor", "newcomer")
