"""A memory that does not grow: what was worked out last is kept, what came first goes."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

LIMIT = 256
"""Students ask for a stub's parameters in a few ways, so this holds all of them; hostile ones in any number."""


class Recent(dict[Key, Value]):
    """A dict of a limited number of items, in the order in which they were put in.

    Args:
        limit: how many it holds at most.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: Key, value: Value) -> None:
        if key not in self and len(self) >= self._limit:
            del self[next(iter(self))]
        super().__setitem__(key, value)
