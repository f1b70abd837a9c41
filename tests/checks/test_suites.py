"""An exercise of three lines, small enough to write down every check, call and witness of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from grader.checks.cache import REPORT_BYTES, REPORTS_BYTES, VERDICTS_BYTES, SuiteCache
from grader.checks.cases import (
    LECTURE,
    RANDOM,
    CaseSource,
    cases,
    draw_start,
    floats,
    mixed,
    sources,
)
from grader.checks.check import Check, whole
from grader.checks.function_checks import (
    UNSHOWN,
    CaseSet,
    SeveralChecks,
    StubChecks,
    TrainingChecks,
    checks_of,
)
from grader.checks.oracle import Oracle
from grader.checks.suite import ExerciseSuite
from grader.checks.witnesses import largest
from grader.course.exercise import CaseSettings, Exercise, GradientStub
from grader.course.settings import DEFAULT_SEED
from grader.errors import CourseError
from grader.sandbox.answers import Called, Failed, Other
from grader.scorecard.model import Difference, ForwardLine, Outcome

SETTINGS = """
title = "Three lines"
asks = ["dz", "dy", "dw", "dx"]
[lecture]
sizes = { rows = 2 }
[[fresh]]
sizes = { rows = 3 }
[[fresh]]
seed = 5
sizes = { rows = 4 }
"""
FORWARD = """
import torch

def draw(generator, *, rows):
    return {
        "x": torch.randn((rows, 2), generator=generator), "w": torch.randn((2,), generator=generator), "n": rows,
    }

def forward(x, w, n):
    y = x * w
    z = y * y
    loss = z.sum() / n
    return loss
"""


def load(folder: Path, settings: str = SETTINGS, forward: str = FORWARD) -> Exercise:
    folder.mkdir()
    (folder / "forward.py").write_text(forward, "utf-8")
    (folder / "exercise.toml").write_text(settings, "utf-8")
    return Exercise.load(folder)


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return load(tmp_path / "three")


def suite_of(exercise: Exercise, reference: Any = None, **fields: Any) -> ExerciseSuite:
    return ExerciseSuite(exercise, tuple(map(Oracle, cases(exercise))), reference, **fields)


@pytest.fixture
def suite(exercise: Exercise) -> ExerciseSuite:
    return suite_of(exercise)


# Cases


def test_sources_say_what_a_case_is_drawn_from(exercise: Exercise) -> None:
    lecture, first, second = sources(exercise)
    plain = CaseSource(exercise.forward, "lecture", None, (("rows", 2),), 1, "three", None)
    assert lecture == plain
    assert first == replace(plain, name="fresh 1", sizes=(("rows", 3),))
    assert second == replace(plain, name="fresh 2", sizes=(("rows", 4),), fixed=5)
    assert DEFAULT_SEED == 1
    other = sources(exercise, 9, Path("words.txt"), "me")[1]
    assert other == replace(first, seed=9, owner="me", words=Path("words.txt"))
    worded = replace(exercise, words=Path("own.txt"))
    assert sources(worded)[0].words == Path("own.txt")
    assert sources(worded, words=Path("words.txt"))[0].words == Path("words.txt")


def test_a_seed_for_a_purpose_is_a_hash(exercise: Exercise) -> None:
    """Which must not change: scorecards name the instructor's seed, and are to be made again from it."""
    assert mixed(1, "x") == 57183195029973711
    assert mixed(1, "x") != mixed(1, "y") != mixed(2, "x")
    source = sources(exercise)[1]
    assert source.derived == source.drawn_from == mixed(1, "three/fresh 1")
    assert replace(source, owner=None).derived == mixed(1, "fresh 1")
    fixed = sources(exercise)[2]
    assert (fixed.drawn_from, fixed.derived) == (5, mixed(1, "three/fresh 2"))


def test_a_case_is_what_was_drawn_and_what_follows(exercise: Exercise) -> None:
    (_, _, case) = cases(exercise)
    drawn = exercise.forward.module["draw"](torch.Generator().manual_seed(5), rows=4)
    assert (case.name, case.forward, case.seed) == ("fresh 2", exercise.forward, mixed(1, "three/fresh 2"))
    assert case.source == sources(exercise)[2]
    assert list(case.inputs) == ["x", "w", "n"]
    assert case.inputs["x"].equal(drawn["x"])
    assert case.values["z"].equal((drawn["x"] * drawn["w"]) ** 2)
    assert list(floats(case.values)) == ["x", "w", "y", "z", "loss"]
    assert list(floats({"a": torch.tensor(1), "b": 1.0, "c": torch.tensor(1.0)})) == ["c"]
    expected = torch.rand(3, generator=torch.Generator().manual_seed(mixed(case.seed, "noise")))
    assert torch.rand(3, generator=case.generator("noise")).equal(expected)


def test_a_start_belongs_to_nobody(exercise: Exercise) -> None:
    case = draw_start(exercise.forward, CaseSettings("start", None, {"rows": 6}), 3)
    assert case.source == CaseSource(exercise.forward, "start", None, (("rows", 6),), 3, None, None)
    assert case.inputs["x"].shape == (6, 2)


def test_words_are_for_the_lecture_s_case_alone(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("ada\nben\n", "utf-8")
    forward = FORWARD.replace("generator, *, rows", "generator, words=None, *, rows")
    forward = forward.replace('"n": rows', '"n": len(words.words) if words else rows')
    exercise = load(tmp_path / "worded", forward=forward)
    drawn = cases(exercise, words=words)
    assert [case.values["n"] for case in drawn] == [2, 3, 4]
    assert drawn[0].name == LECTURE


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"n": rows', '"m": rows', "case lecture: expected draw() to give 'n'"),
        ('"n": rows', '"n": 1 / 0 if 0 else int("x")', "case lecture: ValueError: invalid literal"),
        ("z = y * y", "z = y @ y", "case fresh 1: RuntimeError: mat1 and mat2"),
        ("(2,)", "(3,)", "case lecture: RuntimeError: The size of tensor"),
        ("rows):", "lines):", "case lecture: TypeError: draw() "),
        ('"n": rows', '"n": [][rows]', "case lecture: IndexError: list index"),
    ],
)
def test_what_fails_in_a_case_is_said(tmp_path: Path, before: str, after: str, said: str) -> None:
    exercise = load(tmp_path / "broken", forward=FORWARD.replace(before, after))
    with pytest.raises(CourseError) as caught:
        cases(exercise)
    assert str(caught.value).startswith(f"{exercise.forward.path}: {said}")


# Checks


def test_every_case_is_a_check_and_random_upstreams_are_one_more(suite: ExerciseSuite) -> None:
    first, second, third, random = suite.checks("dx", frozenset({"dy", "w"}))
    for number, check in enumerate((first, second, third)):
        oracle = suite.oracles[number]
        assert check == Check(oracle.case.name, check.arguments, oracle.expected["x"], True, number)
        assert list(check.arguments) == ["dy", "w"]
        assert check.arguments["dy"] is oracle.expected["y"].autograd
        assert check.arguments["w"] is oracle.case.values["w"]
    gradients = suite.oracles[1].random({"y"}, {"x", "y"})
    assert random == Check(RANDOM, random.arguments, gradients["x"], False, 3)
    assert random.arguments["dy"] is gradients["y"].autograd
    assert random.arguments["w"] is suite.oracles[1].case.values["w"]


def test_the_gradient_of_the_loss_is_one(suite: ExerciseSuite) -> None:
    """And nothing that could be drawn at random."""
    checks = suite.checks("dz", frozenset({"dloss", "n"}))
    assert [check.name for check in checks] == ["lecture", "fresh 1", "fresh 2"]
    assert [check.arguments["n"] for check in checks] == [2, 3, 4]
    for check in checks:
        assert check.arguments["dloss"].equal(torch.tensor(1.0))


def test_the_only_case_is_the_one_for_random_upstreams(suite: ExerciseSuite) -> None:
    alone = replace(suite, oracles=suite.oracles[:1], cache=SuiteCache())
    (_, random) = alone.checks("dx", frozenset({"dy"}))
    assert random.expected is suite.oracles[0].random({"y"}, {"x", "y"})["x"]
    assert random.call == 1
    assert CaseSet(suite.exercise, suite.oracles).fresh is suite.oracles[1]


def test_calls_are_those_of_the_checks(suite: ExerciseSuite) -> None:
    function = suite.exercise.function("dx")
    parameters = frozenset({"dy", "w"})
    calls = suite.calls(function, parameters)
    assert list(calls) == [check.arguments for check in suite.checks("dx", parameters)]
    assert calls.replies is suite.cache.replies
    assert suite.calls(function, parameters) is calls
    assert suite.checks("dx", parameters) is suite.checks("dx", parameters)
    assert suite.after(function) == ()


def test_each_line_has_the_gradients_that_are_complete_after_it(suite: ExerciseSuite) -> None:
    assert suite.lines == (
        ForwardLine("y", "y = x * w", ("dw", "dx")),
        ForwardLine("z", "z = y * y", ("dy",)),
        ForwardLine("loss", "loss = z.sum() / n", ("dz",)),
    )


def test_what_is_planned_is_known_beforehand(suite: ExerciseSuite) -> None:
    found = suite.of_ask("dw")
    assert found.planned("dw") == tuple((o.case.name, o.expected["w"].tolerance) for o in suite.oracles)
    assert (found.shape("dw"), found.shape("dx")) == ((2,), (2, 2))
    assert (found.after, found.is_costly, found.trained((), 1.0)) == ((), False, None)


def test_the_kinds_of_function(suite: ExerciseSuite) -> None:
    case_set = CaseSet(suite.exercise, suite.oracles)
    assert checks_of(GradientStub("dx"), case_set, {}) == StubChecks(case_set)
    with pytest.raises(TypeError, match="found str"):
        checks_of(cast(Any, "dx"), case_set, {})
    assert SeveralChecks.is_costly is False


def test_a_training_that_failed_is_none() -> None:
    oracle = SimpleNamespace(
        told=lambda called, seconds: (called, seconds),
        descent=SimpleNamespace(steps=7),
        shape=lambda ask: (ask,),
        checks=lambda ask: iter([ask]),
    )
    checks = TrainingChecks(cast(Any, oracle))
    assert checks.trained((), 1.0) is None
    assert checks.trained((Called(Failed(Outcome.ERROR, "")),), 1.0) is None
    done = Called(Other("None"))
    assert checks.trained((done, Called(Failed(Outcome.ERROR, ""))), 1.5) == (done, 1.5)
    assert checks.planned("losses") == (("7 steps", None),)
    assert checks.shape("losses") == ("losses",)
    assert list(checks.checks("losses", frozenset())) == ["losses"]
    assert (checks.after, checks.is_costly) == (("parameters",), True)


DEAF = FORWARD.replace("z = y * y", "u = y * 0.0\n    v = y - y\n    z = u + v")


def test_what_shows_nothing_is_told_with_what_to_take(tmp_path: Path) -> None:
    settings = SETTINGS.replace('"dy", "dw", "dx"', '"dv", "du", "dy"')
    suite = suite_of(load(tmp_path / "deaf", settings, DEAF))
    assert {"y", "x", "w"} <= suite.blind.tensors
    *_, random = suite.checks("dy", frozenset({"du"}))
    taken, missing = "du", "du and dv"
    lines = "`u = y * 0.0` and `v = y - y`"
    assert random.unshown == UNSHOWN.format(taken=taken, missing=missing, lines=lines)
    assert random.decides
    *_, both = suite.checks("dy", frozenset({"du", "dv"}))
    assert both.unshown is None
    *_, far = suite.checks("dy", frozenset({"dz", "dloss"}))
    assert far.unshown == UNSHOWN.format(taken="dz", missing=missing, lines=lines)


# Another suite on other cases


def test_a_model_knows_what_vanishes_and_what_its_witnesses_say(
    exercise: Exercise, suite: ExerciseSuite
) -> None:
    others = tuple(map(Oracle, cases(exercise, 9)))
    twin = suite.on(others)
    assert (twin.oracles, twin.model) == (others, suite)
    assert twin.blind is suite.blind
    assert twin.cache is not suite.cache
    assert twin._witnesses is suite._witnesses
    third = twin.on(suite.oracles)
    assert third.model is suite


# Witnesses


def reference(**functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    def dz(y: torch.Tensor, n: int) -> torch.Tensor:
        return torch.full_like(y, 1 / n)

    return {"dz": dz, **functions}


def test_a_right_reference_is_no_fault(exercise: Exercise) -> None:
    suite = suite_of(exercise, reference())
    assert suite.fault("dz") is None
    assert suite.faults == {}
    assert suite.fault("dy") is None
    function = exercise.function("dz")
    assert suite.reference_s(function) > 0
    assert suite.reference_s(function) == suite.reference_s(function)
    assert suite.reference_s(exercise.function("dy")) == 0.0


def test_a_wrong_reference_is_told_with_its_case(exercise: Exercise) -> None:
    def dz(y: torch.Tensor) -> torch.Tensor:
        return torch.full_like(y, 1 / 3)

    suite = suite_of(exercise, reference(dz=dz))
    assert suite.faults == {"dz": "the reference is wrong_value in case lecture"}


def test_a_reference_that_fails_is_told_with_its_words(exercise: Exercise) -> None:
    def dz(y: torch.Tensor) -> torch.Tensor:
        raise KeyError("why")

    suite = suite_of(exercise, reference(dz=dz))
    assert suite.fault("dz") == "the reference is error in case lecture: KeyError: 'why'"


def test_a_reference_has_copies_of_its_own(exercise: Exercise) -> None:
    """What it does to them is not done to what submissions are called with."""

    def dz(y: torch.Tensor, *, n: int) -> torch.Tensor:
        local = torch.full_like(y, 1 / n)
        y.zero_()
        return local

    suite = suite_of(exercise, reference(dz=dz))
    assert suite.fault("dz") is None
    assert all(oracle.case.values["y"].abs().max() > 0 for oracle in suite.oracles)


def test_autograd_that_disagrees_with_itself_is_told_first(exercise: Exercise) -> None:
    suite = suite_of(exercise)
    (check, *_) = suite.checks("dz", frozenset())
    for precise in (check.expected.precise + 1, check.expected.precise * math.nan):
        broken = replace(check, expected=replace(check.expected, precise=precise), name="odd")
        spoilt = suite_of(exercise)
        spoilt.cache.checks(("dz", frozenset()), lambda found=(check, broken): found)
        assert spoilt.fault("dz") == "autograd in float32 and in float64 disagree in case odd"
        noted = suite_of(exercise)
        note = replace(broken, decides=False)
        noted.cache.checks(("dz", frozenset()), lambda found=(note,): found)
        assert noted.fault("dz") is None


def test_answers_are_as_far_from_the_reference_s_as_the_furthest(exercise: Exercise) -> None:
    suite = suite_of(exercise, reference())
    right = torch.full((2, 2), 0.5)
    assert suite.reference_differences("dz", [right]) == Difference(0.0, 0.0)
    assert suite.reference_differences("dz", [right.reshape(1, 2, 2) + 0.25]) == Difference(0.25, 0.5)
    second = torch.full((3, 2), float(torch.tensor(1 / 3)) + 1.0)
    found = suite.reference_differences("dz", [right, second])
    assert found is not None and found.max_abs_diff == pytest.approx(1.0)
    assert suite.reference_differences("dz", []) is None
    assert suite.reference_differences("dy", [right]) is None


def test_the_largest_of_some_differences() -> None:
    one, two = Difference(1.0, 5.0), Difference(2.0, 3.0)
    assert largest([one, two]) == Difference(2.0, 5.0)
    assert largest([one, Difference(3.0, None)]) == Difference(3.0, None)
    assert largest([one, Difference(None, 7.0)]) == Difference(None, 7.0)
    assert largest([]) == Difference(None, None)


# What is kept


CONTENT = ("words", b"body")
REPLY = ("dx", frozenset({"w"}), CONTENT)


def test_what_is_kept_is_made_once() -> None:
    cache = SuiteCache()
    made = iter(range(100))
    reports: Callable[[], Any] = lambda: cache.report(("dx", "full", 3, REPLY), lambda: cast(Any, next(made)))  # noqa: E731
    verdicts: Callable[[], Any] = lambda: cache.verdicts(REPLY, lambda: cast(Any, next(made)))  # noqa: E731
    others: Callable[[], Any] = lambda: cache.once("key", lambda: next(made))  # noqa: E731
    calls: Callable[[], Any] = lambda: cache.calls(("dx", frozenset()), lambda: cast(Any, next(made)))  # noqa: E731
    checks: Callable[[], Any] = lambda: cache.checks(("dx", frozenset()), lambda: cast(Any, next(made)))  # noqa: E731
    assert cache.is_empty
    for number, kept in enumerate((others, calls, checks, reports, verdicts)):
        assert [kept(), kept()] == [number, number]
        assert cache.is_empty == (number < 3)
    cache.forget()
    assert cache.is_empty
    assert [others(), calls(), checks()] == [0, 1, 2], "these stay"
    assert [reports(), verdicts()] == [5, 6]


def test_a_reply_too_long_to_be_kept_is_checked_each_time() -> None:
    cache = SuiteCache()
    assert [cache.verdicts(None, dict) for _ in range(2)] == [{}, {}]
    assert cache.is_empty


def test_one_kind_of_reply_is_enough_not_to_be_empty() -> None:
    verdicts, reports, replies = SuiteCache(), SuiteCache(), SuiteCache()
    verdicts.verdicts(REPLY, dict)
    reports.report(("dx", "full", None, REPLY), lambda: cast(Any, 1))
    replies.replies[cast(Any, CONTENT)] = cast(Any, ())
    for cache in (verdicts, reports, replies):
        assert not cache.is_empty
        cache.forget()
        assert cache.is_empty


def test_what_follows_from_replies_is_of_limited_size() -> None:
    assert (VERDICTS_BYTES, REPORTS_BYTES, REPORT_BYTES) == (32 * 2**20, 32 * 2**20, 16 * 2**10)
    cache = SuiteCache()
    for number in range(3000):
        cache.report((f"d{number}", "full", None, REPLY), lambda: cast(Any, 1))
    assert len(cache._reports) < 2048
    large = ("dx", frozenset({"w"}), ("", bytes(9 * 2**20)))
    for name in ("a", "b"):
        cache.verdicts((name, *large[1:]), dict)
    assert [key[0] for key in cache._verdicts] == ["b"], "two are 36 MiB"


def test_a_check_is_of_a_whole_answer_by_default(suite: ExerciseSuite) -> None:
    assert {check.extract for check in suite.checks("dx", frozenset())} == {whole}


def test_calls_are_kept_for_each_function_and_its_parameters() -> None:
    cache = SuiteCache()
    keys = [("dx", frozenset()), ("dx", frozenset({"w"})), ("dy", frozenset())]
    for number, key in enumerate(keys):
        assert cache.calls(key, lambda found=number: cast(Any, found)) == number
        assert cache.checks(key, lambda found=number: cast(Any, found)) == number


def test_a_case_is_shown_without_its_source(exercise: Exercise) -> None:
    assert "CaseSource" not in repr(cases(exercise)[0])
