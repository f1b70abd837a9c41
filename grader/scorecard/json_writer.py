"""Data as JSON: plain values of dataclasses, and text that people can read and a diff can follow."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from enum import StrEnum
from functools import cache
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

WORDS = {None: "null", True: "true", False: "false"}

PLAIN = frozenset({str, int, bool, type(None)})


class Written(str):
    """JSON text that stands for a value and is put in as it is."""

    __slots__ = ()


def laid_out(value: Any, depth: int, margin: str = "\n") -> str:
    """Write JSON text over several lines, as ``json.dumps(indent=1)`` does down to some depth, ten times as fast.

    Args:
        value: a value as :func:`plain` returns it; :class:`Written` text in it is copied.
        depth: how many levels get lines of their own; what is deeper stays on one line.
        margin: what a line begins with.
    """
    if not depth or not value or not isinstance(value, (dict, list)):
        return _scalar(value)
    inner = margin + " "
    if isinstance(value, dict):
        items = [f"{_encode(name)}: {laid_out(item, depth - 1, inner)}" for name, item in value.items()]
        return "{" + inner + f",{inner}".join(items) + margin + "}"
    return "[" + inner + f",{inner}".join(laid_out(item, depth - 1, inner) for item in value) + margin + "]"


def _scalar(value: Any) -> str:
    """A number, a word or a text as JSON, without the encoder's cost of setting up for each."""
    kind = type(value)
    if kind is Written:
        return str(value)
    if kind is float or kind is int:
        return repr(value)
    return WORDS[value] if value is None or kind is bool else _encode(value)


def encodable(text: str) -> str:
    """JSON text that can be encoded as UTF-8.

    A lone surrogate, as a file's name or a student's message may hold, has no UTF-8 form. Its backslash form is
    JSON's own escape for it, so the text still parses to the same string. Two that belong together become the one
    character that whoever parses the escapes makes of them.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return joined.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def plain(value: Any) -> Any:
    """Return a value as ``json.loads`` would make it; a number that is not finite becomes None."""
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is tuple or kind is list:
        return [plain(item) for item in value]
    if kind is dict:
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    return {name: plain(getattr(value, name)) for name in _names(kind)}


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
