"""The box's user: nobody, in a user namespace of its own where the zygote has no privilege to spare."""

from __future__ import annotations

import os

from grader.box.layers import Breach, Confinement, Layer, Unavailable
from grader.box.layers._linux import CLONE_NEWUSER, NOBODY, privileged, unshare


def early(confinement: Confinement) -> None:
    """Get the right to make the other namespaces.

    A privileged zygote has it already, and a user namespace would only keep its boxes from becoming
    a real nobody. Anyone else becomes the nobody of a user namespace, with every capability over it
    and over nothing else.

    Raises:
        Unavailable: the platform forbids unprivileged user namespaces.
    """
    if privileged():
        return
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER, "user")
    for name, text in (
        ("setgroups", "deny"),  # the kernel wants this before an unprivileged gid_map
        ("uid_map", f"{NOBODY} {user} 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as control:
            control.write(text)


def inside(confinement: Confinement) -> None:
    """Stop being root: a box that is not somebody's ordinary user yet becomes nobody."""
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as refusal:
        raise Unavailable(f"cannot stop being root: {refusal.strerror}") from refusal


def probe(confinement: Confinement) -> None:
    """Look who the box is, and try to become root.

    Raises:
        Breach: it is somebody, or became root.
    """
    if (user := os.geteuid()) != NOBODY:
        raise Breach(f"the box runs as user {user}")
    try:
        os.setresuid(0, 0, 0)
    except OSError:
        return
    raise Breach("the box could become root")


LAYER = Layer(
    name="user",
    rank=10,
    guards=frozenset(),
    protects="the box runs as nobody: no file, process or right of a real user is its own",
    remedy="allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0)",
    probe=probe,
    early=early,
    inside=inside,
)
