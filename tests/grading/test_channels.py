"""Whatever could carry values from one box to another carries nothing of use.

A perfect channel is simulated: everything that any box has been handed is written down, and stands in the text of
a later submission, which looks answers up in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader.checks.cases import sources
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading.judge import Judge
from grader.grading.plan import box_plans, case_owners
from grader.grading.suites import own_suites, prepare_suites
from grader.sandbox.box import Box
from grader.sandbox.replies import Reply
from grader.sandbox.requests import Arguments
from grader.scorecard.model import Scorecard
from tests.conftest import ROOT, Desk

EX1, EX2, EX3, EX4 = "ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm", "ex4_training"
Known = dict[tuple[str, tuple[int, ...]], torch.Tensor]

LOOK_UP = """
def backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    given = dict(dC=C, dW1=W1, db1=b1, dW2=W2, db2=b2, dbngain=bngain, dbnbias=bnbias)
    return 0, [KNOWN.get((name, tuple(value.shape))) for name, value in given.items()]
"""


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """Everything that any box is handed from now on, by its name and its shape; what came first counts."""
    found: Known = {}
    call = Box.call

    def watched(self: Box, function: str, cases: Sequence[Arguments], *rest: object, **more: object) -> Reply:
        for arguments in cases:
            for name, value in arguments.items():
                if isinstance(value, torch.Tensor):
                    found.setdefault((name, tuple(value.shape)), value.clone())
        return call(self, function, cases, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Box, "call", watched)
    return found


def curious(suite: ExerciseSuite) -> str:
    """A submission that derives nothing, and takes every gradient it can get."""
    exercise = suite.exercise
    lines = ["import torch"]
    for ask in exercise.asks:
        gradients = [name for name in exercise.may_ask(ask) if name not in exercise.forward.names]
        lines.append(f"def {ask}({', '.join(sorted(gradients))}):\n    return torch.zeros(())")
    return "\n".join(lines)


def table(known: Known) -> str:
    """What is known, as the beginning of a submission."""
    entries = (
        f"    ({name!r}, {shape}): torch.tensor({value.tolist()}),"
        for (name, shape), value in known.items()
        if name.startswith("d")
    )
    return "\n".join(["import torch", "KNOWN = {", *entries, "}"])


def looked_up(suite: ExerciseSuite) -> str:
    """Stubs that look their answer up by its shape."""
    return "".join(
        f"\ndef {ask}({ask[1:]}):\n    return KNOWN[{ask!r}, tuple({ask[1:]}.shape)]"
        for ask in suite.exercise.asks
    )


def suite_of(judge: Judge, exercise: str) -> ExerciseSuite:
    return next(suite for suite in judge.suites if suite.exercise.id == exercise)


def earned(card: Scorecard, exercise: str) -> set[str]:
    (result,) = (result for result in card.exercises if result.id == exercise)
    return {gradient.name for gradient in result.gradients if gradient.score}


@pytest.mark.parametrize("own_cases", [False, True])
def test_what_one_student_was_handed_is_of_no_use_to_another(judge: Judge, tmp_path: Path, known: Known,
                                                             own_cases: bool) -> None:  # fmt: skip
    """With cases of their own. On the class's cases it is, which is what the setting is for."""
    judge = Judge(judge.opener, (suite_of(judge, EX1),), replace(judge.settings, own_cases=own_cases))
    suite = suite_of(judge, EX1)
    desk = Desk(judge, tmp_path)
    first = desk.grade({EX1: curious(suite)})
    assert earned(first, EX1) == set()
    asked = {name for name, _ in known}
    second = desk.grade({EX1: table(known) + looked_up(suite)})
    assert earned(second, EX1) == (
        set() if own_cases else (set(suite.exercise.asks) & asked) - {"db1", "dlogit_maxes"}
    )


def test_the_same_work_gets_the_same_scorecard_on_cases_of_its_own(judge: Judge, tmp_path: Path) -> None:
    """And right work every point."""
    suites = tuple(suite for suite in judge.suites if suite.exercise.id != EX4)
    own = Judge(judge.opener, suites, replace(judge.settings, own_cases=True))
    alice = {name: (ROOT / f"submissions/alice/{name}.py").read_text("utf-8") for name in (EX1, EX2, EX3)}
    one, two = (Desk(own, tmp_path).grade(alice) for _ in range(2))
    assert one.perfect
    assert timeless(one) == timeless(two)
    shared = Desk(Judge(judge.opener, suites, judge.settings), tmp_path).grade(alice)
    assert timeless(one) != timeless(shared)
    lecture = [[g.cases[0] for e in card.exercises for g in e.gradients] for card in (one, shared)]
    assert lecture[0] == lecture[1]


def timeless(card: Scorecard) -> list[object]:
    return [replace(gradient, seconds=0.0) for e in card.exercises for gradient in e.gradients]


@pytest.mark.parametrize("owner", [None, EX1])
def test_what_exercise_1_is_handed_is_of_no_use_in_exercise_4(
    judge: Judge, tmp_path: Path, known: Known, owner: str | None
) -> None:
    """Its cases are drawn for it. On exercise 1's cases, which are of the same sizes, a table would do."""
    trained = suite_of(judge, EX4)
    if owner is not None:
        drawn = sources(trained.exercise, judge.settings.seed, owner=owner)
        trained = trained.on(tuple(Oracle(source.draw()) for source in drawn))
    both = Judge(judge.opener, (suite_of(judge, EX1), trained), judge.settings)
    desk = Desk(both, tmp_path)
    desk.grade({EX1: curious(suite_of(judge, EX1)), EX4: "import torch\n"})
    found = earned(desk.grade({EX4: table(known) + LOOK_UP}), EX4) - {"db1"}
    assert found == (set() if owner is None else {"dW2", "db2", "dbngain", "dbnbias", "dW1"})


def test_each_submission_has_upstreams_of_its_own_even_where_inputs_are_fixed(course: Course) -> None:
    """The lecture's case stays, with all that is known of it; the same work gets the same again."""
    exercise = course.exercises[0]
    exercise = replace(exercise, fresh=tuple(replace(case, seed=3) for case in exercise.fresh))
    suites = prepare_suites(course, [exercise], Settings())
    (one,), (two,), (again,) = (own_suites(suites, Settings(), digest) for digest in ("a", "b", "a"))
    assert one.oracles[0] is two.oracles[0] is suites[0].oracles[0]
    inputs = [suite.oracles[1].case.inputs["W1"] for suite in (one, two)]
    assert torch.equal(*inputs)
    first, second, third = (s.oracles[1].random({"h"}, {"h"})["h"].precise for s in (one, two, again))
    assert torch.equal(first, third) and not torch.equal(first, second)


def handed_and_asked(judge: Judge) -> Iterator[tuple[set[object], set[object]]]:
    """For each box: the gradients it may be handed, and those it is asked for, by the cases they belong to."""
    by_id = {suite.exercise.id: suite for suite in judge.suites}
    for plan in box_plans(judge.suites, judge.settings):
        handed, asked = set[object](), set[object]()
        for planned in plan.calls:
            cases = [oracle.case.source for oracle in by_id[planned.exercise.id].oracles]
            secret = [case for case in cases if case.fixed is None]
            handed |= {(case, name) for case in secret for name in planned.handed - {"loss"}}
            asked |= {(case, name) for case in secret for name in planned.asked}
        yield handed, asked


CHANGES: dict[str, Mapping[str, dict[str, object]]] = {
    "as it is": {},
    "another time limit": {EX2: {"time_limit_s": 99.0}},
    "another memory limit": {EX3: {"memory_limit_mb": 64}},
    "no common order": {
        EX2: {"asks": ("dh",), "upstreams": ("dlogits",)},
        EX3: {"asks": ("dlogits",), "upstreams": ("dh",)},
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_box_is_handed_what_another_is_asked(
    course: Course, judge: Judge, change: Mapping[str, dict[str, object]]
) -> None:
    """Exercises are asked in one order in one box, or have cases of their own."""
    settings = Settings()
    exercises = [replace(e, **change.get(e.id, {})) for e in course.exercises]  # type: ignore[arg-type]
    suites = prepare_suites(course, exercises, settings)
    boxes = list(handed_and_asked(Judge(judge.opener, suites, settings)))
    assert len(boxes) >= 2
    for place, (handed, _) in enumerate(boxes):
        for other, (_, asked) in enumerate(boxes):
            assert place == other or handed.isdisjoint(asked)


def test_exercises_that_can_share_a_box_share_their_cases(course: Course) -> None:
    """They are drawn once; what was graded alone is graded alike."""
    owners = case_owners(course.exercises, Settings())
    assert owners == {EX1: EX1, EX2: EX1, EX3: EX1, EX4: EX4}
    assert case_owners(course.select([EX2]), Settings()) == {EX2: EX1}
    suites = prepare_suites(course, course.exercises, Settings())
    assert suites[0].oracles[1] is suites[1].oracles[1]
    assert suites[0].oracles[1] is not suites[3].oracles[1]
