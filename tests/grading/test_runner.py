"""When a box is opened, used again and given up, without any box: each reply is written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from grader.checks.cases import cases
from grader.checks.compare import NOT_RUN, Verdict
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.course.exercise import Exercise
from grader.grading import runner as runners
from grader.grading.runner import FunctionResult, Runner
from grader.sandbox.answers import Called, Failed, Parameter, Returned, Stub
from grader.sandbox.box import BoxDied, Took
from grader.sandbox.process import Limits
from grader.sandbox.replies import Reply
from grader.scorecard.model import Outcome, StudentError
from grader.submissions.source import Source

SETTINGS = """
title = "Two lines"
asks = ["dy", "dx"]
[lecture]
sizes = { rows = 2 }
[[fresh]]
sizes = { rows = 3 }
"""
FORWARD = """
import torch

def draw(generator, *, rows):
    return {"x": torch.randn((rows, 2), generator=generator)}

def forward(x):
    y = x * x
    loss = y.sum()
    return loss
"""
LIMITS = Limits(5.0, 512)
TOOK = Took(2.0, 1.0)
FILE = Source("work.py", b"...", {"more.py": b"!"})


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "forward.py").write_text(FORWARD, "utf-8")
    (folder / "exercise.toml").write_text(SETTINGS, "utf-8")
    return Exercise.load(folder)


@pytest.fixture
def suite(exercise: Exercise) -> ExerciseSuite:
    return ExerciseSuite(exercise, tuple(map(Oracle, cases(exercise))), None)


def stub(name: str, *parameters: str, required: bool = True, **fields: Any) -> Stub:
    return Stub(
        name=name,
        parameters=tuple(Parameter(parameter, required) for parameter in parameters),
        line=3,
        **fields,
    )


STUBS = {"dy": stub("dy", "y"), "dx": stub("dx", "x")}


class Turn:
    """Time for a function: as much as it says."""

    def __init__(self, sharing: bool, another: bool, log: list[Any]) -> None:
        self.allows_sharing = sharing
        self.allows_another = another
        self.shares_box: bool | None = None
        self.log = log

    def to_load(self) -> float:
        return 11.0

    def to_answer(self) -> float:
        return 22.0

    def loaded(self, took: Took, *, in_time: bool) -> None:
        self.log.append(("loaded", in_time))
        assert took is TOOK

    def answered(self, took: Took, *, right: bool) -> None:
        self.log.append(("answered", right))
        assert took is TOOK

    def settle(self) -> None:
        self.log.append("settled")


class Scene:
    """Boxes that do as they are told, and a record of what was asked of them."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.loads: list[Any] = []
        self.calls: list[Any] = []
        self.descriptions: list[Any] = []
        self.sharing = self.another = True
        self.turns: list[tuple[Any, Turn]] = []
        self.boxes = 0

    def turn(self, function: Any) -> Turn:
        turn = Turn(self.sharing, self.another, self.log)
        self.turns.append((function, turn))
        return turn

    def open(self, limits: Limits) -> str:
        assert limits is LIMITS
        return "process"

    def box(self, process: str, limits: Limits) -> Any:
        assert (process, limits) == ("process", LIMITS)
        self.boxes += 1
        self.log.append(f"box {self.boxes}")
        number = self.boxes
        return SimpleNamespace(
            took=TOOK,
            close=lambda: self.log.append(f"closed {number}"),
            load=self._load,
            call=self._call,
            describe=self._describe,
        )

    def _next(self, prepared: list[Any], otherwise: Any) -> Any:
        found = prepared.pop(0) if prepared else otherwise
        if isinstance(found, BoxDied):
            raise found
        return found

    def _load(self, files: Any, names: Sequence[str], *, into: str, limit_s: float) -> Any:
        assert dict(files) == FILE.files
        assert tuple(names) == ("dy", "dx")
        assert limit_s == 11.0
        self.log.append(f"load {into}")
        return self._next(self.loads, (STUBS, None, "hello"))

    def _call(self, name: str, calls: Any, *, of: str, after: Any, limit_s: float) -> Any:
        assert (after, limit_s) == ((), 22.0)
        self.log.append(f"call {of}.{name}")
        found = self._next(self.calls, None)
        if found is None:
            found = right(name, calls)
        return found(name, calls) if callable(found) else found

    def _describe(self, name: str, *, of: str, limit_s: float) -> Stub:
        assert limit_s == 11.0
        self.log.append(f"describe {of}.{name}")
        found: Stub = self._next(self.descriptions, STUBS[name])
        return found


def right(name: str, calls: Any, content: Any = None) -> Reply:
    """Right answers to every call."""
    answers = [torch.ones_like(one["y"]) if name == "dy" else 2 * one["x"] for one in calls]
    return Reply(tuple(Called(Returned(answer)) for answer in answers), "printed", 1.5, content)


def wrong(name: str, calls: Any) -> Reply:
    """Twice what would be right."""
    return Reply(tuple(Called(Returned(7 * next(iter(one.values())))) for one in calls), "printed", 1.5, None)


FAILED = Failed(Outcome.CRASHED, "it is gone")


def death(outcome: Outcome = Outcome.CRASHED, *, foreign: bool = False) -> BoxDied:
    return BoxDied(outcome, "it is gone", foreign=foreign)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()
    monkeypatch.setattr(runners, "Box", made.box)
    return made


Ask = Callable[..., FunctionResult]


@pytest.fixture
def runner(scene: Scene) -> Runner:
    return Runner(cast(Any, scene), LIMITS, cast(Any, scene))


@pytest.fixture
def ask(runner: Runner, suite: ExerciseSuite) -> Ask:
    def ask(name: str, of: ExerciseSuite = suite) -> FunctionResult:
        return runner.ask(of, of.exercise.function(name), FILE)

    return ask


def other(suite: ExerciseSuite) -> ExerciseSuite:
    """The same questions in another file."""
    return replace(suite, exercise=replace(suite.exercise, id="two"))


def test_a_file_is_loaded_once_and_its_functions_are_called_in_one_box(scene: Scene, ask: Ask) -> None:
    first, second = ask("dy"), ask("dx")
    assert scene.log == [
        *("box 1", "load one", ("loaded", True), "call one.dy", ("answered", True), "settled"),
        *("call one.dx", ("answered", True), "settled"),
    ]
    assert [name for name, _ in scene.turns] == [("one", "dy"), ("one", "dx")]
    assert [turn.shares_box for _, turn in scene.turns] == [False, True]
    assert (first.failed, first.stub, first.output, first.seconds) == (None, STUBS["dy"], "printed", 1.5)
    assert (first.told, first.foreign) == (None, False)
    assert len(first.called) == 2
    assert list(first.asked) == ["dy"] and first.asked["dy"] == first.checks
    assert first.deciding.outcome is Outcome.EXACT
    assert second.deciding.outcome is Outcome.EXACT
    assert [check.name for check, _ in second.checks] == ["lecture", "fresh 1"]


def test_a_box_is_closed_at_the_end(scene: Scene, runner: Runner, ask: Ask) -> None:
    with runner as entered:
        assert entered is runner
        ask("dy")
        assert scene.log[-1] == "settled"
    assert scene.log[-1] == "closed 1"
    runner.__exit__(None, None, None)
    assert scene.log.count("closed 1") == 1


def test_a_wrong_answer_is_asked_for_again_where_others_ran_before(scene: Scene, ask: Ask) -> None:
    scene.calls = [None, wrong, None]
    ask("dy")
    assert ask("dx").deciding.outcome is Outcome.EXACT
    assert scene.log[6:] == [
        *("call one.dx", ("answered", False), "closed 1"),
        *("box 2", "load one", ("loaded", True), "call one.dx", ("answered", True), "settled"),
    ]
    assert scene.turns[-1][1].shares_box is False


def test_a_wrong_answer_counts_in_a_fresh_box(scene: Scene, ask: Ask) -> None:
    scene.calls = [wrong]
    assert ask("dy").deciding.outcome is Outcome.WRONG_VALUE
    assert scene.log.count("call one.dy") == 1


def test_a_wrong_answer_counts_where_there_is_no_time_for_another(scene: Scene, ask: Ask) -> None:
    scene.calls = [None, wrong]
    scene.another = False
    ask("dy")
    assert ask("dx").deciding.outcome is Outcome.WRONG_VALUE
    assert scene.boxes == 1


def test_without_time_to_share_each_has_a_box_of_its_own(scene: Scene, ask: Ask) -> None:
    scene.sharing = False
    ask("dy")
    assert scene.boxes == 1
    ask("dx")
    assert scene.log[6:9] == ["closed 1", "box 2", "load one"]
    assert scene.turns[-1][1].shares_box is False


@pytest.mark.parametrize(
    ("reply", "asked"), [(wrong, 1), (death(Outcome.CRASHED), 2), (death(Outcome.TIMED_OUT), 1)]
)
def test_a_function_apart_is_asked_again_only_for_what_may_be_another_the_next_time(
    scene: Scene, runner: Runner, ask: Ask, reply: Any, asked: int
) -> None:
    runner.apart = frozenset({("one", "dx")})
    scene.calls = [None, reply]
    ask("dy")
    ask("dx")
    assert scene.log.count("call one.dx") == asked


def test_a_box_that_dies_is_given_up(scene: Scene, ask: Ask) -> None:
    scene.calls = [death()]
    found = ask("dy")
    assert (found.failed, found.stub, found.foreign) == (FAILED, STUBS["dy"], False)
    assert found.deciding == Verdict(Outcome.CRASHED, failure=FAILED)
    assert scene.log[3:] == ["call one.dy", ("answered", False), "closed 1", "settled"]
    ask("dx")
    assert scene.log[7:9] == ["box 2", "load one"]


@pytest.mark.parametrize("another", [True, False])
def test_a_box_that_something_else_ended_is_no_answer(scene: Scene, ask: Ask, another: bool) -> None:
    """Asked twice at most, and then it is what it is."""
    scene.calls = [death(foreign=True), death(foreign=True)]
    scene.another = another
    found = ask("dy")
    assert found.foreign
    assert scene.log.count("call one.dy") == (2 if another else 1)
    scene.calls = [death(foreign=True)]
    assert ask("dx").foreign != another


def test_a_used_box_that_something_else_ended_is_tried_once_more_and_not_twice(
    scene: Scene, ask: Ask
) -> None:
    scene.calls = [None, death(foreign=True), death(foreign=True)]
    ask("dy")
    assert ask("dx").foreign
    assert scene.log.count("call one.dx") == 2


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CRASHED])
def test_a_late_answer_is_not_asked_for_again(scene: Scene, ask: Ask, outcome: Outcome) -> None:
    scene.calls = [None, death(outcome)]
    ask("dy")
    found = ask("dx").deciding.outcome
    assert found is (outcome if outcome is Outcome.TIMED_OUT else Outcome.EXACT)


def test_a_missing_function_is_said_to_be(scene: Scene, ask: Ask) -> None:
    scene.loads = [({"dy": STUBS["dy"]}, None, "hello")]
    ask("dy")
    found = ask("dx")
    assert found == FunctionResult(Failed(Outcome.MISSING, "no function dx in work.py"), None, output="hello")
    assert scene.boxes == 1


def test_a_parameter_that_is_not_handed_out(scene: Scene, ask: Ask) -> None:
    scene.loads = [({"dy": stub("dy", "y", "yy"), "dx": stub("dx", "zebra")}, None, None)] * 2
    message = "dy asks for `yy`, which it cannot have; did you mean `y`?"
    failed = Failed(Outcome.ERROR, message, StudentError("UnknownParameter", message, 3, ()))
    assert ask("dy").failed == failed
    found = ask("dx").failed
    assert found is not None
    assert found.message == "dx asks for `zebra`, which it cannot have"
    assert not any("call" in str(entry) for entry in scene.log)


def test_a_parameter_with_a_default_need_not_be_handed_out(scene: Scene, ask: Ask) -> None:
    optional = (Parameter("y", True), Parameter("more", False))
    scene.loads = [({**STUBS, "dy": replace(STUBS["dy"], parameters=optional)}, None, None)]
    seen = []

    def look(name: str, calls: Any) -> Reply:
        seen.extend(map(sorted, calls))
        return right(name, calls)

    scene.calls = [look]
    assert ask("dy").deciding.outcome is Outcome.EXACT
    assert seen == [["y"], ["y"]]


def test_answers_that_were_not_given_are_not_run(scene: Scene, ask: Ask) -> None:
    scene.calls = [lambda name, calls: Reply((Called(FAILED),), None, 0.0)]
    found = ask("dy")
    assert [verdict for _, verdict in found.checks] == [Verdict(Outcome.CRASHED, failure=FAILED), NOT_RUN]


def test_shapes_are_strict_where_an_exercise_says_so(scene: Scene, suite: ExerciseSuite, ask: Ask) -> None:
    def wide(name: str, calls: Any) -> Reply:
        return Reply(tuple(Called(Returned(torch.ones(1, *one["y"].shape))) for one in calls), None, 0.0)

    scene.calls = [wide, wide]
    assert ask("dy").deciding.outcome is Outcome.EXACT
    strict = replace(other(suite), exercise=replace(suite.exercise, id="two", strict_shapes=True))
    scene.calls = [wide, wide]
    assert ask("dy", strict).deciding.outcome is Outcome.WRONG_SHAPE


def test_what_came_back_is_told_where_it_may_come_back_from_others(scene: Scene, ask: Ask) -> None:
    """And is checked once for all of them."""
    content = ("head", b"body")
    scene.calls = [lambda name, calls: right(name, calls, content)] * 2
    first = ask("dy")
    assert first.told == ("dy", frozenset({"y"}), content)
    assert ask("dy").asked is first.asked


def test_a_file_that_fails_is_not_loaded_again(scene: Scene, ask: Ask) -> None:
    scene.loads = [({}, FAILED, "so far")]
    first, second = ask("dy"), ask("dx")
    for found in (first, second):
        assert (found.failed, found.output, found.stub) == (FAILED, "so far", None)
    assert scene.log.count("load one") == 1


def test_a_file_that_fails_where_others_ran_before_is_loaded_in_a_fresh_box(
    scene: Scene, suite: ExerciseSuite, ask: Ask
) -> None:
    ask("dy")
    scene.loads = [({}, FAILED, None)]
    assert ask("dy", other(suite)).deciding.outcome is Outcome.EXACT
    assert scene.log[6:12] == [
        *("load two", ("loaded", True), "closed 1", "box 2", "load two", ("loaded", True)),
    ]
    assert scene.turns[-1][1].shares_box is False


def test_a_second_file_shares_the_box(scene: Scene, suite: ExerciseSuite, ask: Ask) -> None:
    ask("dy")
    ask("dy", other(suite))
    assert scene.boxes == 1
    assert scene.turns[-1][1].shares_box is True


def test_a_second_file_is_not_tried_again_without_time(scene: Scene, suite: ExerciseSuite, ask: Ask) -> None:
    scene.another = False
    ask("dy")
    scene.loads = [({}, FAILED, None)]
    assert ask("dy", other(suite)).failed == FAILED
    assert scene.boxes == 1


@pytest.mark.parametrize(("outcome", "in_time"), [(Outcome.TIMED_OUT, False), (Outcome.CRASHED, True)])
def test_a_file_that_ends_its_box_is_its_own_fault(
    scene: Scene, ask: Ask, outcome: Outcome, in_time: bool
) -> None:
    scene.loads = [death(outcome)]
    found = ask("dy")
    assert found.failed == Failed(outcome, "it is gone")
    assert (found.output, found.foreign) == (None, False)
    assert scene.log == ["box 1", "load one", ("loaded", in_time), "closed 1", "settled"]
    ask("dx")
    assert scene.log.count("load one") == 1


def test_a_file_whose_box_something_else_ended_is_loaded_again(scene: Scene, ask: Ask) -> None:
    """At once, and for the next function."""
    scene.loads = [death(foreign=True), death(foreign=True)]
    assert ask("dy").failed == FAILED
    assert scene.log.count("load one") == 2
    assert ask("dx").deciding.outcome is Outcome.EXACT
    assert scene.log.count("load one") == 3


@pytest.mark.parametrize(("outcome", "again"), [(Outcome.TIMED_OUT, 1), (Outcome.CRASHED, 0)])
def test_a_file_that_is_late_once_is_loaded_again_where_it_was_in_time_before(
    scene: Scene, ask: Ask, outcome: Outcome, again: int
) -> None:
    scene.calls = [death()]
    ask("dy")
    scene.loads = [death(outcome)]
    assert ask("dx").failed == Failed(outcome, "it is gone")
    ask("dx")
    assert scene.log.count("load one") == 2 + again


ODD = replace(STUBS["dy"], parameters=None)


def test_a_stub_that_is_no_plain_function_is_looked_at(scene: Scene, ask: Ask) -> None:
    """It may run code then: what follows shares the box with that."""
    scene.loads = [({**STUBS, "dy": ODD}, None, None)]
    found = ask("dy")
    assert (found.stub, found.deciding.outcome) == (STUBS["dy"], Outcome.EXACT)
    assert scene.log[2:6] == [("loaded", True), "describe one.dy", ("loaded", True), "call one.dy"]


def test_a_stub_that_stays_unknown_is_called_with_nothing(scene: Scene, ask: Ask) -> None:
    scene.loads = [({**STUBS, "dy": ODD}, None, None)]
    scene.descriptions = [ODD]
    scene.calls = [lambda name, calls: Reply((Called(FAILED),), str(list(calls)), 0.0)]
    assert ask("dy").output == "[{}, {}]"


@pytest.mark.parametrize(("outcome", "in_time"), [(Outcome.TIMED_OUT, False), (Outcome.CRASHED, True)])
@pytest.mark.parametrize("foreign", [True, False])
def test_a_look_that_ends_the_box_is_a_result(
    scene: Scene, ask: Ask, outcome: Outcome, in_time: bool, foreign: bool
) -> None:
    scene.another = False
    scene.loads = [({**STUBS, "dy": ODD}, None, None)]
    scene.descriptions = [death(outcome, foreign=foreign)]
    found = ask("dy")
    assert (found.failed, found.stub, found.foreign) == (Failed(outcome, "it is gone"), ODD, foreign)
    assert scene.log[3:] == ["describe one.dy", ("loaded", in_time), "closed 1", "settled"]


def test_a_look_makes_a_box_used(scene: Scene, ask: Ask) -> None:
    """Even where nothing is called: what fails after it is asked once more in a fresh box."""
    scene.loads = [({**STUBS, "dy": ODD}, None, None)]
    scene.descriptions = [stub("dy", "zebra")]
    scene.calls = [wrong]
    assert ask("dy").deciding.outcome is Outcome.ERROR
    assert ask("dx").deciding.outcome is Outcome.EXACT
    assert scene.log.count("call one.dx") == 2


def test_the_first_verdict_that_costs_points_decides(suite: ExerciseSuite) -> None:
    checks = suite.checks("dy", frozenset())
    right, close = Verdict(Outcome.EXACT, True), Verdict(Outcome.CLOSE)
    bad, worse = Verdict(Outcome.WRONG_VALUE), Verdict(Outcome.NOT_FINITE)
    note = replace(checks[0], decides=False)

    def deciding(*verdicts: Verdict) -> Verdict:
        pairs = [(note, worse), *zip([*checks, checks[0]], verdicts, strict=False)]
        return FunctionResult(checks=tuple(pairs)).deciding

    assert deciding(close, right) is close
    assert deciding(right, bad, worse) is bad
    assert FunctionResult(failed=FAILED, checks=((checks[0], right),)).deciding.failure is FAILED


def test_a_result_about_one_ask(suite: ExerciseSuite) -> None:
    pair = (suite.checks("dy", frozenset())[0], NOT_RUN)
    whole = FunctionResult(checks=(pair, pair), asked={"dy": (pair,)}, output="o")
    assert whole.about("dy") == replace(whole, checks=(pair,))
    assert whole.about("dx").checks == ()


def test_a_turn_is_settled_whatever_happens(scene: Scene, ask: Ask) -> None:
    scene.calls = [lambda name, calls: pytest.fail("ours")]
    with pytest.raises(pytest.fail.Exception):
        ask("dy")
    assert scene.log[-1] == "settled"


def test_a_result_says_nothing_that_is_not_known() -> None:
    assert FunctionResult() == FunctionResult(None, None, (), None, 0.0, (), {}, None, False)
    assert FunctionResult().called == ()
