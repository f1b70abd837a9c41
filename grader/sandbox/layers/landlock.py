"""Landlock: the box may read what Python needs, write nothing, and reach nobody.

Source: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``linux/landlock.h``.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import PR_SET_NO_NEW_PRIVS, call, prctl, refusable
from grader.sandbox.layers._needs import DEVICES, copies, package, readable, spare_torch, within

CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

# linux/landlock.h, LANDLOCK_ACCESS_FS_*: one bit each, in the order in which they were added.
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI: how many there are
NET_BITS = 0b11  # since ABI 4: TCP bind and connect
SCOPES = 0b11  # since ABI 6: abstract UNIX sockets and signals


class Ruleset:
    """The rules, made once and enforced in every box."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def warm(self, confinement: Confinement) -> None:
        """Write down what a box may read.

        Raises:
            Unavailable: the kernel has no Landlock, or it is switched off.
        """
        abi = _abi()
        handled = (1 << FS_BITS[min(abi, max(FS_BITS))]) - 1
        rights = (handled, NET_BITS if abi >= 4 else 0, SCOPES if abi >= 6 else 0)
        size = 24 if abi >= 6 else 16 if abi >= 4 else 8
        ruleset = call("landlock_create_ruleset", struct.pack("=3Q", *rights), size, 0)
        shown = readable()
        hidden = within((*confinement.hidden, *spare_torch(), package(), *copies()), shown)
        for top in shown:
            for path in _spared(top, hidden):
                _allow(ruleset, path, READ_FILE | READ_DIR)
        for device in DEVICES:
            _allow(ruleset, device, READ_FILE | WRITE_FILE if device.name == "null" else READ_FILE)
        self._descriptor = ruleset

    def inside(self, confinement: Confinement) -> None:
        """Enforce the rules on this process, for good.

        Raises:
            Unavailable: :meth:`warm` did not succeed.
        """
        if self._descriptor is None:
            raise Unavailable("there is no ruleset")
        with refusable("Landlock"):
            prctl(PR_SET_NO_NEW_PRIVS, 1)  # without it only the privileged may restrict themselves
            call("landlock_restrict_self", self._descriptor, 0)
        os.close(self._descriptor)


def probe(confinement: Confinement) -> None:
    """Read a hidden file, list a hidden folder, read torch's library, write a file, connect by TCP.

    Raises:
        Breach: one of it worked.
    """
    for path in (*confinement.hidden, *spare_torch(), Path("/etc/passwd"), Path("/")):
        if _readable(path):
            raise Breach(f"the box can read {path}")
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "."):
        name = f"{folder}/written-by-a-box-{os.getpid()}"
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError:
            continue
        os.unlink(name)
        raise Breach(f"the box can write to {folder}")
    if _abi_or_zero() >= 4 and _listens():
        raise Breach("the box can open a TCP port")


def _abi() -> int:
    """The version of Landlock that the kernel offers."""
    with refusable("Landlock"):
        return call("landlock_create_ruleset", 0, 0, CREATE_RULESET_VERSION)


def _abi_or_zero() -> int:
    """The version once more; a box that may not even ask has none."""
    try:
        return _abi()
    except Unavailable:
        return 0


def _spared(top: Path, hidden: tuple[Path, ...]) -> Iterator[Path]:
    """The largest files and folders below ``top`` that hold nothing hidden."""
    if top in hidden:
        return
    if not any(path.is_relative_to(top) for path in hidden):
        yield top
        return
    for entry in sorted(top.iterdir()):
        if not entry.is_symlink():  # a rule would follow it to wherever it leads
            yield from _spared(entry, hidden)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Add one rule; what does not exist, or cannot be opened, is not allowed."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights &= ~(0 if path.is_dir() else READ_DIR)
    call("landlock_add_rule", ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    os.close(descriptor)


def _readable(path: Path) -> bool:
    """Whether a file can be opened, or a folder listed or a file in it opened."""
    try:
        if not path.is_dir():
            path.open("rb").close()
            return True
        return any(True for _ in os.scandir(path))
    except OSError:
        return False


def _listens() -> bool:
    """Whether a TCP port can be had."""
    try:
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
    except OSError:
        return False
    return True


_ruleset = Ruleset()

LAYER = Layer(
    name="landlock",
    rank=40,
    protects="no file outside Python's own can be read, none written; no TCP; no signal leaves the box",
    remedy="Linux 5.13 or later with landlock in the lsm= list of its boot line; gVisor has none",
    probe=probe,
    warm=_ruleset.warm,
    inside=_ruleset.inside,
)
