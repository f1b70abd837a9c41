"""A bounded dict holds the latest items, as many as fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from grader.bounded import BoundedDict

ITEMS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12)))
"""Keys, and values that weigh as much as they are."""


@given(st.integers(0, 30), ITEMS)
def test_a_memory_holds_the_latest_that_fit(limit: int, items: list[tuple[int, int]]) -> None:
    memory: BoundedDict[int, int] = BoundedDict(limit, lambda key, value: value)
    for key, value in items:
        memory[key] = value
        assert (memory.get(key) == value) == (value <= limit)
        assert sum(memory.values()) <= limit
    latest = dict(items)
    assert memory.items() <= latest.items()
    memory.clear()
    for key, value in list(latest.items())[:1]:
        memory[key] = value
        assert (key in memory) == (value <= limit)


def test_without_a_weight_items_are_counted() -> None:
    memory: BoundedDict[str, int] = BoundedDict(2)
    for name in "abca":
        memory[name] = 1
    assert list(memory) == ["c", "a"]
    del memory["c"]
    memory["d"] = 1
    assert list(memory) == ["a", "d"]
