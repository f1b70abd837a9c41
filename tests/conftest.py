"""What the tests share: one zygote and one judge for the whole session, and small made-up courses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.engine import Engine
from grader.grading.judge import Judge
from grader.grading.prepared import PreparedCourse
from grader.sandbox.linux import Zygote
from grader.scorecard.model import Scorecard
from grader.submissions import submission
from tests.wanted import tool

ROOT = Path(__file__).parent.parent

# No test asserts on a time, and so neither do properties: a busy machine takes as long as it takes.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Say what our own marks mean, and have Ctrl-C reach the programs that tests start."""
    # A shell starts what runs in the background deaf to SIGINT, and everything below inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "wants(*tools): needs these tools of tests/wanted.py, or is skipped")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test for want of a tool, or fail it where nothing may be wanting."""
    for mark in item.iter_markers("wants"):
        for name in mark.args:
            tool(name)


@pytest.fixture(scope="session")
def course() -> Course:
    """The course in this repository."""
    return Course.at(ROOT)


@pytest.fixture(scope="session")
def zygote(course: Course) -> Iterator[Zygote]:
    """A running zygote."""
    boxes = Zygote(course.hidden)
    yield boxes
    boxes.close()


@pytest.fixture(scope="session")
def judge(engine: Engine) -> Judge:
    """A judge of all exercises, with a time limit that a hang in a test can afford."""
    return engine.judge


@pytest.fixture(scope="session")
def engine(course: Course, zygote: Zygote) -> Engine:
    """An engine of all exercises, with a time limit that a hang in a test can afford."""
    return Engine.over(PreparedCourse(course, (), Settings(time_limit_s=5)), zygote)


class Desk:
    """Grades source text as if it had been handed in."""

    def __init__(self, judge: Judge, folder: Path) -> None:
        self._judge = judge
        self._folder = folder

    @property
    def judge(self) -> Judge:
        """The judge that grades."""
        return self._judge

    def grade(self, files: dict[str, str | bytes]) -> Scorecard:
        """The scorecard of a submission with these files, by exercise id or file name."""
        for name, content in files.items():
            path = self._folder / (name if "." in name else f"{name}.py")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.grade_folder(self._folder)

    def grade_folder(self, folder: Path) -> Scorecard:
        """The scorecard of a submission's folder."""
        ids = [suite.exercise.id for suite in self._judge.suites]
        return self._judge.grade(submission.read(folder, ids))

    def outcomes(self, files: dict[str, str | bytes], exercise: str = "ex1_step_by_step") -> dict[str, str]:
        """Each gradient's outcome in one exercise."""
        card = self.grade(files)
        (result,) = [e for e in card.exercises if e.id == exercise]
        return {gradient.name: gradient.outcome.value for gradient in result.gradients}


@pytest.fixture
def desk(judge: Judge, tmp_path: Path) -> Desk:
    """Grade files in a folder of this test's own."""
    folder = tmp_path / "student"
    folder.mkdir()
    return Desk(judge, folder)
