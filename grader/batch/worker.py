"""A worker: an engine of its own, replaced when its boxes fail, that makes a result of every task."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from grader.batch.task import Task, TaskResult, WorkerConfig
from grader.errors import IsolationError, UsageError
from grader.grading.engine import Engine
from grader.sandbox.open import opener

if TYPE_CHECKING:
    from grader.sandbox.process import Opener
    from grader.scorecard.model import Isolation, Scorecard
    from grader.submissions.submission import Submission

DEATHS = 2
"""Workers that one submission may cost before it is given up."""

TRIES = 2
"""Engines whose boxes may fail on one submission before it is given up."""

REASON = 300
"""Characters of an exception's text that go into a scorecard; some quote what they fail on."""

LOST = "the grader's own process died over this submission, twice"

logger = logging.getLogger(__name__)


class WorkerEngine:
    """Where one worker grades.

    Args:
        config: what it was given.
        boxes: what opens its boxes, where somebody else started it already; it is closed here.
    """

    def __init__(self, config: WorkerConfig, boxes: Opener | None = None) -> None:
        self._config = config
        self.closing = ExitStack()
        """Ends the engine's boxes."""
        self._engine = self._opened(boxes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine's boxes."""
        self.closing.close()

    @property
    def isolation(self) -> Isolation:
        """The isolation layers in force in this worker."""
        return self._engine.isolation

    def do(self, task: Task) -> TaskResult:
        """Make a result of a task; where the grader fails on the submission, one that says so.

        Raises:
            IsolationError: not even a new engine can open a box.
        """
        if task.deaths >= DEATHS:
            return self._refused(task.submission, LOST)
        try:
            return TaskResult.of(task.submission, self._graded(task.submission))
        except (IsolationError, UsageError):
            raise
        except Exception as error:
            # A bug of ours must not end the class. This submission is not touched again.
            logger.exception("failed on the submission %s", task.submission.name)
            return self._refused(task.submission, f"{type(error).__name__}: {error}")

    def _graded(self, submission: Submission) -> Scorecard:
        for _ in range(TRIES):
            try:
                return self._engine.grade(submission)
            except IsolationError as error:
                logger.warning("opens another engine: %s", error)
                self._engine = self._opened()
                _ = self._engine.isolation  # if not even this can be reported, the run is over
                excuse = str(error)
        return self._engine.refuse(submission, excuse)

    def _refused(self, submission: Submission, reason: str) -> TaskResult:
        return TaskResult.of(submission, self._engine.refuse(submission, reason[:REASON]))

    def _opened(self, boxes: Opener | None = None) -> Engine:
        """An engine with boxes that were handed over, or with new ones."""
        self.closing.close()
        if boxes is None:
            hidden = self._config.prepared.course.hidden
            boxes = self.closing.enter_context(opener(hidden, self._config.isolation))
        else:
            self.closing.callback(boxes.close)
        return Engine.over(self._config.prepared, boxes)
