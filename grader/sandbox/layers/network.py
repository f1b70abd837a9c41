"""A network namespace: the box has no interface at all, not even a loopback that is up."""

from __future__ import annotations

import socket

from grader.sandbox.layers import Breach, Confinement, Layer
from grader.sandbox.layers._linux import CLONE_NEWNET, unshare


def early(confinement: Confinement) -> None:
    """Move the zygote, and so every box, into an empty network.

    Raises:
        Unavailable: the platform forbids it.
    """
    unshare(CLONE_NEWNET, "network")


def probe(confinement: Confinement) -> None:
    """Look for a way out: an interface besides the loopback, or a loopback that carries packets.

    Raises:
        Breach: there is one.
    """
    try:
        names = [name for _, name in socket.if_nameindex() if name != "lo"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            reached = not datagrams.connect_ex(("127.0.0.1", 9))
    except OSError:
        return
    if names or reached:
        raise Breach(f"the box sees a network: {', '.join(names) or 'loopback'}")


LAYER = Layer(
    name="network",
    rank=11,
    protects="no packet leaves the box, whatever family of socket it gets hold of",
    remedy="allow unprivileged user namespaces, or run as root with CAP_SYS_ADMIN",
    probe=probe,
    early=early,
)
