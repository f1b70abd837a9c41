"""What is expected of a forward pass small enough to differentiate by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from grader.checks.cases import Case, CaseSource
from grader.checks.oracle import ROUNDING, RUNS, Blind, Oracle
from grader.course.forward import Forward

SMALL = """
import torch

def draw(generator):
    return {
        "x": torch.randn((3, 2), generator=generator), "w": torch.randn((2,), generator=generator),
        "bias": torch.randn((), generator=generator), "places": torch.tensor([0, 2]), "idle": torch.ones(2),
        "n": 3,
    }

def forward(x, w, bias, places, idle, n):
    a = x * w
    b = a + bias
    c = a * b
    count = places.sum()
    loss = c.sum() / n
    return loss
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    path = tmp_path / "forward.py"
    path.write_text(SMALL, "utf-8")
    return CaseSource(Forward.load(path), "fresh 1", None, (), 7, "small", None).draw()


@pytest.fixture
def oracle(case: Case) -> Oracle:
    return Oracle(case)


def exact(case: Case, name: str) -> Tensor:
    return torch.as_tensor(case.inputs[name]).double()


def by_hand(case: Case, upstream: Tensor | float = 0.0) -> dict[str, Tensor]:
    """The gradients, with an upstream of ``a`` added to that of the loss."""
    x, w, bias = (exact(case, name) for name in ("x", "w", "bias"))
    a = x * w
    c = torch.full((3, 2), 1 / 3, dtype=torch.float64)
    b = c * a
    da = c * (a + bias) + b + upstream
    return {"c": c, "b": b, "a": da, "x": da * w, "w": (da * x).sum(0), "bias": b.sum()}


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


def test_every_float_tensor_has_its_gradient(case: Case, oracle: Oracle) -> None:
    expected = oracle.expected
    assert list(expected) == ["x", "w", "bias", "idle", "a", "b", "c", "loss"]
    for name, gradient in by_hand(case).items():
        near(expected[name].precise, gradient)
        assert expected[name].autograd.dtype is torch.float32
        torch.testing.assert_close(expected[name].autograd, gradient.float())
        assert not expected[name].precise.requires_grad
    assert expected["idle"].precise.tolist() == [0.0, 0.0]
    assert expected["loss"].precise.item() == 1.0
    assert expected["idle"].envelope == 0.0


def test_the_case_stays_as_it_was_drawn(case: Case, oracle: Oracle) -> None:
    before = {name: value.clone() for name, value in case.inputs.items() if isinstance(value, Tensor)}
    assert oracle.expected and oracle.random({"a"}, {"x"}) and oracle.paths("a")
    for name, value in before.items():
        assert case.inputs[name].equal(value)
        assert case.inputs[name].dtype is value.dtype
        assert not case.inputs[name].requires_grad


def test_autograd_s_answer_is_computed_in_float32(case: Case, oracle: Oracle) -> None:
    """Not rounded from the other: students see just these bits."""
    leaves = {name: case.inputs[name].clone().requires_grad_() for name in ("x", "w", "bias")}
    a = leaves["x"] * leaves["w"]
    ((a * (a + leaves["bias"])).sum() / 3).backward()  # type: ignore[no-untyped-call]
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        assert oracle.expected[name].autograd.equal(leaf.grad)


def test_three_runs_are_disturbed_by_one_rounding_of_each_value(case: Case, oracle: Oracle) -> None:
    """The draws follow one another in one stream, which belongs to the case."""
    assert (ROUNDING, RUNS) == (2**-24, 3)
    assert len(oracle.disturbed) == 3
    stream = case.generator("rounding")

    def rounded(value: Tensor) -> Tensor:
        return value * (1 + ROUNDING * torch.randn(value.shape, generator=stream, dtype=torch.float64))

    x, w, bias = (exact(case, name) for name in ("x", "w", "bias"))
    for run in oracle.disturbed:
        a = rounded(x * w)
        b = rounded(a + bias)
        c = rounded(a * b)
        loss = rounded(c.sum() / 3)
        for name, value in {"x": x, "a": a, "b": b, "c": c, "loss": loss}.items():
            assert run.values[name].equal(value), name
        assert run.values["count"].item() == 2
        assert run.values["n"] == 3


def test_an_envelope_is_the_largest_deviation_of_any_run(oracle: Oracle) -> None:
    assert oracle.expected["loss"].envelope == 0.0
    for name in ("x", "w", "bias", "a", "b", "c"):
        precise = oracle.precise.gradients[name]
        off = [float((run.gradients[name] - precise).abs().max()) for run in oracle.disturbed]
        assert oracle.expected[name].envelope == max(off)
        assert 0 < max(off) < 1e-5
        assert len(set(off)) == 3


def test_what_comes_back_through_each_line(case: Case, oracle: Oracle) -> None:
    truth = by_hand(case)
    bias = exact(case, "bias")
    paths = oracle.paths("a")
    assert list(paths) == ["b", "c"]
    near(paths["b"].precise, truth["b"])
    near(paths["c"].precise, truth["c"] * (exact(case, "x") * exact(case, "w") + bias))
    for path in paths.values():
        assert path.autograd.equal(path.precise.float())
        assert 0 < path.envelope < 1e-5
    precise = paths["c"].precise
    off = [(run.gradients["c"] * run.values["b"] - precise).abs().max().item() for run in oracle.disturbed]
    assert paths["c"].envelope == pytest.approx(max(off), rel=1e-6)
    assert oracle.paths("loss") == {}


def test_random_upstreams_are_added_to_the_loss(case: Case, oracle: Oracle) -> None:
    """Each is a normal draw over the number of rows, from a stream of its own."""
    drawn = torch.randn((3, 2), generator=case.generator("upstream of a")) / 3
    found = oracle.random({"a"}, ["x", "w", "a", "bias"])
    assert sorted(found) == ["a", "bias", "w", "x"]
    truth = by_hand(case, drawn.double())
    for name, expected in found.items():
        near(expected.precise, truth[name])
        assert expected.autograd.dtype is torch.float32
        torch.testing.assert_close(expected.autograd, truth[name].float())
    off = [
        float((oracle.under(run, frozenset("a"), frozenset("x"))["x"] - found["x"].precise).abs().max())
        for run in oracle.disturbed
    ]
    assert found["x"].envelope == max(off)
    near(oracle.random((), ["x"])["x"].precise, by_hand(case)["x"])


def test_a_scalar_and_an_empty_tensor_have_an_upstream_too(case: Case, oracle: Oracle) -> None:
    drawn = torch.randn((), generator=case.generator("upstream of bias")).double()
    near(oracle.random(["bias"], ["bias"])["bias"].precise, by_hand(case)["bias"] + drawn)
    empty = Case("empty", case.forward, {}, {"e": torch.ones(0, 2)}, 1, case.source)
    assert Oracle(empty)._upstream("e").shape == (0, 2)


def test_several_upstreams_add_up(case: Case, oracle: Oracle) -> None:
    plain = by_hand(case)["a"]
    one, other = (oracle.random([name], ["a"])["a"].precise - plain for name in ("a", "c"))
    near(oracle.random(["c", "a"], ["a"])["a"].precise, plain + one + other)


def test_what_was_worked_out_is_kept(oracle: Oracle) -> None:
    assert oracle.random(["a", "b"], {"x"}) is oracle.random({"b", "a"}, ["x", "x"])
    assert oracle.random(["a"], ["x"]) is not oracle.random(["b"], ["x"])
    assert oracle.random(["a"], ["x"]) is not oracle.random(["a"], ["w"])
    assert "_random" not in repr(oracle)


def test_what_vanishes_is_blind(case: Case) -> None:
    blind = Blind.measure(iter([Oracle(case)]))
    assert blind == Blind(frozenset({"idle"}), frozenset())
