"""A session of its own: no terminal, no parent to outlive, nothing for a sibling to trace."""

from __future__ import annotations

import os
import signal

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import PR_SET_PDEATHSIG, prctl, refusable

# From linux/prctl.h.
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4


def inside(confinement: Confinement) -> None:
    """Leave the zygote's session and terminal, die with the zygote, and refuse to be traced.

    A process that is not dumpable has its ``/proc/self/mem`` owned by root and cannot be traced by
    another one of the same user.

    Raises:
        Unavailable: not Linux; the session is its own all the same.
    """
    os.umask(0o077)
    if not hasattr(os, "setsid"):
        raise Unavailable("needs a POSIX system")
    os.setsid()
    with refusable("to die with the zygote"):
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_DUMPABLE, 0)


def probe(confinement: Confinement) -> None:
    """Look for a terminal, a shared session and a memory open to tracers.

    Raises:
        Breach: one of them is there.
    """
    if os.getsid(0) != os.getpid():
        raise Breach("the box shares the session of the zygote")
    try:
        dumpable = prctl(PR_GET_DUMPABLE)
    except (OSError, Unavailable):
        return
    if dumpable:
        raise Breach("another process of the same user may trace the box")


LAYER = Layer(
    name="session",
    rank=30,
    protects="the box has no terminal, dies with the zygote and cannot be traced by its siblings",
    remedy="run on Linux or another POSIX system",
    probe=probe,
    inside=inside,
)
