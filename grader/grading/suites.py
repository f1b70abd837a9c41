"""Make suites: draw the cases of some exercises, and gather what they are graded with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from grader.checks.cases import LECTURE, CaseSource, mixed, sources
from grader.checks.descent import DescentOracle
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.settings import Settings
from grader.grading.plan import case_owners


def prepare_suites(
    course: Course, exercises: Sequence[Exercise], settings: Settings
) -> tuple[ExerciseSuite, ...]:
    """Draw the cases of some exercises, and gather what confirms their expected gradients.

    Raises:
        CourseError, UsageError: the course or the word list is broken.
    """
    owners = case_owners(exercises, settings)
    oracle_of = partial(_once, {})
    return tuple(
        ExerciseSuite(
            exercise,
            tuple(map(oracle_of, sources(exercise, settings.seed, settings.words, owners[exercise.id]))),
            course.reference(exercise),
            prepare_descents(exercise, settings),
        )
        for exercise in exercises
    )


def prepare_descents(exercise: Exercise, settings: Settings) -> Mapping[str, DescentOracle]:
    """What the functions of an exercise that train are compared with, by name; worked out when needed."""
    words = settings.words or exercise.words
    if words is None:
        return {}
    return {
        function.name: DescentOracle(exercise.forward, function.descent, settings.seed, words)
        for function in exercise.training
    }


def own_suites(suites: Sequence[ExerciseSuite], settings: Settings, digest: str) -> tuple[ExerciseSuite, ...]:
    """The same suites on fresh cases that are drawn for one submission, so that no other's answers are of use.

    The lecture's case stays: everyone can draw it. Of a fresh case with a fixed seed the inputs stay, and nothing
    else that is drawn in it.

    Args:
        suites: the suites.
        settings: what the operator chose, the seed among it.
        digest: the submission's; the same work is graded on the same cases.
    """
    seed = mixed(settings.seed, f"submission {digest}")
    made = {oracle.case.source: oracle for suite in suites for oracle in suite.oracles}
    oracle_of = partial(_once, made)
    return tuple(
        suite.on(tuple(oracle_of(_redrawn(oracle.case.source, seed)) for oracle in suite.oracles))
        for suite in suites
    )


def _redrawn(source: CaseSource, seed: int) -> CaseSource:
    return source if source.name == LECTURE else replace(source, seed=seed)


def _once(made: dict[CaseSource, Oracle], source: CaseSource) -> Oracle:
    """The oracle of a case; exercises on the same case share one."""
    if source not in made:
        made[source] = Oracle(source.draw())
    return made[source]
