"""Tensors as bytes: safetensors, which holds numbers and shapes and nothing that could run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate
from json.encoder import encode_basestring_ascii

import numpy
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from grader.sandbox.frames import WireError

HEADER_LIMIT = 1 << 18
"""Bytes that may describe the tensors of one body; a million empty tensors would take long to read."""


PLAIN = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
"""The usual dtypes, and safetensors' names for them."""

NAMED = {name: numpy.dtype(f"<{name[0].lower()}{int(name[1:]) // 8}") for name in PLAIN.values()}
"""numpy's dtypes by safetensors' names."""


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Encode dense tensors by key, of any shape and of any dtype that safetensors knows."""
    if not all(t.dtype in PLAIN for t in tensors.values()):
        # safetensors refuses tensors that share memory, as one value under two keys does: so clone them.
        whole = {key: t.detach().clone(memory_format=torch.contiguous_format) for key, t in tensors.items()}
        return safetensors.torch.save(whole)
    # The library takes ten times as long for many small tensors, so the format is written here.
    # Methods are the class's own: a tensor may carry attributes of the same names.
    parts = [Tensor.numpy(Tensor.detach(t) if t.requires_grad else t).tobytes() for t in tensors.values()]
    ends = accumulate(map(len, parts))
    entries = (
        f'{encode_basestring_ascii(key)}:{{"dtype":"{PLAIN[t.dtype]}","shape":{list(t.shape)},'
        f'"data_offsets":[{end - len(part)},{end}]}}'
        for (key, t), part, end in zip(tensors.items(), parts, ends, strict=True)
    )
    text = f"{{{','.join(entries)}}}".encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def unpack_own(body: bytes) -> dict[str, Tensor]:
    """Decode bytes that :func:`pack` made; the tensors own their memory. Faster than :func:`unpack`."""
    if not body:
        return {}
    start = 8 + int.from_bytes(body[:8], "little")
    header = json.loads(body[8:start])
    if not all(about["dtype"] in NAMED for about in header.values()):
        return unpack(body)
    memory = bytearray(body)
    return {
        # numpy wraps bytes faster than torch does. torch then copies them, which aligns them: the alignment of
        # numbers decides in which order some sums are made.
        key: torch.from_numpy(
            numpy.ndarray(about["shape"], NAMED[about["dtype"]], memory, start + about["data_offsets"][0])
        ).clone()
        for key, about in header.items()
    }


def unpack(body: bytes) -> dict[str, Tensor]:
    """Decode bytes that cannot be trusted; the tensors own their memory.

    Raises:
        WireError: the bytes are not safetensors, or describe far more tensors than anyone sends.
    """
    if not body:
        return {}
    if int.from_bytes(body[:8], "little") > HEADER_LIMIT:
        raise WireError("the body of a frame describes too many tensors")
    try:
        return safetensors.torch.load(body)
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise WireError(f"the body of a frame is not safetensors: {error}") from error
