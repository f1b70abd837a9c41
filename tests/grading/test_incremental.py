"""A result is reused from save to save only if nothing that the function can notice has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grader.apps.watch.save import play
from grader.grading.engine import Engine
from grader.grading.incremental import FunctionCache, fingerprints
from grader.grading.judge import Judge
from grader.sandbox.box import Box
from grader.scorecard.model import ExerciseResult
from grader.submissions import submission
from grader.submissions.source import Source
from tests.conftest import ROOT

EX1 = "ex1_step_by_step"
ALICE = (ROOT / f"submissions/alice/{EX1}.py").read_text("utf-8")
BOB = (ROOT / f"submissions/bob/{EX1}.py").read_text("utf-8")


class BoxPlan:
    """One person's saves of exercise 1, graded with a memory, and what was asked for each."""

    def __init__(self, judge: Judge, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        suites = tuple(suite for suite in judge.suites if suite.exercise.id == EX1)
        exercises = tuple(suite.exercise for suite in judge.suites)
        self._judge = replace(judge, suites=suites, memory=FunctionCache(), exercises=exercises)
        self._folder = folder
        self.asked: list[str] = []
        whole = Box.call

        def call(box: Box, function: str, *arguments: object, **named: object) -> object:
            self.asked.append(function)
            return whole(box, function, *arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(Box, "call", call)

    def save(self, text: str, name: str = f"{EX1}.py") -> ExerciseResult:
        """Save a file and have it graded; what was asked for it alone is in :attr:`asked`."""
        (self._folder / name).write_text(text, "utf-8")
        del self.asked[:]
        return self._grade(self._judge)

    def anew(self) -> ExerciseResult:
        """The same, graded by somebody who remembers nothing."""
        return self._grade(replace(self._judge, memory=None))

    def _grade(self, judge: Judge) -> ExerciseResult:
        (result,) = judge.grade(submission.read(self._folder, [EX1])).exercises
        gradients = tuple(replace(gradient, seconds=0.0) for gradient in result.gradients)
        return replace(result, gradients=gradients)


@pytest.fixture
def plan(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BoxPlan:
    """Somebody at a desk."""
    return BoxPlan(judge, tmp_path, monkeypatch)


def test_only_what_changed_is_asked(plan: BoxPlan) -> None:
    plan.save(ALICE)
    assert len(plan.asked) == 26
    changed = ALICE.replace("return (1.0 / probs) * dlogprobs", "return (2.0 / probs) * dlogprobs")
    assert changed != ALICE
    result = plan.save(changed)
    assert plan.asked == ["dprobs"]
    assert [g.name for g in result.gradients if not g.outcome.scores] == ["dprobs"]
    assert result == plan.anew()
    assert plan.save(ALICE) == plan.anew()


def test_going_back_asks_nothing(plan: BoxPlan) -> None:
    plan.save(ALICE)
    plan.save(ALICE.replace("return (1.0 / probs) * dlogprobs", "return (2.0 / probs) * dlogprobs"))
    plan.save(ALICE)
    assert plan.asked == []


def test_comments_and_places_change_lines_and_nothing_else(plan: BoxPlan) -> None:
    before = plan.save(ALICE)
    after = plan.save(f"# a comment\n\n{ALICE}")
    assert plan.asked == []
    lines = [(g.line or 0) + 2 for g in before.gradients]
    assert [g.line for g in after.gradients] == lines
    assert after == plan.anew()


def test_an_error_that_quotes_lines_is_asked_again_where_they_moved(plan: BoxPlan) -> None:
    plan.save(BOB)
    result = plan.save(f"# a comment\n{BOB}")
    assert plan.asked == ["dbnraw"]
    assert result == plan.anew()


def test_a_helper_changes_who_mentions_it(plan: BoxPlan) -> None:
    helper = "\ndef half(x):\n    return x / FACTOR\n\nFACTOR = 2\n"
    text = ALICE + helper + "\ndef dh(W2, dlogits):\n    return half(dlogits @ W2.T)\n"
    plan.save(text)
    result = plan.save(text.replace("FACTOR = 2", "FACTOR = 1"))
    assert plan.asked == ["dh"]
    assert next(g for g in result.gradients if g.name == "dh").outcome.scores


def test_a_wrong_function_nobody_could_reach_is_asked_once(plan: BoxPlan) -> None:
    plan.save(BOB)
    assert len(plan.asked) == len(set(plan.asked)) == 26


def test_where_functions_share_something_they_are_asked_as_ever(plan: BoxPlan) -> None:
    """One function ruins another through a list; the other still gets its point, in a box of its own."""
    text = ALICE + (
        "\nkept = []\n"
        "def dprobs(probs, dlogprobs):\n    kept.append(1)\n    return dlogprobs / probs\n"
        "def dh(W2, dlogits):\n    return dlogits @ W2.T * (1 + len(kept))\n"
    )
    for number in range(2):
        result = plan.save(f"{text}\nassert {number + 1}\n")
        assert all(gradient.outcome.scores for gradient in result.gradients)
        assert plan.asked.count("dprobs") == 1
        assert plan.asked.count("dh") == 2


def test_what_may_reach_the_others_is_asked_with_all_of_them(plan: BoxPlan) -> None:
    """A comment changes nothing even there; anything else may change everything."""
    text = ALICE + "\ndef tamper():\n    torch.sum = 1\n"
    plan.save(text)
    plan.save(f"# a comment\n{text}")
    assert plan.asked == []
    plan.save(text.replace("torch.sum = 1", "torch.sum = 2"))
    assert len(plan.asked) == 26


def test_a_notebook_s_other_gradients_are_remembered(plan: BoxPlan, course: object) -> None:
    from tests.submissions.notebooks.build import notebook, pieces

    cells = pieces("lecture")
    plan.save(notebook(cells).decode(), "part4.ipynb")
    changed = [
        (kind, text.replace("dprobs = (1.0 / probs)", "dprobs = (2.0 / probs)")) for kind, text in cells
    ]
    moved = [("code", "# what comes next\nprint(1)"), *changed]
    result = plan.save(notebook(moved).decode(), "part4.ipynb")
    assert plan.asked == ["dprobs"]
    assert result == plan.anew()
    assert {gradient.cell for gradient in result.gradients} == {13}


PLAIN = """
import torch
EPS = 1e-5
def one(a):
    return a + EPS
def dx(a):
    return one(a)
def dy(b):
    return b
"""


def seen(text: str, helpers: dict[str, bytes] | None = None) -> set[str]:
    """The functions that no other can reach."""
    found = fingerprints(Source("a.py", text.encode(), helpers or {}), ("dx", "dy"))
    return {name for name, fingerprint in found.items() if fingerprint.apart}


def test_plain_functions_are_told() -> None:
    assert seen(PLAIN) == {"dx", "dy"}
    assert seen(PLAIN.replace("def dx(a)", "def dx(a: torch.Tensor, n=(1, -2)) -> torch.Tensor")) == {
        "dx",
        "dy",
    }
    assert seen("import torch.nn.functional as F\n" + PLAIN) == {"dx", "dy"}
    assert seen(PLAIN + "def dx(a):\n    return a\n") == {"dx", "dy"}


REACHING: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "a global": (lambda t: t + "def f():\n    global EPS\n    EPS = 2\n", set()),
    "a list that both hold": (lambda t: t.replace("EPS = 1e-5", "EPS = [1e-5]"), {"dy"}),
    "a tensor that both hold": (lambda t: t.replace("1e-5", "torch.ones(3)"), {"dy"}),
    "an attribute that is set": (lambda t: t + "def f():\n    torch.sum = 1\n", set()),
    "setattr": (lambda t: t + "def f():\n    setattr(torch, 'sum', 1)\n", set()),
    "globals()": (lambda t: t + "def f():\n    globals()['dx'] = 1\n", set()),
    "a default that is a list": (lambda t: t.replace("def one(a)", "def one(a, kept=[])"), {"dy"}),
    "a lambda's default": (lambda t: t.replace("EPS = 1e-5", "EPS = lambda kept=[]: kept"), {"dy"}),
    "a decorator": (lambda t: t.replace("def one", "@cache\ndef one"), {"dy"}),
    "a class": (lambda t: t.replace("EPS = 1e-5", "class EPS:\n    n = 1"), {"dy"}),
    "torch's settings": (lambda t: t + "def f():\n    torch.set_default_dtype(torch.float64)\n", set()),
    "torch's random numbers": (lambda t: t.replace("return b", "return torch.randn(3)"), set()),
    "the module's own dict": (lambda t: t + "def f():\n    return one.__globals__\n", set()),
    "a star import": (lambda t: "from torch import *\n" + t, set()),
    "an import of sys": (lambda t: "import sys\n" + t, set()),
    "not a plain function": (lambda t: t + "dy = torch.log\n", {"dx"}),
    "not to be parsed": (lambda t: t + "def f(:\n", set()),
    "a null byte": (lambda t: t + "\0", set()),
}


@pytest.mark.parametrize("name", REACHING)
def test_what_may_be_reached_unseen_is_not_told(name: str) -> None:
    change, told = REACHING[name]
    assert change(PLAIN) != PLAIN
    assert seen(change(PLAIN)) == told


def test_a_module_beside_the_file_may_hold_anything() -> None:
    helpers = {"other.py": b"kept = []\n"}
    assert seen("import other\n" + PLAIN, helpers) == set()
    assert seen("from other import kept\n" + PLAIN, helpers) == set()
    assert seen(PLAIN, helpers) == {"dx", "dy"}


def test_whoever_grades_others_remembers_nothing(judge: Judge) -> None:
    assert judge.memory is None


def test_a_save_in_another_cell_does_not_train_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of steps are not what somebody waits for who is at work on one gradient."""
    from tests.submissions.notebooks.build import notebook, pieces

    asked: list[str] = []
    whole = Box.call

    def call(box: Box, function: str, *arguments: object, **named: object) -> object:
        asked.append(function)
        return whole(box, function, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Box, "call", call)
    watched = Engine.over(engine.prepared, engine.boxes, reuse=True)
    path = tmp_path / "part4.ipynb"
    path.write_bytes(notebook(pieces("lecture")))
    first = play(watched, submission.read(path, watched.ids), None)
    assert {"backward", "train"} <= set(asked)
    del asked[:]
    cells = [
        (kind, text.replace("dprobs = (1.0 / probs)", "dprobs = (2.0 / probs)"))
        for kind, text in pieces("lecture")
    ]
    path.write_bytes(notebook(cells))
    second = play(watched, submission.read(path, watched.ids), first)
    assert asked == ["dprobs"]
    assert [change.gradient for change in second.changes] == ["dprobs"]
    (trained,) = [result for result in second.card.exercises if result.descent is not None]
    assert trained.descent == next(r.descent for r in first.card.exercises if r.id == trained.id)
