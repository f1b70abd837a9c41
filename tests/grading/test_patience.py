"""A submission's time is bounded, a right answer's is not cut: told by the seconds granted, without a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.compare import Verdict
from grader.course.course import Course
from grader.course.settings import Settings
from grader.grading import runner as runner_module
from grader.grading.patience import FLOOR_S, LOADING_S, TIMES_THE_REFERENCE, Patience
from grader.grading.runner import FunctionResult, Runner
from grader.grading.suites import prepare_suites
from grader.sandbox.answers import Failed, Stub
from grader.sandbox.box import BoxDied, Took
from grader.sandbox.process import Limits
from grader.sandbox.replies import Reply
from grader.scorecard.model import Outcome, StudentError

LIMIT_S = 10.0
FUNCTIONS = 28
"""As many as the first three exercises ask for."""

IN_ALL_S = 60.0


@dataclass(frozen=True)
class Acts:
    """What a function does whenever it is asked.

    Args:
        how: ``right``, ``raises``, ``dies`` or ``killed`` (by somebody else), once it has taken its time. A
            ``victim`` is right in a fresh box alone.
        s: seconds that it takes first; it hangs where they are more than it is given.
        asleep: whether it sleeps meanwhile.
        looked_at_s: seconds that it takes to be looked at, None for a plain function.
    """

    how: str
    s: float = 0.01
    asleep: bool = False
    looked_at_s: float | None = None


RIGHT = Acts("right")
HANGS = Acts("raises", 1e9, asleep=True)


@dataclass
class Machine:
    """Boxes of a submission that acts like this, and what was asked of them."""

    acts: Mapping[str, Acts]
    imports_s: Sequence[float] = (0.01,)
    opened: int = 0
    loads: int = 0
    asked: list[str] = field(default_factory=list)
    granted: list[float] = field(default_factory=list)
    loading: list[float] = field(default_factory=list)
    wasted_s: float = 0.0
    """Seconds of everything but what right answers compute."""

    def open(self, limits: Limits) -> Machine:
        self.opened += 1
        return self


class FakeBox:
    """A box of such a submission."""

    def __init__(self, process: Machine, limits: Limits) -> None:
        self._machine = process
        self._used = False
        self.took = Took()

    def load(self, files: object, asks: object, *, into: str, limit_s: float) -> tuple[Any, None, None]:
        machine = self._machine
        seconds = machine.imports_s[min(machine.loads, len(machine.imports_s) - 1)]
        machine.loads += 1
        machine.loading.append(limit_s)
        self._take(seconds, limit_s, asleep=True)
        found = {
            name: Stub(name, () if acts.looked_at_s is None else None, 1)
            for name, acts in machine.acts.items()
        }
        return found, None, None

    def describe(self, function: str, *, of: str, limit_s: float) -> Stub:
        self._take(self._machine.acts[function].looked_at_s or 0.0, limit_s, asleep=True)
        return Stub(function, (), 1)

    def call(self, function: str, calls: object, *, of: str, after: object, limit_s: float) -> Reply:
        acts = self._machine.acts[function]
        self._machine.asked.append(function)
        self._machine.granted.append(limit_s)
        self._take(acts.s, limit_s, acts.asleep, right=acts.how == "right")
        if acts.how == "dies":
            raise BoxDied(Outcome.CRASHED, "died")
        if acts.how == "killed":
            raise BoxDied(Outcome.GRADER_FAULT, "killed", foreign=True)
        right = acts.how == "right" or (acts.how == "victim" and not self._used)
        self._used = True
        return Reply((right,), None, 0.0)  # type: ignore[arg-type]

    def close(self) -> None:
        pass

    def _take(self, seconds: float, limit_s: float, asleep: bool, right: bool = False) -> None:
        spent = min(seconds, limit_s)
        self.took = Took(spent, spent if asleep else 0.0)
        if not right or asleep or seconds > limit_s:
            self._machine.wasted_s += spent
        if seconds > limit_s:
            raise BoxDied(Outcome.TIMED_OUT, "late")


def checked(suite: object, function: Any, parameters: object, reply: Any, told: object) -> dict[str, Any]:
    """Everything asked of a function, as its reply says."""
    (right,) = reply.called
    fault = Failed(Outcome.ERROR, "no", StudentError("ValueError", "no", 1, ()))
    verdict = Verdict(Outcome.EXACT) if right else Verdict(Outcome.ERROR, failure=fault)
    return {function.name: ((SimpleNamespace(decides=True), verdict),)}


class Session:
    """A submission whose functions act like this, asked one after another."""

    def __init__(
        self,
        acts: Sequence[Acts],
        imports_s: Sequence[float] = (0.01,),
        limit_s: float = LIMIT_S,
        needs_s: Sequence[float] = (),
    ) -> None:
        self.names = [f"d{number}" for number in range(len(acts))]
        needed = dict.fromkeys(self.names, 0.0) | dict(zip(self.names, needs_s, strict=False))
        self.patience = Patience(limit_s, {("ex", n): lambda s=s: s for n, s in needed.items()})
        self.machine = Machine(dict(zip(self.names, acts, strict=True)), imports_s)
        self._limit_s = limit_s

    def outcomes(self) -> list[Outcome]:
        return [result.deciding.outcome for result in self.results()]

    def results(self) -> list[FunctionResult]:
        exercise = SimpleNamespace(id="ex", stubs=tuple(self.names), may_ask=lambda name: ())
        suite: Any = SimpleNamespace(
            exercise=exercise, calls=lambda function, parameters: (), after=lambda function: ()
        )
        source: Any = SimpleNamespace(files={}, filename="ex.py")
        limits = Limits(self._limit_s, 256)
        with (
            pytest.MonkeyPatch.context() as patch,
            Runner(self.machine, limits, self.patience) as runner,  # type: ignore[arg-type]
        ):
            patch.setattr(runner_module, "Box", FakeBox)
            patch.setattr(runner_module, "_asked_of", checked)
            functions: list[Any] = [SimpleNamespace(name=name) for name in self.names]
            return [runner.ask(suite, function, source) for function in functions]


SECONDS = st.sampled_from([0.001, 0.05, 0.2, 0.5, 0.9, 0.99, 1.1, 1.9, 3.0, 4.9, 9.9, 1e9])
BEHAVIOUR = st.builds(
    Acts,
    st.sampled_from(["right", "raises", "dies", "victim", "killed"]),
    SECONDS,
    st.booleans(),
    st.none() | st.sampled_from([0.001, 0.2, 0.9, 1e9]),
)


@given(
    st.lists(BEHAVIOUR, min_size=FUNCTIONS, max_size=FUNCTIONS), st.lists(SECONDS, min_size=1, max_size=30)
)
def test_whatever_a_submission_does_it_ends_in_time(acts: list[Acts], imports_s: list[float]) -> None:
    session = Session(acts, imports_s)
    session.outcomes()
    assert session.machine.wasted_s <= IN_ALL_S


@given(st.data())
def test_whatever_stands_beside_them_right_functions_score(data: st.DataObject) -> None:
    """Those that take as long as they may, and those that are right in a fresh box alone."""
    honest = st.builds(Acts, st.just("right"), st.floats(0.0, FLOOR_S), looked_at_s=st.none() | st.just(0.01))
    victim = st.builds(Acts, st.just("victim"), st.floats(0.0, 0.05))
    hostile = st.builds(
        Acts,
        st.sampled_from(["raises", "dies", "right", "killed"]),
        SECONDS,
        st.just(True),
        st.none() | st.just(1e9),
    )
    acts = data.draw(st.lists(honest | victim | hostile, min_size=FUNCTIONS, max_size=FUNCTIONS))
    session = Session(acts, data.draw(st.lists(st.floats(0.0, LOADING_S), min_size=1)))
    for one, outcome in zip(acts, session.outcomes(), strict=True):
        if not one.asleep:
            assert outcome.scores, one
    assert session.machine.wasted_s <= IN_ALL_S


@given(st.lists(st.floats(0.0, LIMIT_S - 0.01), min_size=FUNCTIONS, max_size=FUNCTIONS))
def test_what_is_right_has_the_whole_limit_as_long_as_nothing_else_happens(seconds: list[float]) -> None:
    session = Session([Acts("right", s) for s in seconds])
    assert all(outcome.scores for outcome in session.outcomes())
    assert set(session.machine.granted) == {LIMIT_S}


def test_mistakes_that_show_at_once_cost_no_patience() -> None:
    session = Session([*[Acts("raises")] * 20, *[Acts("dies")] * 7, Acts("right", 9.9)])
    assert session.outcomes()[-1].scores
    assert set(session.machine.granted) == {LIMIT_S}


def test_the_next_ones_get_less_down_to_the_floor() -> None:
    session = Session([HANGS] * FUNCTIONS)
    assert set(session.outcomes()) == {Outcome.TIMED_OUT}
    granted = session.machine.granted
    assert granted[:2] == [LIMIT_S, LIMIT_S / 2]
    assert granted == sorted(granted, reverse=True)
    assert set(granted[4:]) == {FLOOR_S}


def test_sleeping_in_the_import_and_in_every_call_and_then_raising_ends_in_time() -> None:
    session = Session([Acts("raises", 9.9, asleep=True)] * FUNCTIONS, [9.9])
    assert not any(outcome.scores for outcome in session.outcomes())
    assert session.machine.wasted_s <= IN_ALL_S


def test_the_floor_is_fifty_times_what_the_reference_needs() -> None:
    session = Session([HANGS, HANGS, HANGS, HANGS, HANGS, Acts("right", 3.9)], needs_s=[0.0] * 5 + [0.08])
    assert session.outcomes()[-1].scores
    assert session.machine.granted[-1] == TIMES_THE_REFERENCE * 0.08


def test_no_floor_is_above_the_limit() -> None:
    session = Session([HANGS] * 5, limit_s=0.5, needs_s=[7.0])
    session.outcomes()
    assert max(session.machine.granted) == 0.5
    assert session.patience.floor_s(("ex", "d0")) == 0.5


@pytest.mark.parametrize("imports_s", [[0.01], [59.9], [0.01, 59.9]])
@pytest.mark.parametrize("acts", [HANGS, Acts("raises", 59.9), Acts("right", 59.9, asleep=True)])
def test_an_exercise_that_trains_ends_in_time_too(imports_s: list[float], acts: Acts) -> None:
    """Beside the others, which have their minute: two functions, of which one trains for half a second."""
    session = Session([acts, acts], imports_s, limit_s=60.0, needs_s=[0.02, 0.55])
    session.outcomes()
    assert session.machine.wasted_s <= 150.0 - Session([RIGHT] * FUNCTIONS).patience.together_s


def test_a_function_that_fails_in_a_fresh_box_is_not_asked_again() -> None:
    session = Session([Acts("raises")])
    assert session.outcomes() == [Outcome.ERROR]
    assert session.machine.asked == ["d0"]
    assert session.machine.opened == 1


def test_a_function_that_fails_where_others_ran_is_asked_again() -> None:
    session = Session([RIGHT, Acts("raises"), Acts("victim")])
    assert session.outcomes() == [Outcome.EXACT, Outcome.ERROR, Outcome.EXACT]
    assert session.machine.asked == ["d0", "d1", "d1", "d2", "d2"]


def test_a_function_that_runs_out_of_time_is_not_asked_again() -> None:
    session = Session([RIGHT, HANGS, RIGHT])
    assert session.outcomes() == [Outcome.EXACT, Outcome.TIMED_OUT, Outcome.EXACT]
    assert session.machine.asked == ["d0", "d1", "d2"]


def test_a_function_whose_box_was_killed_is_asked_again_and_twice_is_our_fault() -> None:
    session = Session([RIGHT, Acts("killed"), RIGHT])
    assert session.outcomes() == [Outcome.EXACT, Outcome.GRADER_FAULT, Outcome.EXACT]
    assert session.machine.asked == ["d0", "d1", "d1", "d2"]


def test_an_import_that_hangs_is_tried_once() -> None:
    session = Session([RIGHT] * FUNCTIONS, [1e9])
    assert set(session.outcomes()) == {Outcome.TIMED_OUT}
    assert session.machine.loads == 1


def test_an_import_that_is_too_slow_the_second_time_is_tried_for_each_function() -> None:
    session = Session([Acts("dies"), RIGHT, Acts("dies"), RIGHT], [0.01, 1e9, 0.01])
    assert session.outcomes() == [Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.CRASHED, Outcome.EXACT]


def test_a_stub_that_does_not_let_itself_be_looked_at_costs_itself_alone() -> None:
    session = Session([RIGHT, Acts("right", looked_at_s=1e9), Acts("right", looked_at_s=0.01), RIGHT])
    assert [outcome.scores for outcome in session.outcomes()] == [True, False, True, True]


def test_the_reference_is_timed_once_and_autograd_where_there_is_none(course: Course) -> None:
    """A gradient without a reference has the floor; a training without one is timed by autograd's."""
    settings = Settings()
    suites = prepare_suites(course, course.select(["ex2_cross_entropy", "ex4_training"]), settings)
    for suite in suites:
        for function in suite.exercise.functions:
            needed = suite.reference_s(function)
            assert needed > 0
            assert suite.reference_s(function) == needed
    (gradients, training) = (replace(suite, reference=None) for suite in suites)
    assert gradients.reference_s(gradients.exercise.functions[0]) == 0.0
    assert training.reference_s(training.exercise.function("train")) > 0
