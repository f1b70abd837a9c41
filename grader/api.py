"""The two calls that most programs need: grade one submission, grade a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from grader.batch.run import open_class
from grader.batch.store import ResultStore
from grader.batch.task import Executor, TaskResult
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.engine import Engine, course_at
from grader.grading.prepared import PreparedCourse
from grader.scorecard.model import Scorecard
from grader.submissions.submission import Submission


def grade(
    path: Submission | Path | str,
    *,
    course: Course | Path | str | None = None,
    exercises: Sequence[str] = (),
    settings: Settings | None = None,
    isolation: str = "auto",
) -> Scorecard:
    """Grade one submission.

    To grade several, keep an :class:`~grader.grading.engine.Engine`, or use :func:`grade_class`.

    Args:
        path: a submission, or the path of one: a folder, a Python file or a notebook.
        course: a course or its folder; None for the one that comes with the package.
        exercises: ids of the exercises to grade, all of the course where empty.
        settings: seed, word list, limits (seconds, MiB), and how much hints may tell.
        isolation: ``auto``, or ``strict`` to refuse unless answers, network and processes are kept apart.

    Returns:
        The scorecard. Whatever is the matter with the submission is told in it, and never raised.

    Raises:
        SubmissionError: there is nothing at the path.
        UsageError: an id that no exercise has, or a word list that cannot be read.
        CourseError: the course breaks its contract.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """
    with Engine(course, exercises, settings, isolation=isolation) as engine:
        return engine.grade(path)


def grade_class(
    submissions: Iterable[Submission | Path | str],
    *,
    course: Course | Path | str | None = None,
    exercises: Sequence[str] = (),
    settings: Settings | None = None,
    isolation: str = "auto",
    executor: Executor | None = None,
    store: ResultStore | None = None,
    jobs: int | None = None,
    regrade: bool = False,
) -> Iterator[TaskResult]:
    """Grade many submissions in parallel.

    Args:
        submissions: submissions, or the paths of such; each of another name.
        course: a course or its folder; None for the one that comes with the package.
        exercises: ids of the exercises to grade, all of the course where empty.
        settings: seed, word list, limits (seconds, MiB), and how much hints may tell.
        isolation: ``auto``, or ``strict`` to refuse unless answers, network and processes are kept apart.
        executor: where to grade; None for processes of this machine. Whoever made it closes it.
        store: where results are written, and where those of earlier runs are taken up; None to keep nothing.
        jobs: how many submissions are graded at a time where no executor is given; None for as many as there are
            processors.
        regrade: whether to grade also what the store has and what has not changed.

    Yields:
        The result of each submission, as it comes: first those that the store had.

    Raises:
        UsageError: an id, the course, a name or the store is not as it should be, or, once all is graded, a result
            could not be written.
        CourseError: the course breaks its contract.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
        InternalError: the workers keep dying.
    """
    prepared = PreparedCourse(course_at(course), tuple(exercises), settings or Settings())
    with open_class(
        list(submissions),
        prepared,
        isolation=isolation,
        executor=executor,
        store=store,
        jobs=jobs,
        regrade=regrade,
    ) as run:
        yield from run
        run.check_written()
