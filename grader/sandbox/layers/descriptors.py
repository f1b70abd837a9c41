"""Descriptors: the box keeps its socket to the judge and three ends of nothing."""

from __future__ import annotations

import os

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import call

LAST = 2**32 - 1


def inside(confinement: Confinement) -> None:
    """Point 0, 1 and 2 at /dev/null and close all others but those to keep.

    This comes after the layers that hold a descriptor of their own.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, *confinement.keep_fds})
    for before, after in zip(kept, [*kept[1:], LAST + 1], strict=True):
        if after - before > 1:
            _close(before + 1, after - 1)


def probe(confinement: Confinement) -> None:
    """Count the open descriptors.

    Raises:
        Breach: there are others than those to keep, or a standard one leads somewhere.
    """
    null = os.stat(os.devnull)
    for descriptor in range(1024):
        try:
            found = os.fstat(descriptor)
        except OSError:
            continue
        if descriptor > 2 and descriptor not in confinement.keep_fds:
            raise Breach(f"the box holds descriptor {descriptor}")
        if descriptor <= 2 and found.st_rdev != null.st_rdev:
            raise Breach(f"descriptor {descriptor} of the box is not /dev/null")


def _close(first: int, last: int) -> None:
    """Close a range of descriptors, in one call where the kernel has it."""
    try:
        call("close_range", first, last, 0)
    except (OSError, Unavailable):
        os.closerange(first, min(last + 1, os.sysconf("SC_OPEN_MAX")))


LAYER = Layer(
    name="descriptors",
    rank=50,
    protects="no file, pipe or socket of the zygote or of another submission is open in the box",
    remedy="run on Linux or another POSIX system",
    probe=probe,
    inside=inside,
)
