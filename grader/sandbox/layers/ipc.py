"""Namespaces for what processes share by name: System V IPC, message queues, host name, control groups."""

from __future__ import annotations

import socket

from grader.sandbox.layers import Breach, Confinement, Layer
from grader.sandbox.layers._linux import CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWUTS, unshare

HOSTNAME = "box"


def early(confinement: Confinement) -> None:
    """Give the zygote empty IPC tables, its own host name and a view of its own control group only.

    Raises:
        Unavailable: the platform forbids it.
    """
    unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, "ipc, uts or cgroup")
    socket.sethostname(HOSTNAME)


def probe(confinement: Confinement) -> None:
    """Ask for the machine's name.

    Raises:
        Breach: the name is not the box's own, so the namespaces are not either.
    """
    if (name := socket.gethostname()) != HOSTNAME:
        raise Breach(f"the box shares the host's tables of names: it is called {name!r}")


LAYER = Layer(
    name="ipc",
    rank=12,
    protects="shared memory, semaphores and message queues of others cannot be seen or left behind",
    remedy="allow unprivileged user namespaces, or run as root with CAP_SYS_ADMIN",
    probe=probe,
    early=early,
)
