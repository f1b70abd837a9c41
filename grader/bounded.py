"""A memory that does not grow: what was worked out last is kept, what came first goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

LIMIT = 256
"""Students ask for a stub's parameters in a few ways, so this holds all of them; hostile ones in any number."""


def one(key: Any, value: Any) -> int:
    """The weight of an item of which there may be a limited number."""
    return 1


class BoundedDict(dict[Key, Value]):
    """A dict of a limited weight, in the order in which its items were put in.

    Args:
        limit: how much it holds at most; an item that is heavier by itself is not kept.
        weigh: how much an item weighs, the same whenever it is asked.
    """

    def __init__(self, limit: int = LIMIT, weigh: Callable[[Key, Value], int] = one) -> None:
        super().__init__()
        self._limit = limit
        self._weigh = weigh
        self._held = 0

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
        """Forget all of it."""
        self._held = 0
        super().clear()
