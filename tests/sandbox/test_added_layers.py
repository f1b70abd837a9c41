"""Layers that another package adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from grader.sandbox import layers as room
from grader.sandbox.layers import Layer, layers
from grader.sandbox.layers._ends import ENDS


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What installed packages add, by their entry points' names; empty at first."""
    found: dict[str, Any] = {}
    monkeypatch.setattr("grader.plugins.added", lambda kind: found if kind == "layers" else {})
    layers.cache_clear()
    yield found
    layers.cache_clear()


def a_layer(name: str, rank: int) -> Layer:
    """A layer that does nothing."""
    return Layer(name, rank, "nothing", "nothing", lambda confinement: None)


def test_a_layer_of_another_package_is_found_and_has_its_rank(added: dict[str, Any]) -> None:
    added["tiny"] = a_layer("tiny", 33)
    names = [layer.name for layer in layers()]
    assert names.index("no_new_privs") < names.index("tiny") < names.index("landlock")


def test_a_layer_of_another_package_cannot_stand_in_for_one_that_strict_counts_on(
    added: dict[str, Any],
) -> None:
    [seccomp] = [layer for layer in layers() if layer.name == "seccomp"]
    layers.cache_clear()
    added["mine"] = replace(seccomp, rank=99)
    with pytest.raises(ValueError, match="two isolation layers are named 'seccomp'"):
        layers()


def test_what_is_not_a_layer_is_named(added: dict[str, Any]) -> None:
    added["mine"] = "a string"
    with pytest.raises(TypeError, match=r"'mine' of backprop_grader\.layers names a str, and must name"):
        layers()


def test_strict_counts_on_built_in_layers_alone() -> None:
    assert frozenset().union(*(s for end in ENDS for s in end.sufficient)) <= {
        one.name for one in room._built_in()
    }
