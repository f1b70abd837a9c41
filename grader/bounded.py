"""A dict of bounded size that drops its oldest items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

LIMIT = 256
"""Enough for the few ways in which students write a stub's parameters; hostile ones may try any number."""


def one(key: Any, value: Any) -> int:
    """The weight of an item of which there may be a limited number."""
    return 1


class BoundedDict(dict[Key, Value]):
    """A dict of limited weight that drops its oldest items to make room.

    Why not ``cachetools``: its caches look items up in Python, several times slower than a dict does, and raise an
    error for an item that is too heavy to be kept.

    Args:
        limit: how much it holds at most; an item that is heavier by itself is not kept.
        weigh: how much an item weighs, the same whenever it is asked.
    """

    def __init__(self, limit: int = LIMIT, weigh: Callable[[Key, Value], int] = one) -> None:
        super().__init__()
        self._limit = limit
        self._weigh = weigh
        self._held = 0

    def once(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value kept under a key; make and keep one if there is none."""
        if key in self:
            return self[key]
        made = self[key] = make()
        return made

    def __setitem__(self, key: Key, value: Value) -> None:
        if key in self:
            del self[key]
        weight = self._weigh(key, value)
        if weight > self._limit:
            return
        while self._held + weight > self._limit:
            del self[next(iter(self))]
        self._held += weight
        super().__setitem__(key, value)

    def __delitem__(self, key: Key) -> None:
        self._held -= self._weigh(key, self[key])
        super().__delitem__(key)

    def clear(self) -> None:
        """Drop all items."""
        self._held = 0
        super().clear()
