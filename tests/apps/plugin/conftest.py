"""A student who runs pytest, in this process and with this session's judge."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from grader.grading.engine import Engine
from grader.scorecard.model import Scorecard
from grader.submissions.submission import Submission
from tests.conftest import ROOT

PLUGIN = "backprop_grader_pytest"
EX1, EX2, EX3, EX4 = "ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm", "ex4_training"
IMPORTED = "raise SystemExit('this file was imported')\n"


def words(*arguments: object) -> list[str]:
    """A command line that has the plugin, whether or not it is installed as an entry point."""
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    # What other plugins take to start is no business of these tests.
    return [*([] if installed else ["-p", PLUGIN]), "-p", "no:hypothesispytest", *map(str, arguments)]


class Recorder(Engine):
    """An engine that keeps which exercises were graded."""

    graded: list[str]

    def grade(self, submission: Submission | Path | str, exercises: Sequence[str] = ()) -> Scorecard:
        self.graded.extend(exercises)
        return super().grade(submission, exercises)

    def close(self) -> None:
        """Stay open: the same engine serves the next run of pytest."""


class Student:
    """A student's folder, and pytest run in it."""

    def __init__(self, pytester: pytest.Pytester, engine: Recorder) -> None:
        self.pytester = pytester
        self.engine = engine
        self.folder = pytester.mkdir("me")

    def hands_in(self, who: str, *ids: str) -> None:
        """Hand in what one of the samples has handed in."""
        for name in ids:
            self.writes(name, (ROOT / f"submissions/{who}/{name}.py").read_text("utf-8"))

    def writes(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.py"
        path.write_text(text, "utf-8")
        return path

    def runs(self, *arguments: object) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*words(*arguments))


@pytest.fixture
def me(pytester: pytest.Pytester, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Student:
    """A student whose work is graded by this session's engine."""
    recorder = Recorder.over(engine.prepared, engine.boxes)
    recorder.graded = []
    monkeypatch.setattr("grader.grading.engine.Engine", lambda *_, **options: recorder)
    return Student(pytester, recorder)


def collected(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]
