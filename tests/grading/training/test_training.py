"""A whole training: as autograd's, the same from run to run, and clean wherever it ends."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader.checks.loss_curve import POINTS, curve
from grader.course.course import Course
from grader.course.settings import Settings
from grader.errors import SubmissionError, UsageError
from grader.grading.network import Network
from grader.grading.training import LOST, Moment, Show, Trainer
from grader.sandbox.linux import Zygote
from grader.scorecard.model import Training
from grader.submissions import submission
from tests.conftest import ROOT
from tests.grading.training.lecture import EXERCISE, FAST, LOOP

STEPS = 120

Train = Callable[..., Training]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words enough to have every letter, and few enough to be gone through at once."""
    names = (ROOT / "exercises/data/names.txt").read_text("utf-8").splitlines()[:2000]
    assert len(set("".join(names))) == 26
    path = tmp_path_factory.mktemp("words") / "few.txt"
    path.write_text("\n".join(names), "utf-8")
    return path


@pytest.fixture
def train(tmp_path: Path, course: Course, zygote: Zygote, few: Path) -> Train:
    """Train with a file as if it had been handed in."""

    def train(
        source: str, steps: int = STEPS, show: Show = lambda moment: True, time_limit_s: float | None = None
    ) -> Training:
        (tmp_path / f"{EXERCISE}.py").write_text(source)
        return trainer(tmp_path, course, steps, time_limit_s, few).train(zygote, show)

    return train


def trainer(
    path: Path, course: Course, steps: int, time_limit_s: float | None = None, words: Path | None = None
) -> Trainer:
    handed_in = submission.read(path, course.ids)
    return Trainer.of(handed_in, course, Settings(words=words), steps=steps, time_limit_s=time_limit_s)


def never(moment: Moment) -> bool:
    """Somebody who wants to stop at once."""
    return False


def test_a_training_ends_where_autograds_does_and_so_again(train: Train) -> None:
    one, two = (train(FAST) for _ in range(2))
    assert one.trouble is None and one.done == STEPS == one.hand.steps == one.autograd.steps
    assert one.hand.averages.training == pytest.approx(one.autograd.averages.training, abs=1e-4)
    assert one.words == "few.txt"
    assert one.hand.averages.validation == pytest.approx(one.autograd.averages.validation, abs=1e-4)
    assert one.hand.curve == pytest.approx(one.autograd.curve, abs=1e-3)
    first, last = one.hand.curve[0], one.hand.averages.training
    assert first is not None and last is not None and last < first - 0.5
    assert len(one.names) == 20 and all(re.fullmatch("[a-z]*", name) for name in one.names)
    assert timeless(one) == timeless(two)


def timeless(training: Training) -> Training:
    hand, autograd = (replace(side, seconds=0.0) for side in (training.hand, training.autograd))
    return replace(training, hand=hand, autograd=autograd)


def test_whoever_watches_is_told_what_is_waited_for(train: Train) -> None:
    """Autograd may be behind when the last step by hand is made: how far it is, is shown, and never too far."""
    seen: list[Moment] = []
    result = train(FAST, 400, lambda moment: seen.append(moment) is None)
    behind = [moment.autograd for moment in seen if moment.autograd is not None]
    assert behind == sorted(behind) and all(made <= 400 for made in behind)
    assert all(moment.step == 400 for moment in seen if moment.autograd is not None)
    assert result.autograd.steps == 400


def test_a_stop_keeps_what_there_is(train: Train) -> None:
    seen: list[Moment] = []

    def show(moment: Moment) -> bool:
        seen.append(moment)
        return False

    result = train(FAST, 1_000_000, show)
    assert result.stopped and not result.broke_down
    assert 0 < result.done < 1_000_000
    assert result.done == result.hand.steps == result.autograd.steps
    assert result.hand.averages.validation == pytest.approx(result.autograd.averages.validation, abs=1e-3)
    assert result.names
    assert seen[0].loss is not None
    assert result.trouble == f"stopped at step {result.done} of 1000000"


BY_NUMBER = FAST.replace(
    "for i, ((Xb, Yb), lr) in enumerate(zip(batches, learning_rates)):",
    "for i in range(len(batches)):\n            (Xb, Yb), lr = batches[i], learning_rates[i]",
)


def test_a_loop_by_number_is_stopped_cleanly_too(train: Train) -> None:
    """It ends by an exception, which is not the submission's failure; the network is there all the same."""
    result = train(BY_NUMBER, 1_000_000, never)
    assert result.stopped and not result.broke_down
    assert LOST in (result.trouble or "")
    assert result.done == result.autograd.steps > 0 == result.hand.steps
    assert result.hand.averages.validation == pytest.approx(result.autograd.averages.validation, abs=1e-3)
    assert result.names


def test_a_loop_that_looked_ahead_is_stopped_where_it_is(train: Train) -> None:
    """Whoever has seen the last batch has not made the last step, nor does autograd make it then."""
    result = train(FAST.replace("    lossi = []", "    lossi, last = [], batches[-1]"), 200_000, never)
    assert result.stopped and 0 < result.done == result.hand.steps < 200_000
    assert result.autograd.steps < 200_000


def test_a_failure_after_a_stop_is_still_a_failure(train: Train) -> None:
    """A loop that breaks down by itself did not end by hand."""
    result = train(
        FAST.replace(LOOP, LOOP + "            assert i < 200\n"), 1_000_000, lambda m: m.step < 190
    )
    assert result.broke_down and "AssertionError" in (result.trouble or "")


def test_a_stop_at_the_very_end_is_no_trouble(train: Train) -> None:
    """All steps were made: nothing is missing."""
    result = train(FAST.replace("    lossi = []", "    lossi, batches = [], list(batches)"), 300, never)
    assert result.done == 300
    assert result.trouble is None and not result.stopped


@pytest.mark.parametrize(
    ("change", "words", "step"),
    [
        ("            assert i < 60\n", "AssertionError", 61),
        ("            if i == 60: __import__('os')._exit(3)\n", "ended its own process", None),
        ("            while i == 60: pass\n", "no answer within 2 s", 61),
        ("            if i == 60: torch.ones(2**40)\n", "", 61),
    ],
)
def test_a_training_that_breaks_down_is_told(train: Train, change: str, words: str, step: int | None) -> None:
    """What happened and at which step; autograd makes the steps that were made, and not the one it broke in."""
    result = train(FAST.replace(LOOP, LOOP + change), time_limit_s=2)
    assert result.broke_down and words in (result.trouble or "")
    assert result.hand.steps == 0 and result.autograd.steps == result.done
    if step is not None:
        assert f"it had come to step {step} of {STEPS}" in (result.trouble or "")
        assert result.done == step - 1


def test_parameters_that_explode_are_told(train: Train) -> None:
    """By the step at which the losses stop being numbers."""
    result = train(FAST.replace("-lr * grad", "grad * (1.0 if i < 9 else float('nan'))"), 20)
    assert result.broke_down and result.trouble == "the losses are not finite from step 11 on"
    assert result.hand.averages.training is None and result.names == ()
    assert result.hand.curve[-1] is None and result.hand.curve[0] is not None


@pytest.mark.parametrize("huge", ["3e38", "1e30", "1e20"])
def test_parameters_too_large_to_reckon_with_are_no_fault_of_ours(train: Train, huge: str) -> None:
    """Finite numbers whose products are not: no loss, no name, and no failure of the grader."""
    result = train(
        FAST.replace("    return lossi", f"    parameters[3].data.fill_({huge})\n    return lossi"), 20
    )
    assert result.done == 20
    for average in (result.hand.averages.training, result.hand.averages.validation):
        assert average is None or math.isfinite(average)


def test_parameters_that_never_change_are_told(train: Train) -> None:
    result = train(FAST.replace("p.data += -lr * grad", "p = p - lr * grad"), 20)
    assert "unchanged" in (result.trouble or "")


def test_what_is_published_is_told_of_as_many_steps_alone(
    tmp_path: Path, course: Course, zygote: Zygote, few: Path
) -> None:
    (tmp_path / f"{EXERCISE}.py").write_text(FAST)
    chosen = trainer(tmp_path, course, 20, words=few)
    descent = chosen.oracle.descent
    assert descent.published is not None and descent.published.steps == 200_000
    told = replace(descent, published=replace(descent.published, steps=20))
    found = [
        replace(chosen, oracle=replace(chosen.oracle, descent=one)).train(zygote).published
        for one in (descent, told)
    ]
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].training, found[1].validation) == (2.07, 2.11)
    assert "lecture's, of its own list" in found[1].by


def test_rates_and_limits_grow_with_the_steps(train: Train, tmp_path: Path, course: Course) -> None:
    """The lecture's two rates over its 200,000 steps; as long for a step as when it is graded, or as chosen."""
    train("def train(parameters, batches, learning_rates): pass", 1)
    whole = trainer(tmp_path, course, 200_000)
    assert whole.oracle.rates == [0.1 if i < 200_000 / 2 else 0.01 for i in range(200_000)]
    graded = next(exercise for exercise in course.exercises if exercise.id == EXERCISE)
    assert whole.limits.memory_limit_mb == graded.memory_limit_mb
    assert whole.limits.time_limit_s == graded.time_limit_s * 200_000 / 300
    assert trainer(tmp_path, course, 20).limits.time_limit_s == graded.time_limit_s
    handed_in = submission.read(tmp_path, course.ids)
    chosen = Trainer.of(handed_in, course, Settings(memory_limit_mb=99), steps=200_000, time_limit_s=7.0)
    assert (chosen.limits.memory_limit_mb, chosen.limits.time_limit_s) == (99, 7.0)


def test_what_cannot_be_trained_is_refused(train: Train, tmp_path: Path, course: Course) -> None:
    with pytest.raises(SubmissionError, match="expected a function train"):
        train("x = 1", 5)
    with pytest.raises(SubmissionError, match="SyntaxError"):
        train("def train(:", 5)
    handed_in = submission.read(tmp_path, course.ids)
    with pytest.raises(UsageError, match="expected one exercise that trains"):
        Trainer.of(handed_in, course, Settings(), steps=5, exercise="ex2_cross_entropy")
    (tmp_path / f"{EXERCISE}.py").unlink()
    (tmp_path / "ex2_cross_entropy.py").write_text("")
    with pytest.raises(SubmissionError, match=EXERCISE):
        trainer(tmp_path, course, 5)


def test_a_curve_is_bounded_and_rounded_and_finite() -> None:
    """A mean for each stretch, whatever came back."""
    assert curve([4.0] * 5 + [2.0] * 5) == (4.0, 2.0)
    assert curve([float("nan")] * 5 + [1.0, float("inf")]) == (None, 1.0)
    assert curve([1e308] * 5) == (None,)
    assert curve([1 / 3] * 5) == (0.33333,)
    assert curve([]) == ()
    assert len(curve([1.0] * 100_001)) == POINTS


def test_a_calibrated_network_keeps_the_statistics_of_all() -> None:
    """Held against batch norm written out: means and variances of the whole, whatever goes through."""
    (exercise,) = Course.at(ROOT).select((EXERCISE,))
    (descent,) = (function.descent for function in exercise.training)
    drawn = exercise.forward.module["draw"](torch.Generator().manual_seed(1), **exercise.lecture.sizes)
    parameters = [drawn[name] for name in descent.trains]
    C, W1, b1, W2, b2, gain, bias = parameters
    contexts, targets = torch.randint(27, (500, 3)), torch.randint(27, (500,))
    network = Network(exercise.forward, descent, parameters, contexts)
    assert set(network.statistics) == {"bnmean", "bnvar", "bnvar_inv"}

    def hidden(x: torch.Tensor) -> torch.Tensor:
        return C[x].view(len(x), -1) @ W1 + b1

    mean, std = hidden(contexts).mean(0), (hidden(contexts).var(0) + 1e-5).sqrt()
    few = contexts[:3]
    logits = torch.tanh(gain * (hidden(few) - mean) / std + bias) @ W2 + b2
    expected = torch.nn.functional.cross_entropy(logits, targets[:3])
    assert network.loss(few, targets[:3]) == pytest.approx(float(expected), rel=1e-5)
    broken = Network(exercise.forward, descent, [p * 1e30 for p in parameters], contexts)
    assert broken.words(".abc", 5, torch.Generator()) == ()
    words = network.words(".abcdefghijklmnopqrstuvwxyz", 5, torch.Generator().manual_seed(2))
    assert len(words) == 5 and max(map(len, words)) <= 40
