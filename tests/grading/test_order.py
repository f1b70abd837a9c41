"""The order of questions, worked out by hand: of the course in this repository, and of one small forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.checks.cases import sources
from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.forward import Forward
from grader.course.functions import CaseSettings, Vanishing
from grader.course.settings import Settings
from grader.grading.plan import BoxPlan, PlannedCall, box_plans, case_owners, limits_of
from grader.sandbox.process import Limits

CHAIN = """
def draw(generator):
    return {}

def forward(x, w, v):
    a = x * w
    b = a * v
    c = b + 1
    loss = c.sum()
    return loss
"""


@pytest.fixture
def chain(tmp_path: Path) -> Forward:
    """Four lines, each of which goes back through the next; two weights."""
    path = tmp_path / "home" / "forward.py"
    path.parent.mkdir()
    path.write_text(CHAIN, "utf-8")
    return Forward.load(path)


def exercise(
    forward: Forward, name: str, asks: Sequence[str], upstreams: Sequence[str] | None = None, **fields: Any
) -> Exercise:
    case = CaseSettings("lecture", 1, {})
    plain = Exercise(
        name, name, forward.path.parent, forward, tuple(asks), (),
        None if upstreams is None else tuple(upstreams), {}, Vanishing.STEP, {}, False, 1, 10.0, 1024, None,
        case, (),
    )  # fmt: skip
    return replace(plain, **fields)


def suite(of: Exercise, owner: str | None = None) -> Any:
    """As much of a suite as a plan looks at."""
    return SimpleNamespace(
        exercise=of,
        oracles=[SimpleNamespace(case=SimpleNamespace(source=source)) for source in sources(of, owner=owner)],
    )


def told(plans: Sequence[BoxPlan]) -> list[list[tuple[str, str]]]:
    return [[(planned.exercise.id, planned.function.name) for planned in plan.calls] for plan in plans]


def planned(of: Exercise, name: str) -> PlannedCall:
    return PlannedCall(of, of.function(name))


def orders(*of: Exercise, settings: Settings | None = None) -> list[list[tuple[str, str]]]:
    return told(box_plans(map(suite, of), settings or Settings()))


def test_a_call_knows_what_is_asked_and_handed(chain: Forward) -> None:
    steps = exercise(chain, "steps", ["dc", "db", "da", "dw"])
    assert planned(steps, "dc").asked == {"c"}
    assert planned(steps, "dc").handed == {"loss"}
    assert planned(steps, "da").handed == {"loss", "c", "b"}
    closed = exercise(chain, "closed", ["da"], ["dc"])
    assert planned(closed, "da").handed == {"loss", "c"}


def test_what_is_harmless_lies_nearer_to_the_loss_or_beside_the_way(chain: Forward) -> None:
    """Whose line is handed, its weight follows; the tensor on the way itself is an answer half done."""
    closed = exercise(chain, "closed", ["da"], ["dc"])
    assert planned(closed, "da").harmless == {"loss", "c"}
    further = exercise(chain, "further", ["da"], ["db"])
    assert planned(further, "da").harmless == {"loss", "c", "b", "v"}
    weight = exercise(chain, "weight", ["dw"], ["da"])
    assert planned(weight, "dw").harmless == {"loss", "c", "b", "a", "v", "x"}
    first = exercise(chain, "first", ["dx"], ["da"])
    assert planned(first, "dx").harmless == {"loss", "c", "b", "a", "v", "w"}


def test_a_weight_beside_the_last_line_is_harmless(chain: Forward, tmp_path: Path) -> None:
    """What is handed, here the loss alone, is all that it follows from."""
    path = tmp_path / "weighed" / "forward.py"
    path.parent.mkdir()
    path.write_text(CHAIN.replace("(x, w, v)", "(x, w, v, u)").replace("c.sum()", "(c * u).sum()"), "utf-8")
    of = exercise(Forward.load(path), "one", ["dc"])
    assert planned(of, "dc").harmless == {"loss", "u"}
    assert planned(exercise(chain, "one", ["dc"]), "dc").harmless == {"loss"}


def test_a_closed_form_waits_for_nothing_and_the_steps_for_it(chain: Forward) -> None:
    steps = exercise(chain, "steps", ["dc", "db", "da"])
    closed = exercise(chain, "closed", ["da"], ["dc"])
    assert orders(steps, closed) == [
        [("steps", "dc"), ("steps", "db"), ("closed", "da"), ("steps", "da")],
    ]
    assert orders(closed, steps) == [
        [("steps", "dc"), ("closed", "da"), ("steps", "db"), ("steps", "da")],
    ]


def test_whoever_is_named_first_comes_first_where_either_may(chain: Forward) -> None:
    one, two = exercise(chain, "one", ["dc"]), exercise(chain, "two", ["dc"])
    assert orders(one, two) == [[("one", "dc"), ("two", "dc")]]
    assert orders(two, one) == [[("two", "dc"), ("one", "dc")]]


def test_each_goes_by_itself_where_there_is_no_order(chain: Forward) -> None:
    """Also those who would have had one together."""
    one = exercise(chain, "one", ["da"], ["dc"])
    two = exercise(chain, "two", ["dc"], ["da"])
    three = exercise(chain, "three", ["dc"])
    assert orders(one, two) == [[("one", "da")], [("two", "dc")]]
    assert orders(one, two, three) == [[("one", "da")], [("two", "dc")], [("three", "dc")]]


def test_what_is_drawn_apart_is_graded_apart(chain: Forward) -> None:
    one, two = exercise(chain, "one", ["dc"]), exercise(chain, "two", ["dc"])
    plans = box_plans([suite(one), suite(two, "two")], Settings())
    assert told(plans) == [[("one", "dc")], [("two", "dc")]]


def test_boxes_differ_by_either_limit(chain: Forward) -> None:
    one = exercise(chain, "one", ["dc"], time_limit_s=3, memory_limit_mb=100)
    two = exercise(chain, "two", ["dc"], time_limit_s=4, memory_limit_mb=100)
    three = exercise(chain, "three", ["dc"], time_limit_s=3, memory_limit_mb=200)
    plans = box_plans(map(suite, (one, two, three, one)), Settings())
    assert [plan.limits for plan in plans] == [Limits(3, 100), Limits(4, 100), Limits(3, 200)]
    assert [len(plan.calls) for plan in plans] == [2, 1, 1]
    chosen = box_plans(map(suite, (one, two, three)), Settings(time_limit_s=9, memory_limit_mb=300))
    assert [plan.limits for plan in chosen] == [Limits(9, 300)]


def test_an_operator_s_limit_goes_before_an_exercise_s(chain: Forward) -> None:
    one = exercise(chain, "one", ["dc"], time_limit_s=3, memory_limit_mb=100)
    assert limits_of(Settings(), one) == Limits(3, 100)
    assert limits_of(Settings(time_limit_s=9), one) == Limits(9, 100)
    assert limits_of(Settings(memory_limit_mb=9), one) == Limits(3, 9)


def test_who_can_share_a_box_shares_cases(chain: Forward) -> None:
    """The first owns them in its home's name; who cannot join has its own, which others may join in turn."""
    closed = exercise(chain, "closed", ["da"], ["dc"])
    steps = exercise(chain, "steps", ["dc", "db", "da"])
    against = exercise(chain, "against", ["dc"], ["da"])
    along = exercise(chain, "along", ["dc"], ["da"])
    slow = exercise(chain, "slow", ["dc"], time_limit_s=99)
    hungry = exercise(chain, "hungry", ["dc"], memory_limit_mb=99)
    assert case_owners([closed, steps, against, along, slow, hungry], Settings()) == {
        "closed": "home",
        "steps": "home",
        "against": "home/against",
        "along": "home/against",
        "slow": "home/slow",
        "hungry": "home/hungry",
    }
    same = Settings(time_limit_s=1, memory_limit_mb=1)
    assert case_owners([closed, slow, hungry], same) == dict.fromkeys(["closed", "slow", "hungry"], "home")


def test_other_forward_passes_have_other_owners(chain: Forward, tmp_path: Path) -> None:
    path = tmp_path / "other" / "forward.py"
    path.parent.mkdir()
    path.write_text(CHAIN, "utf-8")
    one, two = exercise(chain, "one", ["dc"]), exercise(Forward.load(path), "two", ["dc"])
    assert case_owners([one, two], Settings()) == {"one": "home", "two": "other"}


def test_the_order_of_this_course(course: Course) -> None:
    """Exercise 2 is asked before its steps are handed out, exercise 3 before its own are."""
    owners = case_owners(course.exercises, Settings())
    assert owners == {
        "ex1_step_by_step": "ex1_step_by_step",
        "ex2_cross_entropy": "ex1_step_by_step",
        "ex3_batchnorm": "ex1_step_by_step",
        "ex4_training": "ex4_training",
    }
    plans = box_plans((suite(one, owners[one.id]) for one in course.exercises), Settings())
    first, second = told(plans)
    assert second == [("ex4_training", "backward"), ("ex4_training", "train")]
    assert first.index(("ex2_cross_entropy", "dlogits")) == 1
    after = first.index(("ex3_batchnorm", "dhprebn"))
    assert first[after - 1] == ("ex1_step_by_step", "dbnraw")
    own = [name for exercise, name in first if exercise == "ex1_step_by_step"]
    assert own == [function.name for function in course.exercises[0].functions]
    backward = cast(PlannedCall, plans[1].calls[0])
    assert backward.asked == {"C", "W1", "W2", "b1", "b2", "bngain", "bnbias"}
    assert plans[1].calls[1].asked == frozenset()
