"""No new privileges, and none of the old ones: capabilities dropped for good."""

from __future__ import annotations

import ctypes
import struct

from grader.sandbox.layers import Breach, Confinement, Layer
from grader.sandbox.layers._linux import PR_SET_NO_NEW_PRIVS, call, prctl, refusable

# From linux/prctl.h and linux/capability.h.
PR_CAPBSET_DROP = 24
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
LAST_CAPABILITY = 63


def inside(confinement: Confinement) -> None:
    """Give up every capability in every set, and the chance to gain one by running a program.

    Raises:
        Unavailable: not Linux.
    """
    with refusable("to give up new privileges"):
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last capability of this kernel, or nothing left to drop
            break
    with refusable("to drop capabilities"):
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        call("capset", _header(), struct.pack("=6I", *[0] * 6))


def probe(confinement: Confinement) -> None:
    """Look for a capability and for the way to one.

    Raises:
        Breach: there is one.
    """
    sets = ctypes.create_string_buffer(24)
    call("capget", _header(), sets)
    if any(struct.unpack("=6I", sets.raw)):
        raise Breach("the box holds capabilities")
    try:
        barred = prctl(PR_GET_NO_NEW_PRIVS)
    except OSError:
        return
    if not barred:
        raise Breach("the box may gain privileges by running a set-user-id program")


def _header() -> bytes:
    """The version and the process (0: this one) that ``capset`` and ``capget`` start with."""
    return struct.pack("=Ii", CAPABILITY_VERSION_3, 0)


LAYER = Layer(
    name="no_new_privs",
    rank=32,
    protects="the box holds no privilege and no program it runs can give it one",
    remedy="run on Linux",
    probe=probe,
    inside=inside,
)
