"""The engine: a course made ready to grade with, and boxes that wait for student code.

Everything that grades stands on it: the command line, ``grade watch``, the pytest plugin, a class's workers.

Theory of operation
===================

An engine starts what opens its boxes (on Linux a process that imports torch once and is forked for each box),
and works out the course's cases and expected gradients while that one starts. Then it grades submissions, one
at a time: a second thread that asks waits for its turn. It looks at the course's files before each submission,
and works everything out anew where one was edited.

It changes nothing of its process behind its caller's back: torch's number of threads is put back after each
submission, and closing it ends every process it started.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from grader.course.course import Course
from grader.course.settings import Settings
from grader.errors import IsolationError, SubmissionError, UsageError
from grader.grading.fingerprint import RunFingerprint
from grader.grading.prepared import PreparedCourse, Stamp, one_thread
from grader.sandbox.open import Isolated, opener
from grader.submissions.submission import Submission

if TYPE_CHECKING:
    from grader.grading.incremental import FunctionCache
    from grader.grading.judge import Judge
    from grader.sandbox.process import Opener
    from grader.scorecard.model import Isolation, Scorecard


class Engine:
    """Grades submissions of one course, one at a time, and stays warm in between.

    Use it as a context manager, or call :meth:`close`: it holds processes.

    Args:
        course: a course or its folder; None for the one that comes with the package.
        exercises: ids of the exercises to grade, all of the course where empty.
        settings: seed, word list, limits, and how much hints may tell.
        isolation: ``auto`` uses every layer there is; ``strict`` refuses to grade unless answers, network and
            processes are kept apart.
        reuse: whether a function whose code is the same as the last time is not asked again. For one person who
            watches their own work; never for a grade.

    Raises:
        UsageError: an id that no exercise has, or a word list that cannot be read.
        CourseError: the course breaks its contract.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """

    def __init__(
        self,
        course: Course | Path | str | None = None,
        exercises: Sequence[str] = (),
        settings: Settings | None = None,
        *,
        isolation: str = "auto",
        reuse: bool = False,
    ) -> None:
        prepared = PreparedCourse(course_at(course), tuple(exercises), settings or Settings())
        with ExitStack() as stack:
            # What opens boxes imports torch while we do.
            boxes = stack.enter_context(opener(prepared.course.hidden, Isolated(isolation)))
            self._set_up(prepared, boxes, reuse=reuse, stamp=prepared.stamp())
            self._closing = stack.pop_all()

    @classmethod
    def over(cls, prepared: PreparedCourse, boxes: Opener, *, reuse: bool = False) -> Self:
        """An engine on what was prepared and opened elsewhere; closing it leaves both as they are.

        It keeps to the course as it was prepared, because all results of a class must be of one course.

        Args:
            prepared: the course.
            boxes: opens boxes.
            reuse: as for the constructor.
        """
        engine = cls.__new__(cls)
        engine._closing = ExitStack()
        engine._set_up(prepared, boxes, reuse=reuse)
        return engine

    def _set_up(
        self, prepared: PreparedCourse, boxes: Opener, *, reuse: bool, stamp: Stamp | None = None
    ) -> None:
        self._prepared = prepared
        self._boxes = boxes
        self._reuse = reuse
        self._turn = threading.Lock()
        self._closed = False
        self._stamp = stamp
        self._judge = self._appointed(prepared)

    def _appointed(self, prepared: PreparedCourse) -> Judge:
        from grader.grading.judge import Judge

        course, settings = prepared.course, prepared.settings
        return Judge(
            self._boxes,
            prepared.suites,
            settings,
            exercises=course.exercises,
            memory=_function_cache() if self._reuse else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process that the engine started. A submission that is being graded is waited for."""
        with self._turn:
            self._closed = True
            self._closing.close()

    @property
    def prepared(self) -> PreparedCourse:
        """The course as it was last read, with the exercises that are graded and their checks."""
        return self._prepared

    @property
    def boxes(self) -> Opener:
        """What opens its boxes."""
        return self._boxes

    @property
    def judge(self) -> Judge:
        """What compares answers and writes scorecards."""
        return self._judge

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the exercises that are graded, in the course's order."""
        return self._prepared.ids

    @property
    def isolation(self) -> Isolation:
        """The isolation layers in force, and those missing with the reason; waits until they were tried."""
        return self._boxes.isolation

    @cached_property
    def fingerprint(self) -> RunFingerprint:
        """Everything its scorecards depend on beside the submissions, as a digest."""
        prepared = self._prepared
        return RunFingerprint.of(prepared.course, prepared.exercises, prepared.settings, self.isolation)

    def grade(self, submission: Submission | Path | str, exercises: Sequence[str] = ()) -> Scorecard:
        """Grade one submission.

        Args:
            submission: a submission, or the path of one: a folder, a Python file or a notebook.
            exercises: some of :attr:`ids`, where not all of them are wanted this time.

        Returns:
            The scorecard. Whatever is the matter with the submission is told in it.

        Raises:
            SubmissionError: there is nothing at the path.
            UsageError: an exercise is asked for that is not one of :attr:`ids`.
            CourseError: the course was edited and breaks its contract now.
            IsolationError: no box can be opened, or the engine is closed.
        """
        with self._turn, one_thread():
            if self._closed:
                raise IsolationError("the engine is closed; open another to grade with")
            self._notice_edits()
            judge = self._judge
            if exercises:
                self._check(exercises)
                suites = tuple(one for one in judge.suites if one.exercise.id in exercises)
                judge = replace(judge, suites=suites)
            return judge.grade(self.read(submission))

    def refuse(self, submission: Submission, reason: str) -> Scorecard:
        """A scorecard that says of every gradient that the grader failed on it; nothing is read or run.

        Args:
            submission: whose.
            reason: why, for people.
        """
        return self._judge.refuse(submission, reason)

    def read(self, submission: Submission | Path | str) -> Submission:
        """A submission as it is, or the one at a path.

        Raises:
            SubmissionError: there is nothing at the path.
        """
        if isinstance(submission, Submission):
            return submission
        if not os.path.lexists(submission):
            raise SubmissionError(f"{submission}: no such file or folder")
        return Submission.from_path(Path(submission), self._prepared.course, self._prepared.only)

    def _check(self, exercises: Sequence[str]) -> None:
        """Refuse exercises that this engine does not grade."""
        for name in exercises:
            if name not in self.ids:
                raise UsageError(f"expected one of {', '.join(self.ids)}, found {name!r}", setting="exercise")

    def _notice_edits(self) -> None:
        """Prepare the course anew if one of its files is not what it was."""
        if self._stamp is None:
            return
        stamp = self._prepared.stamp()
        if stamp != self._stamp:
            prepared = self._prepared.afresh()
            # If the course is broken now, this raises, and the next submission has to find that out again.
            self._judge = self._appointed(prepared)
            self._prepared, self._stamp = prepared, stamp
            self.__dict__.pop("fingerprint", None)


def course_at(course: Course | Path | str | None) -> Course:
    """A course as its files are now, the one in a folder, or the one that comes with the package.

    Raises:
        CourseError: there is none.
    """
    if course is None:
        return Course.shipped()
    # What a caller holds may have been read before its files were edited.
    return Course(course.root) if isinstance(course, Course) else Course.at(Path(course))


def _function_cache() -> FunctionCache:
    from grader.grading.incremental import FunctionCache

    return FunctionCache()
