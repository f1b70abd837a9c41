"""A descent of three steps on a model of one table, made again by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from grader.checks.descent import (
    DROP_SHARE,
    POOL,
    WAY_SHARE,
    Band,
    DescentOracle,
    Noise,
    losses,
    parameter,
    parameters,
)
from grader.checks.oracle import ROUNDING
from grader.course.exercise import DESCENT, LOSSES, PARAMETERS
from grader.course.forward import Forward
from grader.course.functions import CaseSettings, Descent
from grader.errors import CourseError
from grader.sandbox.answers import Answer, Called, Failed, Numbers, Other, Returned, Several
from grader.sandbox.batches import Batches
from grader.scorecard.model import Outcome

TABLE = """
import torch

def draw(generator, *, batch, block):
    return {
        "W": torch.randn((4, 4), generator=generator), "b": torch.randn((4,), generator=generator),
        "Xb": torch.zeros((batch, block), dtype=torch.long), "Yb": torch.zeros(batch, dtype=torch.long),
    }

def forward(W, b, Xb, Yb):
    logits = W[Xb].sum(1) + b
    loss = torch.nn.functional.cross_entropy(logits, Yb)
    return loss
"""
WORDS = "abc\ncab\nbca\nacb\nbac\ncba\naab\nbbc\ncca\nabb\n"


@pytest.fixture
def oracle(tmp_path: Path) -> DescentOracle:
    (tmp_path / "forward.py").write_text(TABLE, "utf-8")
    (tmp_path / "words.txt").write_text(WORDS, "utf-8")
    start = CaseSettings("start", 3, {"batch": 5, "block": 2})
    descent = Descent(("W", "b"), ("Xb", "Yb"), 3, 4, (0.5, 0.25, 0.125), start, None)
    return DescentOracle(Forward.load(tmp_path / "forward.py"), descent, 1, tmp_path / "words.txt")


def made(oracle: DescentOracle, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """The losses and the parameters of the descent, step by step."""
    ended = [tensor.to(dtype, copy=True) for tensor in oracle.initial]
    found = []
    for (contexts, targets), rate in zip(Batches(oracle.drawing), (0.5, 0.25, 0.125), strict=True):
        ended = [tensor.detach().requires_grad_() for tensor in ended]
        loss = torch.nn.functional.cross_entropy(ended[0][contexts].sum(1) + ended[1], targets)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            ended = [tensor - rate * tensor.grad for tensor in ended if tensor.grad is not None]
        found.append(loss.detach().double())
    return found, ended


def test_a_descent_is_the_steps_by_hand(oracle: DescentOracle) -> None:
    precise, single, disturbed = oracle._runs
    for run, dtype in ((precise, torch.float64), (single, torch.float32)):
        found, ended = made(oracle, dtype)
        assert run.losses.dtype is torch.float64
        assert run.losses.tolist() == pytest.approx([loss.item() for loss in found], rel=1e-6)
        for tensor, other in zip(run.parameters, ended, strict=True):
            assert tensor.dtype is dtype
            assert not tensor.requires_grad
            torch.testing.assert_close(tensor, other)
        assert run.seconds > 0
    assert oracle.single is single
    off = (disturbed.losses - precise.losses).abs()
    assert 0 < off.max() < 1e-5
    assert 0 < (disturbed.parameters[0] - precise.parameters[0]).abs().max() < 1e-5
    assert oracle.rates == [0.5, 0.25, 0.125]


def test_what_a_function_is_called_with(oracle: DescentOracle) -> None:
    one, other = oracle.arguments(), oracle.arguments()
    assert list(one) == ["parameters", "batches", "learning_rates"]
    for tensor, again, initial in zip(one["parameters"], other["parameters"], oracle.initial, strict=True):
        assert tensor.equal(initial)
        assert tensor is not again and tensor is not initial
        tensor.zero_()
        assert initial.abs().max() > 0
    assert one["learning_rates"] == oracle.rates
    assert one["learning_rates"] is not oracle.rates
    batches = list(one["batches"])
    assert [(contexts.shape, targets.shape) for contexts, targets in batches] == [((5, 2), (5,))] * 3


def test_batches_are_drawn_from_the_words_for_training(oracle: DescentOracle) -> None:
    drawing = oracle.drawing
    contexts, targets = oracle.vocabulary.windows(2)
    assert drawing.contexts.equal(contexts) and drawing.targets.equal(targets)
    assert (drawing.rows, drawing.steps, drawing.seed) == (5, 3, oracle.batch_seed)
    expected = torch.randint(2**48, (), generator=oracle.start.generator("batches"))
    assert oracle.batch_seed == int(expected)


def test_each_ask_has_its_checks(oracle: DescentOracle) -> None:
    (one,) = oracle.checks(LOSSES)
    precise, single, disturbed = oracle._runs
    assert (one.name, one.decides, one.call, one.extract) == ("3 steps", True, 0, losses)
    assert one.expected.precise is precise.losses
    assert one.expected.autograd.equal(single.losses.float())
    off = [float((run.losses - precise.losses).abs().max()) for run in (single, disturbed)]
    assert one.expected.envelope == max(off)
    first, second = oracle.checks(PARAMETERS)
    assert [check.name for check in (first, second)] == ["3 steps: W", "3 steps: b"]
    for place, check in enumerate((first, second)):
        assert check.decides
        assert check.expected.precise is precise.parameters[place]
        assert check.expected.autograd.equal(single.parameters[place])
        answer = check.extract(ended(list(precise.parameters)))
        assert isinstance(answer, Returned)
        assert answer.tensor is precise.parameters[place]
    (drop,) = oracle.checks(DESCENT)
    assert (drop.name, drop.decides) == ("3 steps", True)
    assert drop.expected.tolerance == pytest.approx(0.01 * abs(drop.expected.precise.item()))
    assert one.arguments is first.arguments is drop.arguments
    assert [oracle.shape(ask) for ask in (LOSSES, PARAMETERS, DESCENT)] == [(3,), (4, 4), ()]


def test_a_band_is_a_share_of_the_scale() -> None:
    assert (DROP_SHARE, WAY_SHARE) == (0.01, 0.75)
    band = Band(torch.tensor(-8.0).double(), torch.tensor(-8.0), 5.0)
    assert band.tolerance == 0.08
    assert Band(torch.tensor(-8.0).double(), torch.tensor(-8.0), 0.0, 0.5).tolerance == 4.0


def ended(tensors: list[Any], answer: Answer | None = None, taken: int | None = 3) -> Called:
    items = tuple(Returned(one) if isinstance(one, Tensor) else one for one in tensors)
    return Called(answer or Other("None"), {PARAMETERS: Several("list", items)}, taken)


def test_the_drop_is_that_of_the_loss_on_held_out_windows(oracle: DescentOracle) -> None:
    precise, single, _ = oracle._runs
    contexts, targets = oracle._windows
    assert contexts.shape == (4, 2) and targets.shape == (4,)
    every, follow = oracle.vocabulary.windows(2, oracle.vocabulary.validation)
    rows = torch.randperm(len(every), generator=oracle.start.generator("held out"))[:4]
    assert contexts.equal(every[rows]) and targets.equal(follow[rows])
    W, b = (tensor.double() for tensor in oracle.initial)
    loss = torch.nn.functional.cross_entropy(W[contexts].sum(1) + b, targets)
    assert oracle.held_out(oracle.initial).item() == loss.item()
    found = oracle.drop(ended(list(single.parameters)))
    assert isinstance(found, Returned)
    expected = (loss - oracle.held_out(single.parameters)).float()
    assert found.tensor.item() == expected.item() == oracle._drop.autograd.item()
    assert oracle._drop.precise.item() == (loss - oracle.held_out(precise.parameters)).item()
    assert oracle._drop.envelope == 0.0


def test_a_parameter_that_stays_has_not_come_down(oracle: DescentOracle) -> None:
    W, b = oracle.single.parameters
    start = oracle.initial
    assert oracle.strayed([W, b]) == ()
    assert oracle.strayed([start[0], b]) == ("W",)
    assert oracle.strayed([start[0], start[1]]) == ("W", "b")
    assert oracle.strayed([W, b * math.nan]) == ("b",)
    part = [one + (end - one) * 0.3 for one, end in zip(start, (W, b), strict=True)]
    assert oracle.strayed(part) == ()
    less = [one + (end - one) * 0.2 for one, end in zip(start, (W, b), strict=True)]
    assert oracle.strayed(less) == ("W", "b")
    found = oracle.drop(ended([start[0], b]))
    assert isinstance(found, Returned) and found.tensor.item() == 0.0
    lost = oracle.drop(ended([W * math.nan, b]))
    assert isinstance(lost, Returned) and lost.tensor.isnan()


def test_what_is_no_parameter_any_more(oracle: DescentOracle) -> None:
    W, b = oracle.single.parameters
    assert oracle.drop(ended([W, Other("int")])) == Other("int")
    said = Failed(Outcome.WRONG_SHAPE, "a parameter came back in another shape")
    assert oracle.drop(ended([W, b.view(2, 2)])) == said
    gone = Failed(Outcome.CRASHED, "gone")
    assert oracle.drop(ended([W, b], gone)) is gone
    assert parameter(0, Called(gone)) is gone
    assert parameter(0, Called(Other("None"))) == Other("something that cannot be read")
    assert parameter(2, ended([W, b])) == Other("something that cannot be read")
    assert list(parameters(Called(gone))) == []
    first, second, third = parameters(ended([W, Other("int"), b]))
    assert first is W and second is None and third is b


def test_losses_are_a_list_of_numbers_or_a_tensor(oracle: DescentOracle) -> None:
    numbers = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    plain = losses(Called(Numbers("list", numbers)))
    assert isinstance(plain, Returned)
    assert plain.tensor.dtype is torch.float32 and plain.tensor.tolist() == [1, 2, 3, 4]
    tensor = Returned(torch.ones(2))
    assert losses(Called(tensor)) is tensor
    said = "returned str, expected the loss of each step: a list of numbers"
    assert losses(Called(Other("str"))) == Failed(Outcome.NOT_A_TENSOR, said)
    gone = Failed(Outcome.CRASHED, "gone")
    assert losses(Called(gone)) is gone
    assert oracle.noted(Called(Numbers("list", numbers))) == [1.0, 2.0, 3.0]
    assert oracle.noted(Called(Returned(torch.ones(2, 1)))) == [1.0, 1.0]
    assert oracle.noted(Called(gone)) == []


@pytest.mark.parametrize(("taken", "done"), [(None, 0), (2, 2), (9, 3)])
def test_a_training_is_told_beside_autograd_s(oracle: DescentOracle, taken: int | None, done: int) -> None:
    numbers = Numbers("list", torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    told = oracle.told(ended(list(oracle.single.parameters), numbers, taken), 1.5)
    assert (told.words, told.steps, told.done) == ("words.txt", 3, done)
    assert (told.trouble, told.stopped, told.published, told.names) == (None, False, None, ())
    assert (told.hand.seconds, told.hand.curve) == (1.5, (2.0,))
    assert told.autograd.seconds == oracle.single.seconds
    assert told.autograd.steps == 3


def test_noise_is_one_rounding_of_each_entry() -> None:
    noise = Noise(torch.Generator().manual_seed(1))
    drawn = torch.randn(POOL, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pool = 1 + ROUNDING * drawn
    assert POOL == 262_144
    assert noise.like(torch.zeros(2, 3)).equal(pool[:6].view(2, 3))
    assert noise.like(torch.zeros(())).equal(pool[6])
    half = torch.zeros(POOL // 2)
    assert noise.like(half).equal(pool[7 : 7 + POOL // 2])
    rest = torch.zeros(POOL // 2 - 7)
    assert noise.like(rest).equal(pool[7 + POOL // 2 :])
    generator = torch.Generator().manual_seed(1)
    torch.randn(POOL, generator=generator, dtype=torch.float64)
    place = int(torch.randint(POOL // 2, (), generator=generator))
    assert noise.like(torch.zeros(3)).equal(pool[place : place + 3])
    assert noise.like(torch.zeros(1)).equal(pool[place + 3 : place + 4])


def test_noise_for_a_large_tensor_is_drawn_anew() -> None:
    noise = Noise(torch.Generator().manual_seed(1))
    large = torch.zeros(POOL // 2 + 1, dtype=torch.float32)
    drawn = torch.randn(large.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    assert noise.like(large).equal(1 + ROUNDING * drawn)


def test_a_forward_pass_that_cannot_be_trained_is_the_course_s_fault(oracle: DescentOracle) -> None:
    path = oracle.forward.path
    path.write_text(TABLE.replace("W[Xb].sum(1)", "W[Xb + 0 * len(Xb)].sum(1) @ b.view(2, 2)"), "utf-8")
    broken = replace(oracle, forward=Forward.load(path))
    vars(broken)["start"] = oracle.start
    with pytest.raises(CourseError) as caught:
        broken.checks(LOSSES)
    assert str(caught.value).startswith(f"{path}: training on {oracle.words}: RuntimeError: ")
