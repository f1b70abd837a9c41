"""A private root: a read-only tree with what Python needs, and nothing else of the machine.

Everything the box may see is cloned from the real tree before the new root is put together, so it
does not matter that the new root is assembled on top of one of those folders.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import CLONE_NEWNS, call, unshare
from grader.sandbox.layers._needs import (
    DEVICES,
    aliases,
    copies,
    outermost,
    package,
    readable,
    spare_torch,
    within,
)

# From linux/mount.h and linux/fcntl.h.
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 0x4
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
MNT_DETACH = 2
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MS_PRIVATE = 1 << 18

READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID
SHIPPED = "_shipped_course"
"""The folder of the package that holds the course in a wheel, as :mod:`grader.course.course` has it."""

STAGES = ("/tmp", "/mnt", "/var", "/usr")


class Root:
    """The new root, and what is still to be taken out of it."""

    def __init__(self) -> None:
        self._built = False
        self._proc = False

    def early(self, confinement: Confinement) -> None:
        """Move the zygote into a root that holds read-only clones of what Python needs.

        Raises:
            Unavailable: the platform forbids mounts of one's own, or the kernel is older than 5.12.
        """
        unshare(CLONE_NEWNS, "mount")
        try:
            self._build(confinement)
        except OSError as refusal:
            raise Unavailable(f"cannot build a private root: {refusal}") from refusal
        self._built = self._proc = True

    def warm(self, confinement: Confinement) -> None:
        """Take away what only the import of torch needed.

        Raises:
            Unavailable: :meth:`early` did not succeed.
        """
        if not self._built:
            raise Unavailable("there is no private root")
        for path in spare_torch():
            if path.is_dir():
                _cover(path)

    def before_fork(self, confinement: Confinement) -> None:
        """Take away /proc, once: the zygote's own preparations are over."""
        if self._proc:
            call("umount2", b"/proc\0", MNT_DETACH)
            self._proc = False

    def _build(self, confinement: Confinement) -> None:
        shown = outermost([*readable(), package()])
        answers = [path / SHIPPED for path in (package(), *copies())]
        hidden = within((*confinement.hidden, *answers), shown)
        trees = {path: _clone(path, MOUNT_ATTR_NODEV) for path in shown if path not in hidden}
        trees |= {path: _clone(path, 0) for path in DEVICES if path.exists()}
        trees[Path("/proc")] = _clone(Path("/proc"), MOUNT_ATTR_NODEV)
        links = aliases()
        call("mount_setattr", AT_FDCWD, b"/\0", AT_RECURSIVE, _attributes(0, MS_PRIVATE), 32)
        stage = next(Path(path) for path in STAGES if os.path.isdir(path))
        blank = _tmpfs()
        _attach(blank, stage)
        try:
            _furnish(stage, trees, links)
            for path in hidden:
                _cover(stage / path.relative_to("/"))
            call("mount_setattr", blank, b"\0", AT_EMPTY_PATH, _attributes(READ_ONLY | MOUNT_ATTR_NODEV), 32)
            _enter(stage)
        except OSError:
            call("umount2", os.fsencode(stage) + b"\0", MNT_DETACH)
            raise
        for descriptor in (blank, *trees.values()):
            os.close(descriptor)


def probe(confinement: Confinement) -> None:
    """Look for hidden files, for the process table, for the machine's settings and for a place to write.

    Raises:
        Breach: one was found.
    """
    for path in confinement.hidden:
        if _holds_something(path):
            raise Breach(f"the box sees {path}")
    for stray in ("/proc/self", "/etc/passwd", "/sys/kernel", "/dev/shm"):
        if os.path.exists(stray):
            raise Breach(f"the box sees {stray}")
    try:
        call(
            "mkdirat", AT_FDCWD, b"/written\0", 0o700
        )  # the system's own: in place of os.mkdir a box has a stand-in
    except OSError:
        return
    raise Breach("the box can write to its root")


def _clone(path: Path, attributes: int) -> int:
    """A detached, read-only copy of the mount tree at ``path``."""
    flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
    tree = call("open_tree", AT_FDCWD, os.fsencode(path) + b"\0", flags)
    wanted = _attributes(READ_ONLY | attributes, MS_PRIVATE)
    call("mount_setattr", tree, b"\0", AT_EMPTY_PATH | AT_RECURSIVE, wanted, 32)
    return tree


def _tmpfs() -> int:
    """A new, empty file system in memory, not attached anywhere yet."""
    context = call("fsopen", b"tmpfs\0", 1)
    for key, value in ((b"mode\0", b"755\0"), (b"size\0", b"1m\0")):
        call("fsconfig", context, FSCONFIG_SET_STRING, key, value, 0)
    call("fsconfig", context, FSCONFIG_CMD_CREATE, 0, 0, 0)
    mount = call("fsmount", context, 1, 0)
    os.close(context)
    return mount


def _attach(tree: int, place: str | Path) -> None:
    """Put a detached tree where it is to be seen."""
    target = os.fsencode(place) + b"\0"
    call("move_mount", tree, b"\0", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)


def _furnish(stage: Path, trees: dict[Path, int], links: dict[Path, Path]) -> None:
    """Attach every tree at its own place below the new root, and link to it from its other names."""
    for path, tree in trees.items():
        place = stage / path.relative_to("/")
        if stat.S_ISDIR(os.fstat(tree).st_mode):  # the path itself may lie beneath the stage by now
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        _attach(tree, place)
    for path, real in links.items():
        place = stage / path.relative_to("/")
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(real)


def _cover(path: Path) -> None:
    """Hide a folder behind an empty one, or a file behind an empty device."""
    tree = _tmpfs() if path.is_dir() else _clone(Path("/dev/null"), 0)
    if path.is_dir():
        call("mount_setattr", tree, b"\0", AT_EMPTY_PATH, _attributes(READ_ONLY | MOUNT_ATTR_NODEV), 32)
    _attach(tree, path)
    os.close(tree)


def _enter(stage: Path) -> None:
    """Make ``stage`` the root and let go of the old one, which lies beneath it for a moment."""
    os.chdir(stage)
    call("pivot_root", b".\0", b".\0")
    call("umount2", b".\0", MNT_DETACH)
    os.chdir("/")


def _attributes(attributes: int, propagation: int = 0) -> bytes:
    """A ``struct mount_attr``: set, clear, propagation, user namespace."""
    return struct.pack("=4Q", attributes, 0, propagation, 0)


def _holds_something(path: Path) -> bool:
    """Whether anything at all can be read at ``path``."""
    try:
        return bool(os.listdir(path) if path.is_dir() else path.read_bytes())
    except OSError:
        return False


_root = Root()

LAYER = Layer(
    name="root",
    rank=14,
    protects="the box sees Python's own files, read-only, and nothing else of the machine",
    remedy="Linux 5.12 or later with unprivileged user namespaces, or run as root with CAP_SYS_ADMIN",
    probe=probe,
    early=_root.early,
    warm=_root.warm,
    before_fork=_root.before_fork,
)
