"""A whole training: as autograd's, the same from run to run, and clean wherever it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader import training_report as report
from grader.course import Course
from grader.curve import Curve
from grader.errors import OperatorError, SubmissionError
from grader.network import Network
from grader.reports.wording import SLOWNESS
from grader.training import Moment, Side, Training, train
from tests.conftest import ROOT
from tests.training.lecture import EXERCISE, FAST

STEPS = 120


@pytest.fixture
def submit(tmp_path: Path) -> Callable[[str], Path]:
    """Put a file where a submission is."""

    def submit(source: str) -> Path:
        (tmp_path / f"{EXERCISE}.py").write_text(source)
        return tmp_path

    return submit


def test_a_training_ends_where_autograds_does_and_so_again(submit: Callable[[str], Path]) -> None:
    one, two = (train(submit(FAST), steps=STEPS) for _ in range(2))
    assert one.trouble is None and one.done == STEPS == len(one.hand.losses) == len(one.autograd.losses)
    assert one.hand.training is not None and one.autograd.training is not None
    assert one.hand.training == pytest.approx(one.autograd.training, abs=1e-4)
    assert one.hand.validation == pytest.approx(one.autograd.validation, abs=1e-4)
    assert one.hand.training < one.hand.losses[0] - 0.5
    assert len(one.names) == 20 and all(re.fullmatch("[a-z]*", name) for name in one.names)
    assert timeless(one) == timeless(two)


def timeless(training: Training) -> Training:
    hand, autograd = (replace(side, seconds=0.0) for side in (training.hand, training.autograd))
    return replace(training, hand=hand, autograd=autograd)


def test_a_stop_keeps_what_there_is(submit: Callable[[str], Path]) -> None:
    seen: list[Moment] = []

    def show(moment: Moment) -> bool:
        seen.append(moment)
        return False

    result = train(submit(FAST), steps=1_000_000, show=show)
    assert result.stopped and not result.broke_down
    assert 0 < result.done < 1_000_000
    assert result.done == len(result.hand.losses) == len(result.autograd.losses)
    assert result.hand.validation == pytest.approx(result.autograd.validation, abs=1e-3)
    assert result.names
    assert seen[0].loss is not None
    assert "stopped at step" in report.summary(result)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("            assert i < 60\n", "AssertionError"),
        ("            if i == 60: __import__('os')._exit(3)\n", "ended its own process"),
    ],
)
def test_a_training_that_breaks_down_is_told(submit: Callable[[str], Path], change: str, words: str) -> None:
    loop = "            loss, grads = backward(*parameters, Xb, Yb)\n"
    result = train(submit(FAST.replace(loop, loop + change)), steps=STEPS)
    assert result.broke_down and words in (result.trouble or "")
    assert "None" not in report.summary(result) and report.page(result)


def test_parameters_that_explode_are_told(submit: Callable[[str], Path]) -> None:
    result = train(submit(FAST.replace("-lr * grad", "grad * float('nan')")), steps=20)
    assert result.broke_down and "not finite" in (result.trouble or "")
    assert result.hand.training is None and result.names == ()
    assert "nan" not in report.page(result)


def test_parameters_that_never_change_are_told(submit: Callable[[str], Path]) -> None:
    result = train(submit(FAST.replace("p.data += -lr * grad", "p = p - lr * grad")), steps=20)
    assert "unchanged" in (result.trouble or "")


def test_what_cannot_be_trained_is_refused(submit: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="expected a function train"):
        train(submit("x = 1"), steps=5)
    with pytest.raises(SubmissionError, match="SyntaxError"):
        train(submit("def train(:"), steps=5)
    with pytest.raises(OperatorError, match="expected one exercise that trains"):
        train(submit(FAST), steps=5, exercise="ex2_cross_entropy")
    (tmp_path / f"{EXERCISE}.py").unlink()
    (tmp_path / "ex2_cross_entropy.py").write_text("")
    with pytest.raises(SubmissionError, match=EXERCISE):
        train(tmp_path, steps=5)


def test_a_calibrated_network_keeps_the_statistics_of_all() -> None:
    """Held against batch norm written out: means and variances of the whole, whatever goes through."""
    (exercise,) = Course.at(ROOT).select((EXERCISE,))
    (descent,) = (f.descent for f in exercise.functions if f.descent is not None)
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
    words = network.words(".abcdefghijklmnopqrstuvwxyz", 5, torch.Generator().manual_seed(2))
    assert len(words) == 5 and max(map(len, words)) <= 40


def test_a_curve_is_a_chart_and_a_line() -> None:
    curve = Curve.of([4.0, 2.0, 3.0, 1.0, float("nan"), 1.0], 3)
    assert curve.means == (3.0, 2.0, 1.0)
    assert curve.chart(rows=2) == "  3.00 █▁\n  1.00 ██▁\n"
    assert curve.chart(rows=2, plain=True).isascii()
    assert curve.points(100, 10, 1.0, 3.0) == "0.0,0.0 50.0,5.0 100.0,10.0"
    assert Curve.of([], 5).chart() == ""
    assert Curve.of([2.0] * 9, 4).means == (2.0,) * 4


SIDE = Side((3.0, 2.0), 2.07123, 2.11, 10.0)


def test_a_report_holds_what_there_is_to_say() -> None:
    made = Training(
        "ro<b>in", 2, 2, None, False, SIDE, replace(SIDE, seconds=4.0), {"training": 2.07}, ("ana", "<i>")
    )
    text, page = report.summary(made), report.page(made)
    assert "2.071" in text and "2.07\n" in text and "ana" in text
    assert "2.50 times as long" in text and SLOWNESS in text
    assert "ro&lt;b&gt;in" in page and "<i>" not in page and page.count("<polyline") == 2
    assert "published" not in report.summary(replace(made, published={}))
    assert SLOWNESS not in report.summary(replace(made, autograd=SIDE))
    nothing = Side((), None, None, 0.0)
    broken = replace(made, done=0, hand=nothing, autograd=nothing, names=(), trouble="it \x1b[31mcrashed")
    assert "\x1b" not in report.summary(broken) + report.page(broken)
