"""An auto-grader for backprop written by hand.

The names below are the public Python interface; docs/api.md shows how to use them. They are imported when they are
first used, so that ``import grader`` itself is quick and needs no torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than this whole package
if TYPE_CHECKING:
    from typing import Any

    from grader.api import grade, grade_class
    from grader.batch.executors.futures import FuturesExecutor
    from grader.batch.executors.local import LocalPool
    from grader.batch.store import ResultStore
    from grader.batch.task import Executor, Task, TaskResult
    from grader.course.course import Course
    from grader.course.settings import Settings
    from grader.errors import (
        CourseError,
        GraderError,
        InternalError,
        IsolationError,
        SubmissionError,
        UsageError,
    )
    from grader.grading.engine import Engine
    from grader.reports.kinds import render
    from grader.scorecard.model import Outcome, Scorecard
    from grader.submissions.submission import Submission

__version__ = "0.1.0.dev0"

_HOMES = {
    "Course": "grader.course.course",
    "CourseError": "grader.errors",
    "Engine": "grader.grading.engine",
    "Executor": "grader.batch.task",
    "FuturesExecutor": "grader.batch.executors.futures",
    "GraderError": "grader.errors",
    "InternalError": "grader.errors",
    "IsolationError": "grader.errors",
    "LocalPool": "grader.batch.executors.local",
    "Outcome": "grader.scorecard.model",
    "ResultStore": "grader.batch.store",
    "Scorecard": "grader.scorecard.model",
    "Settings": "grader.course.settings",
    "Submission": "grader.submissions.submission",
    "SubmissionError": "grader.errors",
    "Task": "grader.batch.task",
    "TaskResult": "grader.batch.task",
    "UsageError": "grader.errors",
    "grade": "grader.api",
    "grade_class": "grader.api",
    "render": "grader.reports.kinds",
}

__all__ = [
    "Course",
    "CourseError",
    "Engine",
    "Executor",
    "FuturesExecutor",
    "GraderError",
    "InternalError",
    "IsolationError",
    "LocalPool",
    "Outcome",
    "ResultStore",
    "Scorecard",
    "Settings",
    "Submission",
    "SubmissionError",
    "Task",
    "TaskResult",
    "UsageError",
    "grade",
    "grade_class",
    "render",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
