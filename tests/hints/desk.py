"""Grades stored stubs in this process, quickly: no box, but the same trials, checks and diagnosis."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from grader.checks.cases import CaseSource, cases
from grader.checks.check import Check
from grader.checks.compare import NOT_RUN, Verdict
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.settings import Settings
from grader.grading.suites import prepare_descents
from grader.hints import diagnose
from grader.sandbox.answers import Answer, Described, Failed, Other, Returned
from grader.scorecard.model import Hint, Outcome, StudentError
from tests.cells import Cell

FORWARDS = Path(__file__).parent / "forwards"

Tried = Sequence[tuple[Check, Verdict]]


def made_up() -> dict[str, ExerciseSuite]:
    """A bench for each of the forward passes that are used in these tests alone."""
    exercises = [Exercise.load(path.parent) for path in sorted(FORWARDS.glob("*/exercise.toml"))]
    return {
        exercise.id: ExerciseSuite(exercise, tuple(map(Oracle, cases(exercise))), None)
        for exercise in exercises
    }


def of_course(course: Course) -> dict[str, ExerciseSuite]:
    """A bench for each exercise of a course; those that share a forward pass share its oracles."""
    made: dict[CaseSource, Oracle] = {}
    suites = {}
    for exercise in course.exercises:
        oracles = tuple(made.setdefault(case.source, Oracle(case)) for case in cases(exercise))
        suites[exercise.id] = ExerciseSuite(exercise, oracles, None, prepare_descents(exercise, Settings()))
    return suites


@dataclass(frozen=True)
class Desk:
    """Tries stubs and says why they are wrong."""

    suites: dict[str, ExerciseSuite]

    def tried(self, cell: Cell) -> Tried:
        """A stored stub's calls and what became of them."""
        module: dict[str, Any] = {}
        exec(cell.code, module)
        return self.called(cell.exercise, cell.gradient, module[cell.gradient])

    def called(self, exercise: str, ask: str, stub: Callable[..., Any]) -> Tried:
        """A function's calls and what became of them."""
        suite = self.suites[exercise]
        allowed = suite.exercise.may_ask(ask)
        signature = inspect.signature(stub)
        if any(p.default is p.empty and name not in allowed for name, p in signature.parameters.items()):
            return ()
        parameters = [name for name in signature.parameters if name in allowed]
        found: list[tuple[Check, Verdict]] = []
        for check in suite.checks(ask, frozenset(parameters)):
            if any(verdict.failure and verdict.outcome is Outcome.ERROR for _, verdict in found):
                found.append((check, NOT_RUN))
                continue
            answer = _answer(stub, check)
            verdict = check.compare(answer, strict_shapes=suite.exercise.strict_shapes)
            found.append((check, verdict))
        return found

    def hint(self, cell: Cell) -> Hint | None:
        """What a stored stub is told."""
        return diagnose(self.suites[cell.exercise], cell.gradient, self.tried(cell))


def outcome(tried: Tried) -> Outcome:
    """The outcome that decides."""
    decisive = [verdict.outcome for check, verdict in tried if check.decides]
    return next((one for one in decisive if not one.scores), decisive[0])


def _answer(stub: Callable[..., Any], check: Check) -> Answer:
    copies = {n: v.clone() if isinstance(v, torch.Tensor) else v for n, v in check.arguments.items()}
    signature = inspect.signature(stub)
    first = [copies.pop(n) for n, p in signature.parameters.items() if p.kind is p.POSITIONAL_ONLY]
    try:
        with torch.no_grad():
            answer = stub(*first, **copies)
    except Exception as error:
        name = type(error).__name__
        return Failed(Outcome.ERROR, str(error), StudentError(name, str(error), None, ()))
    if not isinstance(answer, torch.Tensor) or answer.is_sparse or answer.device.type != "cpu":
        return Other("None" if answer is None else f"a {type(answer).__name__}")
    if not answer.is_floating_point():
        return Described(str(answer.dtype), tuple(answer.shape))
    return Returned(answer.detach())
