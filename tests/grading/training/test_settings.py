"""Functions are settings: any names, any exercise; what does not fit is refused with file and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.course.course import Course
from grader.course.exercise import Exercise
from grader.course.settings import Settings
from grader.errors import CourseError
from grader.grading.judge import Judge
from grader.grading.suites import prepare_suites
from grader.sandbox.linux import Zygote
from tests.conftest import ROOT, Desk
from tests.grading.training.lecture import EXERCISE, FAST, GRADIENTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the exercise, to be changed."""
    shutil.copytree(ROOT / "exercises" / EXERCISE, tmp_path / "exercises" / "another")
    shutil.copytree(ROOT / "exercises" / "data", tmp_path / "exercises" / "data")
    return tmp_path / "exercises" / "another"


def change(folder: Path, right: str, wrong: str) -> None:
    path = folder / "exercise.toml"
    text = path.read_text("utf-8")
    assert text.count(right) == 1, right
    path.write_text(text.replace(right, wrong), "utf-8")


def test_what_is_asked_belongs_to_a_function() -> None:
    exercise = Exercise.load(ROOT / "exercises" / EXERCISE)
    assert exercise.stubs == ("backward", "train")
    assert exercise.gradients == GRADIENTS
    assert exercise.function("backward").places["db1"] == (1, 2)
    assert exercise.function("backward").returns == "(loss, [dC, dW1, db1, dW2, db2, dbngain, dbnbias])"
    assert exercise.function_of("losses") is exercise.function_of("descent")
    assert exercise.through("losses") == ()
    assert [step.name for step in exercise.through("db2")] == ["logits", "loss"]
    assert exercise.may_ask("train") == ("parameters", "batches", "learning_rates")


def test_a_stub_without_a_function_is_its_own() -> None:
    exercise = Exercise.load(ROOT / "exercises" / "ex1_step_by_step")
    assert exercise.stubs == exercise.asks == exercise.gradients


def test_nothing_hangs_on_the_names_of_functions(folder: Path, zygote: Zygote, tmp_path: Path) -> None:
    """Another course, another id, other names, a structure without a loss, fewer parameters, fewer steps."""
    change(folder, "[functions.backward]", "[functions.derive]")
    change(folder, "[functions.train]", "[functions.descend]")
    change(folder, 'returns = ["loss", ["dC", "dW1", "db1", "dW2", "db2", "dbngain", "dbnbias"]]',
           'returns = ["dW1", ["dC", "dbnbias", "unasked"], "db1", ["dW2", "db2", "dbngain"]]')  # fmt: skip
    change(folder, "steps = 300", "steps = 40")
    change(folder, 'batch = ["Xb", "Yb"]', 'batch = ["Xb", "Yb"]\n')
    source = FAST.replace("def train(", "def descend(") + (
        "\ndef derive(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):\n"
        "    _, (dC, dW1, db1, dW2, db2, dbngain, dbnbias) ="
        " backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb)\n"
        "    return dW1, [dC, dbnbias, None], db1, (dW2, db2, dbngain)\n"
    )
    course, settings = Course.at(folder.parent.parent), Settings()
    judge = Judge(zygote, prepare_suites(course, course.exercises, settings), settings)
    student = tmp_path / "student"
    student.mkdir()
    card = Desk(judge, student).grade({"another": source})
    assert card.perfect, [(g.name, g.outcome, g.notes) for g in card.exercises[0].gradients]
    assert card.max_score == 10
    assert card.exercises[0].descent is not None and card.exercises[0].descent.steps == 40


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ('kind = "descent"', 'kind = "ascent"', "functions.train.kind"),
        ('"Xb", "Yb"]\nreturns', '"Xb", "Y"]\nreturns', "parameters: expected forward values, found 'Y'"),
        ('trains = ["C", ', "trains = [", "functions.train: expected trains and batch to be the inputs"),
        ('words = "../data/names.txt"', "", "functions.train: expected words in [data]"),
        ('"losses", "parameters", "descent",', "", "functions.train: expected some of what it returns"),
        ("steps = 300", "steps = 0", "functions.train.steps"),
        ("held_out = 1000\n", "", "expected the keys kind, trains"),
        ("[functions.train]", "[functions.train]\nsteep = 1", "expected only the keys kind, trains"),
        ('vanishing = "value"', 'vanishing = "step"', 'functions.backward: expected vanishing = "value"'),
        ('vanishing = "value"', 'vanishing = "zero"', "vanishing: expected enum ['step', 'value'], found 'zero'"),
        ("[why_zero]\ndb1", "[why_zero]\ndb3", "why_zero: expected the gradient of a forward value, found 'db3'"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(folder: Path, right: str, wrong: str, words: str) -> None:
    change(folder, right, wrong)
    with pytest.raises(CourseError) as refusal:
        Exercise.load(folder)
    assert words in str(refusal.value)
    assert "exercise.toml" in str(refusal.value)


def test_a_descent_without_its_function_is_refused(folder: Path) -> None:
    """``losses`` is no gradient, so nothing but a descent can be asked for it."""
    text = (folder / "exercise.toml").read_text("utf-8")
    start, end = text.index("[functions.train]"), text.index("[data]")
    (folder / "exercise.toml").write_text(text[:start] + text[end:], "utf-8")
    with pytest.raises(CourseError, match="expected the gradient of a forward value, found 'losses'"):
        Exercise.load(folder)
