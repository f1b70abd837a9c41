"""The instructor's solutions against two independent witnesses: autograd, and float64 central differences.

Each solution is called as a student's stub is: with forward values and the gradients it asks for, by name.
The loss gets a random linear term at every tensor whose gradient a solution asks for. Without it some
gradients (``db1``, ``dlogit_maxes``) would vanish, and a wrong solution could hide behind the zeros.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from grader.course.exercise import Exercise
from grader.course.forward import LOSS, Forward, Values

ROOT = Path(__file__).parents[2]
EXERCISES = ("ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm")
FORWARD = Forward.load(ROOT / "exercises" / EXERCISES[0] / "forward.py")

SIZES = (
    {"batch": 6, "block": 3, "embd": 4, "hidden": 5, "vocab": 7, "gain": 5 / 3},
    {"batch": 9, "block": 2, "embd": 3, "hidden": 4, "vocab": 5, "gain": 0.1},
)
"""Small, so that every entry can be moved; more characters are read than there are, so that some repeat. The
second case's small gain makes the eps in ``bnvar_inv`` matter."""

STEP = 1e-6
"""How far one entry is moved each way: what rounding and the cubic term add stays far below 1e-6."""

Solution = Callable[..., Tensor]


def load(exercise: str) -> ModuleType:
    """The reference module of an exercise, from its file."""
    path = ROOT / "reference" / f"{exercise}.py"
    spec = importlib.util.spec_from_file_location(f"reference_{exercise}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solutions(exercise: str) -> dict[str, Solution]:
    """The public functions of an exercise's reference module, by name."""
    functions = inspect.getmembers(load(exercise), inspect.isfunction)
    return {name: function for name, function in functions if not name.startswith("_")}


SOLUTIONS = [pytest.param(e, name, id=f"{e}::{name}") for e in EXERCISES for name in solutions(e)]
CASES = [pytest.param(sizes, id=f"batch{sizes['batch']}") for sizes in SIZES]


def draw(sizes: dict[str, float], dtype: torch.dtype = torch.float64) -> Values:
    """The inputs of a forward pass of these sizes, its floats in ``dtype``."""
    drawn = FORWARD.module["draw"](torch.Generator().manual_seed(1), **sizes)
    return {name: value.to(dtype) if is_float(value) else value for name, value in drawn.items()}


def is_float(value: object) -> bool:
    """Whether a forward value has a gradient: not the characters, not ``n``."""
    return isinstance(value, Tensor) and value.is_floating_point()


def asked(solution: Solution) -> set[str]:
    """The tensors whose gradients a solution asks for."""
    return {name[1:] for name in inspect.signature(solution).parameters if name not in FORWARD.names}


def total(values: Values, upstreams: set[str]) -> Tensor:
    """The loss and a random linear term at each of ``upstreams``."""
    loss: Tensor = values[LOSS]
    for position, name in enumerate(FORWARD.names):
        if name in upstreams:
            generator = torch.Generator().manual_seed(100 + position)
            loss = loss + (torch.randn(values[name].shape, generator=generator) * values[name]).sum()
    return loss


def backward(inputs: Values, upstreams: set[str]) -> tuple[Values, dict[str, Tensor]]:
    """The forward values, and autograd's gradient of every float tensor among them."""
    leaves = {
        name: value.clone().requires_grad_() if is_float(value) else value for name, value in inputs.items()
    }
    values = FORWARD.run(leaves)
    names = [name for name, value in values.items() if is_float(value)]
    gradients = torch.autograd.grad(total(values, upstreams), [values[name] for name in names])
    plain = {name: value.detach() if is_float(value) else value for name, value in values.items()}
    return plain, dict(zip(names, gradients, strict=True))


def answer(solution: Solution, values: Values, gradients: dict[str, Tensor]) -> Tensor:
    """Call a solution with what it asks for."""
    offered = values | {f"d{name}": gradient for name, gradient in gradients.items()}
    return solution(**{name: offered[name] for name in inspect.signature(solution).parameters})


def differences(name: str, inputs: Values, upstreams: set[str]) -> Tensor:
    """The gradient of one tensor by central differences.

    Each entry is moved both ways *where its line assigns it*, and the lines below are run again.
    """

    def moved(index: tuple[int, ...], by: float) -> Tensor:
        def move(value: Tensor) -> Tensor:
            value = value.clone()
            value[index] += by
            return value

        if name in inputs:
            return total(FORWARD.run(inputs | {name: move(inputs[name])}), upstreams)
        return total(FORWARD.run(inputs, lambda step, v: move(v) if step.name == name else v), upstreams)

    found = torch.zeros_like(FORWARD.run(inputs)[name])
    for index in map(tuple, torch.ones_like(found).nonzero().tolist()):
        found[index] = (moved(index, STEP) - moved(index, -STEP)) / (2 * STEP)
    return found


def agree(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether two gradients have one shape and differ by little, measured by the truth's largest entry."""
    if found.shape != expected.shape:
        return False
    return bool(((found - expected).abs() <= tolerance * expected.abs().max()).all())


@pytest.mark.parametrize("exercise", EXERCISES)
def test_there_is_one_solution_for_every_gradient_that_is_asked(exercise: str) -> None:
    """No gradient lacks its solution, and no solution asks for more than a student may."""
    settings = Exercise.load(ROOT / "exercises" / exercise)
    found = solutions(exercise)
    assert set(found) == set(settings.asks)
    for name, solution in found.items():
        assert set(inspect.signature(solution).parameters) <= set(settings.may_ask(name))
        assert solution.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("sizes", CASES)
@pytest.mark.parametrize(("exercise", "name"), SOLUTIONS)
def test_solution_equals_autograd(exercise: str, name: str, sizes: dict[str, float]) -> None:
    """Up to float64 rounding, with random upstreams at every gradient it asks for."""
    solution = solutions(exercise)[name]
    values, gradients = backward(draw(sizes), asked(solution))
    assert agree(answer(solution, values, gradients), gradients[name[1:]], 1e-12)


@pytest.mark.parametrize("sizes", CASES)
@pytest.mark.parametrize(("exercise", "name"), SOLUTIONS)
def test_solution_equals_central_differences(exercise: str, name: str, sizes: dict[str, float]) -> None:
    """The definition of a derivative, which owes autograd nothing."""
    solution = solutions(exercise)[name]
    inputs = draw(sizes)
    values, gradients = backward(inputs, asked(solution))
    assert agree(answer(solution, values, gradients), differences(name[1:], inputs, asked(solution)), 1e-6)


@pytest.mark.parametrize(("exercise", "name"), SOLUTIONS)
def test_solution_keeps_dtype_and_arguments(exercise: str, name: str) -> None:
    """float32 in, float32 out in the tensor's own shape, and no argument is changed in place."""
    solution = solutions(exercise)[name]
    values, gradients = backward(draw(SIZES[0], torch.float32), asked(solution))
    offered = values | {f"d{tensor}": gradient for tensor, gradient in gradients.items()}
    before = {key: value.clone() for key, value in offered.items() if torch.is_tensor(value)}
    found = answer(solution, values, gradients)
    assert (found.dtype, found.shape) == (torch.float32, values[name[1:]].shape)
    assert all(torch.equal(offered[key], value) for key, value in before.items())


MISTAKES = [
    ("ex1_step_by_step", "dlogprobs", "-1.0 / n", "1.0 / n", "sign"),
    ("ex1_step_by_step", "dlogprobs", "-1.0 / n", "-1.0", "mean taken for a sum"),
    ("ex1_step_by_step", "dprobs", "dlogprobs / probs", "1.0 / probs", "upstream forgotten"),
    ("ex1_step_by_step", "dcounts_sum_inv", ".sum(1, keepdim=True)", "", "broadcast not summed"),
    ("ex1_step_by_step", "dcounts_sum", "counts_sum**-2", "counts_sum**-1", "power"),
    ("ex1_step_by_step", "dcounts", " + dcounts_sum.expand_as(counts)", "", "second path lost"),
    ("ex1_step_by_step", "dcounts", "dprobs * counts_sum_inv + ", "", "first path lost"),
    ("ex1_step_by_step", "dnorm_logits", "dcounts * counts", "dcounts", "local derivative forgotten"),
    ("ex1_step_by_step", "dlogit_maxes", "-dnorm_logits", "dnorm_logits", "sign"),
    ("ex1_step_by_step", "dlogit_maxes", "-dnorm_logits", "0 * dnorm_logits", "zeros"),
    ("ex1_step_by_step", "dlogits", " + dlogit_maxes * largest", "", "path through the maximum lost"),
    ("ex1_step_by_step", "dlogits", "argmax(1)", "argmin(1)", "another entry's gradient"),
    ("ex1_step_by_step", "dh", "dlogits @ W2.T", "dlogits @ -W2.T", "sign"),
    ("ex1_step_by_step", "dW2", "h.T @ dlogits", "(h.T @ dlogits).T", "transposed"),
    ("ex1_step_by_step", "db2", "sum(0)", "mean(0)", "mean for sum"),
    ("ex1_step_by_step", "dhpreact", "1.0 - h**2", "1.0 - h", "derivative of tanh"),
    ("ex1_step_by_step", "dbngain", " * bnraw", "", "local derivative forgotten"),
    ("ex1_step_by_step", "dbnbias", "sum(0, keepdim=True)", "sum(1, keepdim=True)", "wrong dim"),
    ("ex1_step_by_step", "dbnraw", " * bngain", " / bngain", "divided"),
    ("ex1_step_by_step", "dbnvar_inv", "dbnraw * bndiff", "dbnraw", "local derivative forgotten"),
    ("ex1_step_by_step", "dbnvar", "-1.5", "-0.5", "power"),
    ("ex1_step_by_step", "dbnvar", "(bnvar + 1e-5)", "bnvar", "eps dropped"),
    ("ex1_step_by_step", "dbndiff2", "(n - 1)", "n", "n for n - 1"),
    ("ex1_step_by_step", "dbndiff", " + dbndiff2 * 2.0 * bndiff", "", "second path lost"),
    ("ex1_step_by_step", "dbndiff", "2.0 * ", "", "factor"),
    ("ex1_step_by_step", "dbnmeani", "-dbndiff", "dbndiff", "sign"),
    ("ex1_step_by_step", "dhprebn", "dbnmeani / n", "dbnmeani", "factor"),
    ("ex1_step_by_step", "dhprebn", " + dbnmeani / n", "", "second path lost"),
    ("ex1_step_by_step", "dembcat", "dhprebn @ W1.T", "dhprebn.abs() @ W1.T", "absolute value"),
    ("ex1_step_by_step", "dW1", "embcat.T @ dhprebn", "embcat.T @ dhprebn / len(embcat)", "factor"),
    ("ex1_step_by_step", "db1", "dhprebn.sum(0)", "0 * dhprebn.sum(0)", "zeros"),
    ("ex1_step_by_step", "demb", "dembcat.view(emb.shape)", "dembcat", "shape"),
    ("ex1_step_by_step", "dC", ".index_add_(0, Xb.flatten(),", ".index_copy_(0, Xb.flatten(),", "= for +="),
    ("ex2_cross_entropy", "dlogits", " / n", "", "mean taken for a sum"),
    ("ex2_cross_entropy", "dlogits", "softmax(logits, 1)", "softmax(logits, 0)", "wrong dim"),
    ("ex2_cross_entropy", "dlogits", "gradient[range(n), Yb] -= 1.0", "pass", "label forgotten"),
    ("ex3_batchnorm", "dhprebn", " - mean", "", "path through the mean lost"),
    ("ex3_batchnorm", "dhprebn", " - bnraw * along", "", "path through the variance lost"),
    ("ex3_batchnorm", "dhprebn", "(n - 1)", "n", "n for n - 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "name", "right", "wrong"),
    [pytest.param(*mistake[:4], id=f"{mistake[0]}::{mistake[1]}: {mistake[4]}") for mistake in MISTAKES],
)
def test_a_planted_mistake_is_noticed(exercise: str, name: str, right: str, wrong: str) -> None:
    """Both checks can fail: a solution with one thing changed satisfies neither witness."""
    solution = solutions(exercise)[name]
    signature, body = inspect.getsource(solution).rsplit('"""', 1)
    assert body.count(right) == 1, f"{name}: expected {right!r} once in its body"
    namespace: dict[str, Solution] = {}
    source = f'{signature}"""{body.replace(right, wrong)}'
    exec(source, {"torch": torch, "Tensor": Tensor}, namespace)
    inputs = draw(SIZES[1])
    values, gradients = backward(inputs, asked(solution))
    found = answer(namespace[name], values, gradients)
    assert not agree(found, gradients[name[1:]], 1e-6)
    assert not agree(found, differences(name[1:], inputs, asked(solution)), 1e-6)


def test_every_solution_has_a_planted_mistake() -> None:
    """No solution is left whose check has not been seen to fail."""
    planted = {(exercise, name) for exercise, name, *_ in MISTAKES}
    assert planted == {(exercise, name) for exercise in EXERCISES for name in solutions(exercise)}
