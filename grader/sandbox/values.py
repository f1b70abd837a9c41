"""Values with structure on the wire: a JSON description beside tensors by key.

The judge sends tensors, numbers, lists of them, and the batches of a training. A submission may return anything,
so what it returns is described to a limited depth, width and size.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from grader.sandbox.batches import Batches, Drawing
from grader.sandbox.limits import DEPTH_LIMIT, NUMBERS_LIMIT, WIDTH_LIMIT

MANY = 16
"""A longer list of plain numbers travels as one tensor."""

WORDS_LIMIT = 500
"""Characters of a type's name."""

Description = Mapping[str, Any]


def pack(value: Any, key: str, tensors: dict[str, Tensor]) -> Description:
    """Describe a value that the judge sends, and collect its tensors.

    Args:
        value: a tensor, a number, a list of such values, or :class:`~grader.sandbox.batches.Batches`.
        key: what the value's own tensors are called.
        tensors: where they are put.
    """
    if isinstance(value, Tensor):
        tensors[key] = value
        return {"tensor": key}
    if isinstance(value, Batches):
        drawing = value.drawing
        tensors |= {f"{key}.contexts": _narrow(drawing.contexts), f"{key}.targets": _narrow(drawing.targets)}
        return {"batches": key, "rows": drawing.rows, "steps": drawing.steps, "seed": drawing.seed}
    if isinstance(value, (int, float)):
        return {"number": value}
    if len(value) > MANY and all(isinstance(item, float) for item in value):
        tensors[key] = torch.tensor(value, dtype=torch.float64)
        return {"numbers": key}
    return {"items": [pack(item, f"{key}.{place}", tensors) for place, item in enumerate(value)]}


def build(described: Description, tensors: Mapping[str, Tensor]) -> Any:
    """Rebuild the value that :func:`pack` described."""
    if "tensor" in described:
        return tensors[described["tensor"]]
    if "numbers" in described:
        return tensors[described["numbers"]].tolist()
    if "number" in described:
        return described["number"]
    if "batches" in described:
        contexts, targets = (
            tensors[f"{described['batches']}.{part}"].long() for part in ("contexts", "targets")
        )
        return Batches(Drawing(contexts, targets, described["rows"], described["steps"], described["seed"]))
    return [build(item, tensors) for item in described["items"]]


def _narrow(numbers: Tensor) -> Tensor:
    """Store whole numbers from 0 in a byte each if they fit: they are most of what a training sends to its box."""
    return numbers.to(torch.uint8) if numbers.numel() and int(numbers.max()) < 256 else numbers


@dataclass
class Describer:
    """Describes what a submission's function returned, and collects the tensors to send."""

    tensors: dict[str, Tensor]
    left: int = field(default=NUMBERS_LIMIT)

    def describe(self, value: object, key: str, depth: int = DEPTH_LIMIT) -> Description:
        """Describe any value; ``tensor`` or ``numbers`` name the part that is sent."""
        if isinstance(value, Tensor):
            return self._tensor(value, key)
        if _is_row(value):
            return self._row(value, key)
        if not isinstance(value, (list, tuple)):
            return {"other": kind(value)}
        about: dict[str, Any] = {"other": f"{kind(value)} of {len(value)}"}
        if 0 < len(value) <= self.left and all(map(_is_number, value)):
            return {**about, **self._numbers(value, key)}
        if depth == 0 or len(value) > WIDTH_LIMIT:
            return about
        return about | {"items": [self.describe(v, f"{key}.{i}", depth - 1) for i, v in enumerate(value)]}

    def _row(self, value: Any, key: str) -> Description:
        """Describe a row of numbers in an array as a list; it is not a tensor."""
        about = {"other": f"{kind(value)} of {len(value)}"}
        return {**about, **self._numbers(value.tolist(), key)} if 0 < len(value) <= self.left else about

    def _tensor(self, value: Tensor, key: str) -> Description:
        # Send what the tensor holds, whatever a subclass says about it.
        tensor = value if type(value) is Tensor else value.as_subclass(Tensor)
        if tensor.layout is not torch.strided or not tensor.is_cpu or tensor.is_quantized:
            return {"other": f"a tensor of layout {tensor.layout} on {tensor.device}"}
        if tensor.is_nested:
            return {"other": "a tensor of tensors"}
        dtype = tensor.dtype
        if not dtype.is_floating_point or not self._fits(tensor.numel()):
            return {"dtype": _name(dtype), "shape": list(tensor.shape)}
        self.tensors[key] = Tensor.to(Tensor.resolve_neg(tensor), _sendable(dtype))
        return {"tensor": key}

    def _numbers(self, values: Sequence[Any], key: str) -> Description:
        if not self._fits(len(values)):
            return {}
        self.tensors[key] = torch.tensor([float(value) for value in values], dtype=torch.float64)
        return {"numbers": key}

    def _fits(self, entries: int) -> bool:
        if entries > self.left:
            return False
        self.left -= entries
        return True


@cache
def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def kind(value: object) -> str:
    """Name a value's type."""
    own = type(value)
    module = "" if own.__module__ == "builtins" else f"{own.__module__}."
    return "None" if value is None else f"{module}{own.__qualname__}"[:WORDS_LIMIT]


def _is_number(value: object) -> bool:
    """Whether a value is a real number: Python's, numpy's, or a tensor without dimensions."""
    if isinstance(value, Tensor):
        return value.dim() == 0 and value.device.type == "cpu" and value.dtype.is_floating_point
    return isinstance(value, (int, float, Real))  # most are int or float, which is quick to see


def _is_row(value: Any) -> bool:
    """Whether a value is a numpy array of real numbers with one dimension."""
    numpy = sys.modules.get("numpy")  # without an import there is no array
    return (
        numpy is not None and type(value) is numpy.ndarray and value.ndim == 1 and value.dtype.kind in "fiu"
    )


def _sendable(dtype: torch.dtype) -> torch.dtype:
    """The dtype an answer is sent in: float64 stays, everything shorter is exact in float32."""
    return torch.float64 if dtype is torch.float64 else torch.float32
