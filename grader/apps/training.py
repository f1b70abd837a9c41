"""``grade train PATH``: grade one submission, then train the whole network with its gradients."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from grader.apps import console
from grader.apps.process import quick_start
from grader.apps.training_progress import watched
from grader.batch.store import ResultStore
from grader.course.course import Course
from grader.course.settings import Settings
from grader.errors import GraderError, UsageError
from grader.grading.engine import Engine
from grader.grading.prepared import PreparedCourse
from grader.grading.training import Trainer
from grader.reports import table
from grader.submissions.discover import laid_out
from grader.submissions.submission import Submission


@dataclass(frozen=True)
class Training:
    """What one call of ``grade train`` was told.

    Args:
        prepared: the course and the settings.
        out: where scorecards go.
        isolation: which layers must be in force.
    """

    prepared: PreparedCourse
    out: Path
    isolation: str

    @classmethod
    def of(cls, course: Course, settings: Settings, out: Path, isolation: str) -> Training:
        """Read the request off the command line's options."""
        return cls(PreparedCourse(course, (), settings), out, isolation)

    def run(self, path: Path, *, steps: int, exercise: str | None, time_limit_s: float | None) -> int:
        """Grade and train; the exit status.

        Args:
            path: one submission.
            steps: how many steps to make.
            exercise: the id of the exercise that trains, where the course has several.
            time_limit_s: for all steps; None for as long a step as the exercise allows.

        Raises:
            UsageError: there is not one submission, or nothing that trains.
        """
        prepared = self.prepared
        with laid_out([path], prepared.course.ids) as layout:
            if len(layout.found) != 1:
                raise UsageError(f"{path}: expected one submission to train with, found {len(layout.found)}")
            submission = layout.found[0].read(prepared.course.ids, prepared.ids)
            trainer = Trainer.of(
                submission,
                prepared.course,
                prepared.settings,
                steps=steps,
                exercise=exercise,
                time_limit_s=time_limit_s,
            )
            return self._train(trainer, submission)

    def _train(self, trainer: Trainer, submission: Submission) -> int:
        """Keep the graded result before the training begins."""
        prepared, store, colour = self.prepared, ResultStore(self.out), sys.stdout.isatty()
        with quick_start():
            engine = Engine(prepared.course, (), prepared.settings, isolation=self.isolation)
        with engine:
            store.open()
            # Under the key of a whole class: its next run keeps the training, unless something has changed, or the
            # grader failed.
            scorecard = engine.grade(submission)
            key = None if scorecard.at_fault else engine.fingerprint.key(submission)
            store.keep(store.richer(scorecard), key)
            console.say(table.render(scorecard, colour=colour))
            with watched(trainer.oracle.descent.steps) as show:
                training = trainer.train(engine.boxes, show)
            store.keep(scorecard.with_training(trainer.exercise, training), key)
        console.say(table.render_training(training, colour=colour), nl=False)
        console.say(f"Scorecards: {store.path(submission.name, '.html')}")
        return GraderError.exit_status if scorecard.at_fault else int(training.broke_down)
