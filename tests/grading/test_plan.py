"""Which functions share a box: no answer is in it before its question, and no exercise's short cut beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from grader.checks.suite import ExerciseSuite
from grader.course.settings import Settings
from grader.grading.judge import Judge
from grader.grading.plan import BoxPlan, box_plans
from grader.sandbox.box import Box
from grader.sandbox.replies import Reply
from grader.sandbox.requests import Arguments
from tests.conftest import ROOT, Desk

EX1, EX2, EX3, EX4 = "ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm", "ex4_training"


def told(plan: BoxPlan) -> list[tuple[str, str]]:
    return [(planned.exercise.id, planned.function.name) for planned in plan.calls]


def altered(suite: ExerciseSuite, asks: Sequence[str], upstreams: Sequence[str]) -> ExerciseSuite:
    """The same cases with other questions."""
    exercise = replace(suite.exercise, asks=tuple(asks), upstreams=tuple(upstreams))
    return replace(suite, exercise=exercise)


def bench_of(judge: Judge, exercise: str) -> ExerciseSuite:
    return next(suite for suite in judge.suites if suite.exercise.id == exercise)


def test_exercises_on_the_same_cases_share_a_box(judge: Judge) -> None:
    """The closed forms come before what would give them away; another forward pass has a box of its own."""
    first, other = map(told, box_plans(judge.suites, Settings()))
    assert {exercise for exercise, _ in other} == {EX4}
    places = {name: place for place, name in enumerate(first)}
    assert places[EX2, "dlogits"] < places[EX1, "dprobs"]
    assert places[EX1, "dhpreact"] < places[EX3, "dhprebn"] < places[EX1, "dbnvar_inv"]


def test_every_function_is_asked_once_and_in_its_exercise_s_order(judge: Judge) -> None:
    calls = [name for plan in box_plans(judge.suites, Settings()) for name in told(plan)]
    for suite in judge.suites:
        own = [function for exercise, function in calls if exercise == suite.exercise.id]
        assert own == [function.name for function in suite.exercise.functions]


def test_other_limits_are_another_box(judge: Judge) -> None:
    slow = bench_of(judge, EX2)
    slow = replace(slow, exercise=replace(slow.exercise, time_limit_s=99))
    found = box_plans([bench_of(judge, EX1), slow], Settings())
    assert [plan.limits.time_limit_s for plan in found] == [10, 99]
    assert len(box_plans([bench_of(judge, EX1), slow], Settings(time_limit_s=5))) == 1


def test_exercises_that_would_tell_each_other_s_answers_are_kept_apart(judge: Judge) -> None:
    """Each is handed what is asked of the other: in one box, in whatever order, one answer would be there."""
    ex1 = bench_of(judge, EX1)
    one, other = altered(ex1, ["dh"], ["dlogits"]), altered(ex1, ["dlogits"], ["dh"])
    assert [len(plan.calls) for plan in box_plans([one, other], Settings())] == [1, 1]


@pytest.mark.parametrize(("asks", "upstreams"), [(["dprobs"], []), (["dhpreact"], ["dlogits"])])
def test_a_closed_form_is_asked_before_its_steps_are_handed_out(
    judge: Judge, asks: Sequence[str], upstreams: Sequence[str]
) -> None:
    ex1 = bench_of(judge, EX1)
    (plan,) = box_plans([ex1, altered(ex1, asks, upstreams)], Settings())
    (place,) = [i for i, planned in enumerate(plan.calls) if planned.exercise is not ex1.exercise]
    before = {name for planned in plan.calls[:place] for name in planned.handed}
    assert before.isdisjoint(between(ex1, asks[0], upstreams))


def between(suite: ExerciseSuite, ask: str, upstreams: Iterable[str]) -> set[str]:
    """The tensor asked for, and those on the way from it to what its stub is handed."""
    forward = suite.exercise.forward
    own = ask.removeprefix("d")
    handed = {"loss", *(name.removeprefix("d") for name in upstreams)}
    beyond = handed.union(*map(forward.descendants, handed))
    return {own, *forward.descendants(own)} - beyond


def test_no_box_holds_an_answer_or_a_step_on_the_way_to_it(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watches every frame on its way into the boxes of a whole course."""
    pending = {b.exercise.id: set(b.exercise.asks) for b in judge.suites}
    handed: dict[Box, set[str]] = {}
    call = Box.call

    def watched(
        self: Box, function: str, cases: Sequence[Arguments], *rest: object, of: str, **more: object
    ) -> Reply:
        suite = bench_of(judge, of)
        in_box = handed.setdefault(self, set())
        if function in suite.exercise.asks:
            held = {name.removeprefix("d") for name in in_box}
            closed = suite.exercise.upstreams
            assert closed is None or held.isdisjoint(between(suite, function, closed)), (of, function)
        new = {name for arguments in cases for name in arguments if name not in suite.exercise.forward.names}
        new -= {"parameters", "batches", "learning_rates"}
        for name in new:
            assert not any(name in asks for asks in pending.values()), (of, function, name)
        in_box |= new
        reply = call(self, function, cases, *rest, of=of, **more)  # type: ignore[arg-type]
        pending[of] -= set(suite.exercise.function(function).asks)
        return reply

    monkeypatch.setattr(Box, "call", watched)
    card = Desk(judge, ROOT).grade_folder(ROOT / "submissions/alice")
    assert card.perfect
    assert not any(pending.values())
    assert len(handed) == 2


POISON = "import torch; torch.Tensor.sum = torch.Tensor.mean = torch.Tensor.exp = torch.softmax = None\n"


@pytest.mark.parametrize(
    "trouble",
    [
        POISON,
        "import torch; torch.set_default_dtype(torch.float64)\n",
        "import os; os._exit(0)\n",
        "raise SystemExit\n",
        "1/0\n",
        "import sys; sys.meta_path.clear(); sys.modules.clear()\n",
        "import builtins; builtins.__import__ = None\n",
    ],
    ids=["torch", "dtype", "exit", "leave", "error", "imports", "import"],
)
@pytest.mark.parametrize("exercise", [EX1, EX2, EX3])
def test_one_file_s_trouble_is_its_own(desk: Desk, exercise: str, trouble: str) -> None:
    """The other files are graded as if it were not there, whichever was loaded first."""
    files: dict[str, str | bytes] = {
        path.stem: path.read_text("utf-8") for path in (ROOT / "submissions/alice").glob("ex[123]*.py")
    }
    card = desk.grade({**files, exercise: f"{trouble}{files[exercise]}"})
    others = [found for found in card.exercises if found.id in files and found.id != exercise]
    assert len(others) == 2
    for found in others:
        assert found.score == found.max_score, found.id


def test_a_file_is_quoted_by_its_own_lines(desk: Desk) -> None:
    """Two files fail on the same line; each hears its own."""
    stub = "def {0}():\n    raise ValueError('{0}')  # {0}\n"
    card = desk.grade({EX1: stub.format("dlogprobs"), EX2: stub.format("dlogits")})
    said = {e.id: [g.error for g in e.gradients if g.error] for e in card.exercises}
    for exercise, name in ((EX1, "dlogprobs"), (EX2, "dlogits")):
        (fault,) = [f for f in said[exercise] if f is not None]
        assert fault.line == 2
        assert fault.traceback[-1].endswith(f"# {name}")


KEEP = """
import functools, inspect, torch
torch.kept = {}
def keeping(stub):
    @functools.wraps(stub)
    def kept(**handed):
        for name, value in handed.items():
            torch.kept.setdefault(name, []).append(value)
        return stub(**handed)
    return kept
for name, stub in list(globals().items()):
    if name.startswith("d") and inspect.isfunction(stub):
        globals()[name] = keeping(stub)
"""


def test_what_one_exercise_is_handed_is_of_no_use_to_another(desk: Desk) -> None:
    """The steps on the way to a closed form are handed to the stubs of exercise 1, which keep them."""
    files = {EX1: (ROOT / f"submissions/alice/{EX1}.py").read_text("utf-8") + KEEP}
    files[EX2] = """
import torch
def dlogits(n):
    return torch.kept["dnorm_logits"][0] + torch.kept["dlogit_maxes"][0] * 0
"""
    files[EX3] = """
import torch
def dhprebn(hprebn, dhpreact):
    assert "dhpreact" in torch.kept, "another box"
    place = [place for place, one in enumerate(torch.kept["dhpreact"]) if one.equal(dhpreact)][0]
    return torch.kept["dbndiff"][place] + torch.kept["dbnmeani"][place] / len(hprebn)
"""
    card = desk.grade({**files})
    scores = {exercise.id: exercise.score for exercise in card.exercises}
    assert scores[EX1] == 26
    assert scores[EX2] == scores[EX3] == 0


def test_exercises_do_share_a_box(desk: Desk) -> None:
    """What the attack above counts on holds: without the order, it would find what it looks for."""
    files = {EX1: (ROOT / f"submissions/alice/{EX1}.py").read_text("utf-8") + KEEP}
    alice = (ROOT / f"submissions/alice/{EX3}.py").read_text("utf-8")
    files[EX3] = f"{alice}\nimport torch\nassert 'dh' in torch.kept and 'dbnraw' not in torch.kept\n"
    card = desk.grade({**files})
    (batchnorm,) = [exercise for exercise in card.exercises if exercise.id == EX3]
    assert batchnorm.score == 1
