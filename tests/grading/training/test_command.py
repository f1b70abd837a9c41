"""``grade train``: grades, trains, and loses nothing, whoever interrupts it when."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grader.apps.cli import INTERRUPTED
from grader.batch.store import ResultStore
from grader.grading.engine import Engine
from tests.apps.test_cli import VOLATILE, Shell
from tests.conftest import ROOT
from tests.grading.training.lecture import EXERCISE, FAST, LOOP

ONE = ROOT / "submissions/alice"


FEW = ("--words", "few.txt")
"""Words enough to have every letter, and few enough to be gone through at once."""


@pytest.fixture
def grade(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture(autouse=True)
def words(tmp_path: Path) -> None:
    names = (ROOT / "exercises/data/names.txt").read_text("utf-8").splitlines()[:2000]
    (tmp_path / "few.txt").write_text("\n".join(names), "utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A submission of the exercise that trains, and of no other."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / f"{EXERCISE}.py").write_text(FAST)
    return tmp_path / "mine"


def card(out: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{name}.json").read_text("utf-8"))
    return found


def trainings(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [e["training"] for e in found["exercises"] if e["training"] is not None]


def test_where_the_grader_fails_nothing_is_kept_for_the_next_run(
    grade: Shell, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class's next run would take the failure over, and never grade the submission."""
    monkeypatch.setattr(Engine, "grade", lambda engine, submission: engine.refuse(submission, "it failed"))
    assert grade("train", mine, "--steps", 1, "--out", "out", *FEW)[0] == 3
    assert (tmp_path / "out" / "mine.json").exists()
    assert not ResultStore(tmp_path / "out").knows("mine")


def test_a_training_stands_in_the_whole_scorecard(grade: Shell, tmp_path: Path) -> None:
    """The same exercises, points and files as of ``grade PATH``; the curve is in the page."""
    assert grade(ONE, "--out", "plain")[0] == 0
    status, out, err = grade("train", ONE, "--steps", 60, "--out", "trained")
    assert (status, err) == (0, "")
    plain, trained = card(tmp_path / "plain", "alice"), card(tmp_path / "trained", "alice")
    (training,) = trainings(trained)
    assert (training["done"], training["steps"], training["trouble"]) == (60, 60, None)
    assert len(training["names"]) == 20 and training["published"] is None
    for exercise in trained["exercises"]:
        exercise["training"] = None
    assert VOLATILE.sub("", json.dumps(trained, indent=1)) == VOLATILE.sub("", json.dumps(plain, indent=1))
    pages = [path.name for path in (tmp_path / "trained").iterdir() if path.suffix == ".html"]
    assert pages == ["alice.html"]
    assert "The whole training" in (tmp_path / "trained/alice.html").read_text("utf-8")
    assert "score 38/38" in out and "60 of 60 steps on names.txt" in out
    assert "Names from this network:" in out
    assert out.isascii()


def test_the_same_training_gives_the_same_bytes_and_outlasts_another_grading(
    grade: Shell, tmp_path: Path, mine: Path
) -> None:
    """But for ``seconds`` in the JSON; the page tells none."""
    for out in ("one", "two"):
        assert grade("train", mine, "--steps", 40, "--out", out, *FEW)[0] == 0
    assert grade(mine, "--out", "two", *FEW)[0] == 1
    one, two = ((tmp_path / out / "mine.json").read_text("utf-8") for out in ("one", "two"))
    assert len(trainings(json.loads(one))) == 1
    assert VOLATILE.sub("", one) == VOLATILE.sub("", two)
    assert (tmp_path / "one/mine.html").read_bytes() == (tmp_path / "two/mine.html").read_bytes()


def test_a_class_keeps_the_training_of_one_of_its_own(grade: Shell, tmp_path: Path) -> None:
    """What has not changed is not graded again, so the training stays."""
    for name in ("ada", "ben"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / f"{EXERCISE}.py").write_text(FAST if name == "ada" else "")
    grade("train", "class/ada", "--steps", 40, *FEW)
    status, out, _ = grade("class", "--jobs", 1, *FEW)
    assert status == 1
    assert "1 graded before and unchanged" in out
    assert len(trainings(card(tmp_path / "scorecards", "ada"))) == 1


def test_a_submission_that_breaks_down_exits_with_one(grade: Shell, tmp_path: Path, mine: Path) -> None:
    """And with a scorecard that says at which step."""
    (mine / f"{EXERCISE}.py").write_text(FAST.replace(LOOP, LOOP + "            assert i < 20, '<i>'\n"))
    status, out, _ = grade("train", mine, "--steps", 40, *FEW)
    assert status == 1
    assert "it had come to step 21 of 40" in out
    (training,) = trainings(card(tmp_path / "scorecards", "mine"))
    assert (training["done"], training["stopped"]) == (20, False)
    page = (tmp_path / "scorecards/mine.html").read_text("utf-8")
    assert "AssertionError: &lt;i&gt;" in page and "<i>" not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["other"], f"expected a file {EXERCISE}.py to train with, found none"),
        (["both"], "both: expected one submission to train with, found 2"),
        (["both/ada", "--exercise", "ex2_cross_entropy"], "expected one exercise that trains"),
        (["both/ada", "--steps", "0"], "--steps"),
        (["both/ada", "--steps", "1000001"], "--steps"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_writes_nothing(
    grade: Shell, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/ex2_cross_entropy.py").write_text("")
    for name in ("ada", "ben"):
        (tmp_path / "both" / name).mkdir(parents=True)
        (tmp_path / "both" / name / f"{EXERCISE}.py").write_text(FAST)
    status, out, err = grade("train", *words)
    assert (status, out) == (2, "")
    assert message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "scorecards").exists()


def test_a_file_that_cannot_be_run_is_graded_all_the_same(grade: Shell, tmp_path: Path, mine: Path) -> None:
    (mine / f"{EXERCISE}.py").write_text("def train(:\n")
    status, out, err = grade("train", mine, "--steps", 40)
    assert status == 2
    assert "SyntaxError" in out and "SyntaxError" in err
    assert card(tmp_path / "scorecards", "mine")["score"] == 0


class Terminal:
    """``grade train`` at a terminal of its own, which is where somebody presses Ctrl-C."""

    def __init__(self, *words: object, folder: Path) -> None:
        self._ours, theirs = os.openpty()
        command = [sys.executable, "-m", "grader", "train", *map(str, words)]
        self._process = subprocess.Popen(
            command,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "COLUMNS": "100"},
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def read(self, until: str | None = None) -> None:
        """Read until something is shown, or to the end."""
        # A terminal whose last user has gone says so with an error.
        with contextlib.suppress(OSError):
            while until is None or until not in self.seen:
                piece = os.read(self._ours, 1 << 16)
                if not piece:
                    break
                self.seen += piece.decode("utf-8", "replace")

    def interrupt(self) -> None:
        """What Ctrl-C does: the signal goes to everything that runs there."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self) -> int:
        """The exit status."""
        self.read()
        os.close(self._ours)
        return self._process.wait(120)

    def insist(self) -> None:
        """Press Ctrl-C until it ends."""
        while self._process.poll() is None:
            self.interrupt()
            time.sleep(1)


def test_ctrl_c_keeps_what_there_is(tmp_path: Path, mine: Path) -> None:
    """Progress is shown; one Ctrl-C ends the training, whose loss, curve and names are in the scorecard."""
    terminal = Terminal(mine, "--steps", 1_000_000, *FEW, folder=tmp_path)
    terminal.read(until="steps/s")
    terminal.interrupt()
    assert terminal.wait() == 0, terminal.seen
    (training,) = trainings(card(tmp_path / "scorecards", "mine"))
    assert training["stopped"] and 0 < training["done"] < 1_000_000
    assert training["hand"]["steps"] == training["done"]
    assert training["hand"]["averages"]["validation"] > 0 and len(training["names"]) == 20
    assert re.search(r"loss \d\.\d|loss -", terminal.seen)
    assert "stopped at step" in terminal.seen


def test_ctrl_c_twice_keeps_what_was_graded(tmp_path: Path, mine: Path) -> None:
    """Also a training from before, which was whole."""
    # At step 311, after all that is graded, it hears nothing any more.
    (mine / f"{EXERCISE}.py").write_text(FAST.replace(LOOP, LOOP + "            while i == 310: pass\n"))
    first = Terminal(mine, "--steps", 310, *FEW, folder=tmp_path)
    assert first.wait() == 0, first.seen
    before = card(tmp_path / "scorecards", "mine")
    assert trainings(before)[0]["done"] == 310
    second = Terminal(mine, "--steps", 400, *FEW, folder=tmp_path)
    second.read(until="311/400")
    second.insist()
    # One press too many finds it on its way out.
    assert second.wait() in (INTERRUPTED, -signal.SIGINT), second.seen
    after = card(tmp_path / "scorecards", "mine")
    assert trainings(after) == trainings(before)
    assert after["score"] == before["score"] > 0
