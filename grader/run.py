"""One run of the grader: a course, an opener of boxes and a judge, and the submissions they are for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader import submission
from grader.box.opening import Isolated, opener
from grader.course import Course
from grader.errors import OperatorError
from grader.settings import Settings

if TYPE_CHECKING:
    from grader.judge import Judge
    from grader.scorecard import Scorecard


@dataclass(frozen=True)
class Run:
    """What is to be graded, and by what; iterate over it to have it graded."""

    judge: Judge
    paths: tuple[Path, ...]
    exercise_ids: tuple[str, ...]
    only: tuple[str, ...]

    def __iter__(self) -> Iterator[Scorecard]:
        """The scorecards, one at a time, in order."""
        for path in self.paths:
            yield self.judge.grade(submission.read(path, self.exercise_ids, self.only))


@contextmanager
def open_run(
    paths: Sequence[Path],
    *,
    only: Sequence[str],
    course: Path | None,
    isolation: str,
    settings: Settings,
) -> Iterator[Run]:
    """Prepare to grade.

    Args:
        paths: submissions, or folders of them; at least one.
        only: ids of the exercises to grade, all of the course where empty.
        course: the course's folder, or None for the one around the first path.
        isolation: which isolation layers must be in force.
        settings: what the operator chose.

    Raises:
        OperatorError: a path, an id or the course is not as it should be; nothing has been graded.
        IsolationError: no box can be opened, or a layer is missing that strict isolation needs.
    """
    home = Course.at(course) if course is not None else Course.around(paths[0])
    # The boxes' parent imports torch while we do.
    with opener(home.hidden, Isolated(isolation)) as boxes:
        from grader.judge import Judge, prepare_benches

        exercises = home.select(tuple(only))
        ids = tuple(exercise.id for exercise in home.exercises)
        found = submission.find(paths, ids, only)
        _one_of_each_name(found)
        wanted = tuple(exercise.id for exercise in exercises)
        judge = Judge(boxes, prepare_benches(home, exercises, settings), settings)
        yield Run(judge, found, ids, wanted)


def _one_of_each_name(paths: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in paths:
        name = submission.name_of(path)
        if name in names:
            raise OperatorError(f"{path}: expected one submission named {name}, found {names[name]}, too")
        names[name] = path
