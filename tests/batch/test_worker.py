"""A worker makes a result of every task, also of one that the grader fails on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from grader.batch.task import Task, WorkerConfig
from grader.batch.worker import DEATHS, REASON, WorkerEngine
from grader.course.settings import Settings
from grader.errors import IsolationError
from grader.grading.engine import Engine
from grader.grading.prepared import PreparedCourse
from grader.sandbox.linux import Zygote
from grader.scorecard.model import Outcome
from grader.submissions.submission import Submission
from tests.batch import students


class Lent:
    """An opener that outlives the worker it is lent to."""

    def __init__(self, boxes: Zygote) -> None:
        self._boxes = boxes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._boxes, name)

    def close(self) -> None: ...


@pytest.fixture
def worker(engine: Engine) -> WorkerEngine:
    course = engine.prepared.course
    config = WorkerConfig(PreparedCourse(course, (students.EXERCISE,), Settings(time_limit_s=5)))
    return WorkerEngine(config, Lent(engine.boxes))  # type: ignore[arg-type]


def task(worker: WorkerEngine, source: str = students.RIGHT, **more: int) -> Task:
    files = {f"{students.EXERCISE}.py": source.encode()}
    return Task(Submission.from_files("ada", files, worker._config.prepared.course), **more)


def outcomes(worker: WorkerEngine, one: Task) -> set[Outcome]:
    result = worker.do(one)
    return {gradient.outcome for exercise in result.scorecard.exercises for gradient in exercise.gradients}


def test_a_right_submission_has_a_result_in_every_format(worker: WorkerEngine) -> None:
    result = worker.do(task(worker))
    assert result.files.keys() == {".json", ".html"}
    assert result.scorecard.score == 1 and not result.at_fault


def test_whatever_is_raised_over_a_submission_is_its_result(
    worker: WorkerEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the grader's fault, is logged with its traceback, and the next one is graded."""

    def broken(self: Engine, submission: Submission) -> None:
        raise ValueError("4,000 digits " * 400)

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(Engine, "grade", broken)
        result = worker.do(task(worker))
    assert result.at_fault
    (exercise,) = result.scorecard.exercises
    assert all(gradient.outcome is Outcome.GRADER_FAULT for gradient in exercise.gradients)
    assert any(record.exc_info for record in caplog.records)
    assert len(result.files[".json"]) < 20 * REASON, "an exception's text is not told at any length"
    assert not worker.do(task(worker)).at_fault


def test_what_cannot_be_rendered_is_reported_all_the_same(
    worker: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grader.batch import task as tasks

    whole, tried = tasks.rendered, []

    def once(scorecard: Any) -> Mapping[str, bytes]:
        tried.append(scorecard)
        if len(tried) == 1:
            raise RuntimeError("no such template")
        return whole(scorecard)

    monkeypatch.setattr(tasks, "rendered", once)
    assert worker.do(task(worker)).at_fault


def test_a_submission_that_cost_workers_is_not_touched(
    worker: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(self: Engine, submission: Submission) -> None:
        raise AssertionError("graded once more")

    monkeypatch.setattr(Engine, "grade", touched)
    assert outcomes(worker, task(worker, deaths=DEATHS)) == {Outcome.GRADER_FAULT}


def test_boxes_that_fail_are_opened_anew_and_once_more_only(
    worker: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second failure over one submission is the grader's fault on it."""
    opened: list[str] = []

    def fails(self: Engine, submission: Submission) -> None:
        opened.append(submission.name)
        raise IsolationError("the box's parent process is gone")

    monkeypatch.setattr(Engine, "grade", fails)
    assert outcomes(worker, task(worker)) == {Outcome.GRADER_FAULT}
    assert len(opened) == 2
    worker.close()
