"""Tensors as bytes: safetensors, which holds numbers and shapes and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from grader.box.frames import WireError


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Dense tensors by key, of any shape and of any dtype safetensors knows, as bytes."""
    # Cloned, because safetensors refuses tensors that share memory, as one value under two keys does.
    whole = {key: t.detach().clone(memory_format=torch.contiguous_format) for key, t in tensors.items()}
    return safetensors.torch.save(whole)


def unpack(body: bytes) -> dict[str, Tensor]:
    """Tensors of their own memory by key, from bytes nobody vouches for.

    Raises:
        WireError: the bytes are not safetensors.
    """
    if not body:
        return {}
    try:
        return safetensors.torch.load(body)
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise WireError(f"the body of a frame is not safetensors: {error}") from error
