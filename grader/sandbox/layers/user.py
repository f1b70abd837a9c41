"""The box's user: nobody, in a user namespace of its own where the zygote has no privilege to spare."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import CLONE_NEWUSER, NOBODY, privileged, refusable, unshare


class User:
    """Who the box is to be, and why not where it cannot."""

    def __init__(self) -> None:
        self._missing = ""

    def early(self, confinement: Confinement) -> None:
        """Get the right to make the other namespaces.

        A privileged zygote has it already, and a user namespace would only keep its boxes from becoming
        a real nobody. Anyone else becomes the nobody of a user namespace, with every capability over it
        and over nothing else.

        Raises:
            Unavailable: the platform forbids unprivileged user namespaces, and we are not root.
        """
        if privileged():
            return
        user, group = os.geteuid(), os.getegid()
        try:
            unshare(CLONE_NEWUSER, "user")
            _map(user, group)
        except Unavailable as reason:
            if user != 0:  # a root without privileges may still become nobody, inside
                self._missing = str(reason)
                raise

    def warm(self, confinement: Confinement) -> None:
        """See whether a root's box that becomes nobody could still read Python.

        Raises:
            Unavailable: Python lies where only root may go.
        """
        if os.geteuid() == 0 and (closed := _closed()):
            self._missing = f"nobody may not enter {closed}, where Python lies"
            raise Unavailable(self._missing)

    def inside(self, confinement: Confinement) -> None:
        """Stop being root: a box that is not nobody yet becomes it.

        Raises:
            Unavailable: an earlier hook said why, or the kernel refuses.
        """
        if self._missing:
            raise Unavailable(self._missing)
        if os.geteuid() == 0:
            with refusable("to stop being root"):
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)


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


def _map(user: int, group: int) -> None:
    """Call the present user and group nobody, in the user namespace just made."""
    for name, text in (
        ("setgroups", "deny"),  # the kernel wants this before an unprivileged gid_map
        ("uid_map", f"{NOBODY} {user} 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        with refusable("a map of users"), open(f"/proc/self/{name}", "w", encoding="ascii") as control:
            control.write(text)


def _closed() -> Path | None:
    """The first folder on the way to Python's own files that is not open to everybody."""
    for file in (os.__file__, *(path for path in sys.path if os.path.isdir(path))):
        for folder in reversed(Path(file).resolve().parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None


_user = User()

LAYER = Layer(
    name="user",
    rank=10,
    protects="the box runs as nobody: no file, process or right of a real user is its own",
    remedy="allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0)",
    probe=probe,
    early=_user.early,
    warm=_user.warm,
    inside=_user.inside,
)
