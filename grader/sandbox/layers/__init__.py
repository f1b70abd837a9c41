"""The isolation layers: one module each, found by looking, applied in the order of their rank.

A module in this package that defines ``LAYER`` is a layer; adding a layer adds one file and changes none.
Another package adds one by an entry point of the group ``backprop_grader.layers`` that names a :class:`Layer`.
A layer is a small object with up to four hooks, called at four moments of a zygote's life:

    early()        once in the zygote, before torch is imported (single-threaded, few files open)
    warm()         once in the zygote, after torch is imported and warmed up
    before_fork()  in the zygote, right before every fork of a box
    inside()       in the box, right after the fork and before any student code

A hook that cannot do its work raises :class:`Unavailable` with the reason; the layer is then reported as missing,
and boxes are opened without it. Strict isolation opens none where that leaves an end open: see
:mod:`grader.sandbox.layers._ends`, which names the sets of layers that suffice. A layer of another package is
never counted on there.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


class Unavailable(Exception):
    """A layer cannot be had on this platform; the message says why."""


class Breach(Exception):
    """A probe succeeded in doing what its layer forbids; the message says what."""


@dataclass(frozen=True)
class Confinement:
    """What the layers of one zygote are to enforce.

    Args:
        memory_limit_mb: how much a box may allocate beyond the zygote's own size, in MiB.
        cpu_limit_s: processor time of one box, in whole seconds, after which the kernel kills it.
        hidden: files and folders that a box must not be able to read even where they lie below
            a readable folder (the course with its reference, the submissions, the tests).
        keep_fds: the descriptors a box keeps besides the standard three: its one socket.
    """

    memory_limit_mb: int
    cpu_limit_s: int
    hidden: tuple[Path, ...] = ()
    keep_fds: tuple[int, ...] = ()


Hook = Callable[[Confinement], None]


def nothing(confinement: Confinement) -> None:
    """The hook of a layer that has nothing to do at that moment."""


@dataclass(frozen=True)
class Layer:
    """One means of isolation.

    Args:
        name: as reports print it, such as ``seccomp``.
        rank: layers are applied in ascending rank.
        protects: one sentence on what it keeps closed, for an operator to read.
        remedy: how an operator gets it where it is missing.
        probe: called in a throw-away box, after :attr:`inside`; tries the forbidden act and raises
            :class:`Breach` when it succeeds.
        portable: whether its ``warm`` and ``inside`` also serve a plain subprocess on any platform.
    """

    name: str
    rank: int
    protects: str
    remedy: str
    probe: Callable[[Confinement], None]
    early: Hook = field(default=nothing)
    warm: Hook = field(default=nothing)
    before_fork: Hook = field(default=nothing)
    inside: Hook = field(default=nothing)
    portable: bool = False


@cache
def layers() -> tuple[Layer, ...]:
    """Every layer, built in or added by another package, in the order in which they are applied.

    Raises:
        TypeError: an installed package adds something that is not a layer.
        ValueError: it adds one by a name that is taken.
        ImportError, AttributeError: it names something that is not there.
    """
    found: dict[str, Layer] = {}
    for layer in (*_built_in(), *_added()):
        if layer.name in found:
            raise ValueError(
                f"two isolation layers are named {layer.name!r}: remove the package that adds one"
            )
        found[layer.name] = layer
    return tuple(sorted(found.values(), key=lambda layer: layer.rank))


def _built_in() -> Iterator[Layer]:
    for module in pkgutil.iter_modules(__path__):
        found = getattr(importlib.import_module(f"{__name__}.{module.name}"), "LAYER", None)
        if isinstance(found, Layer):
            yield found


def _added() -> Iterator[Layer]:
    """The layers of other packages; whoever is in the grader's own environment is trusted."""
    from grader.plugins import (
        GROUP,
        added,
    )  # here, because the judge has no need of it and wants to start soon

    for name, found in added("layers").items():
        if not isinstance(found, Layer):
            raise TypeError(
                f"the entry point {name!r} of {GROUP}.layers names a {type(found).__name__}, "
                "and must name a grader.sandbox.layers.Layer"
            )
        yield found
