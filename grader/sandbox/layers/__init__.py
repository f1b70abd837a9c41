"""The isolation layers: one module each, found by looking, applied in the order of their rank.

A module in this package that defines ``LAYER`` is a layer; adding a layer adds one file and changes none.
A layer is a small object with up to four hooks, called at four moments of a zygote's life:

    early()        once in the zygote, before torch is imported (single-threaded, few files open)
    warm()         once in the zygote, after torch is imported and warmed up
    before_fork()  in the zygote, right before every fork of a box
    inside()       in the box, right after the fork and before any student code

A hook that cannot do its work raises :class:`Unavailable` with the reason; the layer is then reported
as missing, and the box is opened without it (or, under ``--isolation strict``, not at all).
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
        guards: what strict mode relies on it for, out of ``answers``, ``network``, ``processes``.
        protects: one sentence for ``grade doctor``: what would be open without it.
        remedy: how an operator gets it where it is missing.
        probe: called in a throw-away box, after :attr:`inside`; tries the forbidden act and raises
            :class:`Breach` when it succeeds.
        portable: whether its ``warm`` and ``inside`` also serve a plain subprocess on any platform.
    """

    name: str
    rank: int
    guards: frozenset[str]
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
    """Every layer in this package, in the order in which they are applied."""
    return tuple(sorted(_found(), key=lambda layer: layer.rank))


def _found() -> Iterator[Layer]:
    for module in pkgutil.iter_modules(__path__):
        found = getattr(importlib.import_module(f"{__name__}.{module.name}"), "LAYER", None)
        if isinstance(found, Layer):
            yield found
