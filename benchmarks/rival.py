"""The assignment as an instructor without this grader would check it: autograd on one case, and allclose."""

from __future__ import annotations

import importlib.util
import inspect
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
EXERCISES = ("ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm")


def asks() -> Iterator[tuple[str, str]]:
    """Every exercise and gradient."""
    for exercise in EXERCISES:
        settings = tomllib.loads((ROOT / "exercises" / exercise / "exercise.toml").read_text("utf-8"))
        yield from ((exercise, ask) for ask in settings["asks"])


@cache
def truth() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The values of the forward pass and autograd's gradients of them, in the lecture's case."""
    folder = ROOT / "exercises" / EXERCISES[0]
    settings = tomllib.loads((folder / "exercise.toml").read_text("utf-8"))["lecture"]
    forward = _module(folder / "forward.py")
    generator = torch.Generator().manual_seed(settings["seed"])
    inputs = forward.draw(generator, **settings["sizes"])
    values = {name: v.requires_grad_() if _is_float(v) else v for name, v in inputs.items()}
    lines = inspect.getsource(forward.forward).splitlines()
    body = "\n".join(line.strip() for line in lines if " = " in line and "def " not in line)
    exec(body, forward.__dict__, values)
    for value in values.values():
        if _is_float(value) and not value.is_leaf:
            value.retain_grad()
    values["loss"].backward()
    found = {f"d{name}": value.grad for name, value in values.items() if _is_float(value)}
    return values, found


def is_right(exercise: str, ask: str, stub: Callable[..., torch.Tensor]) -> bool:
    """Whether a stub returns the gradient."""
    values, gradients = truth()
    known = {**values, **gradients}
    wanted = {name: known[name] for name in inspect.signature(stub).parameters}
    copies = {name: v.detach().clone() if isinstance(v, torch.Tensor) else v for name, v in wanted.items()}
    answer = stub(**copies)
    expected = gradients[ask]
    scale = float(expected.abs().max())
    return torch.allclose(answer.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5 * scale + 1e-8)


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
