"""`grade test` shows gradients as tests, and runs nothing of a submission outside its box."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch import students
from tests.conftest import ROOT

RAISES = "raise SystemExit('this was imported')\n"


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "grade"), "test", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A right submission among everything that pytest would run of it."""
    folder = students.hand_in(tmp_path / "class", {"ada": students.RIGHT}) / "ada"
    for name in ("conftest.py", "test_it.py", "it_test.py", "__init__.py", "sneaky.py", "grader.py"):
        (folder / name).write_text(RAISES)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p sneaky\npython_files = *.py\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_more.py").write_text(RAISES)
    return folder


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_nothing_of_the_submission_is_imported(trap: Path, where: str) -> None:
    inside = where == "inside"
    done = run("." if inside else trap, cwd=trap if inside else trap.parent)
    assert "this was imported" not in done.stdout + done.stderr
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_status_is_that_of_grading(tmp_path: Path) -> None:
    """1 where a point is lost; 2 where there is no submission."""
    work = students.hand_in(tmp_path / "class", {"ben": students.WORK["ben"]})
    done = run(work, cwd=tmp_path)
    assert done.returncode == 1 and "1 failed" in done.stdout
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", cwd=tmp_path)
    assert done.returncode == 2 and "expected submissions, found no file of one" in done.stderr


@pytest.mark.parametrize("words", ["and (", "nosuch"])
def test_words_that_fit_nothing_are_the_callers_to_mend(tmp_path: Path, words: str) -> None:
    work = students.hand_in(tmp_path / "class", {"ada": students.RIGHT})
    done = run(work, "-k", words, cwd=tmp_path)
    assert done.returncode == 2 and f"-k {words}: expected words" in done.stderr


def test_a_signal_ends_it_and_is_no_failed_test(tmp_path: Path) -> None:
    """Pytest would take what the signal raises for one more failure, and go on."""
    work = students.hand_in(tmp_path / "class", {"ada": students.RIGHT})
    program = f"""
import os, signal, sys
from grader.grading.engine import Engine
Engine.grade = lambda *about: os.kill(os.getpid(), signal.SIGTERM)
from grader.apps.cli import main
main(["test", {str(work)!r}])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stdout + done.stderr
    assert "ended by SIGTERM" in done.stderr


def test_gradients_are_chosen_by_name() -> None:
    done = run("submissions/alice/ex1_step_by_step.py", "-k", "dprobs or dh", cwd=ROOT)
    assert "passed" in done.stdout and "deselected" in done.stdout


def test_a_students_own_grader_does_not_break_their_tests(tmp_path: Path) -> None:
    """The plugin stands aside in one line, and pytest does its work."""
    (tmp_path / "grader.py").write_text("def mark():\n    return 1\n")
    (tmp_path / "test_mine.py").write_text("import grader\n\ndef test_it():\n    assert grader.mark() == 1\n")
    command = [sys.executable, "-m", "pytest", "-q", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "another module named `grader` stands in the way" in done.stderr + done.stdout
