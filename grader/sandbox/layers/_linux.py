"""The few Linux system calls that the layers need and that Python does not wrap, through ctypes.

Numbers are those of the kernel's own headers: ``asm/unistd_64.h`` for x86_64 and
``asm-generic/unistd.h`` for aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from grader.sandbox.layers import Unavailable

SYSCALLS: dict[str, tuple[int, int]] = {  # name: (x86_64, aarch64)
    "capget": (125, 90),
    "capset": (126, 91),
    "close_range": (436, 436),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "keyctl": (250, 219),
    "landlock_add_rule": (445, 445),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "madvise": (28, 233),
    "memfd_create": (319, 279),
    "mkdirat": (258, 34),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mprotect": (10, 226),
    "open_tree": (428, 428),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "ptrace": (101, 117),
    "seccomp": (317, 277),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
}

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# From linux/prctl.h.
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38

NOBODY = 65534  # the kernel's overflow id, owner of nothing on any system

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None


@cache
def machine() -> int:
    """The column of :data:`SYSCALLS` for this processor.

    Raises:
        Unavailable: not Linux, or a processor whose numbers are not in the table.
    """
    if not sys.platform.startswith("linux"):
        raise Unavailable(f"needs Linux, this is {platform.system() or sys.platform}")
    columns = {"x86_64": 0, "aarch64": 1}
    name = platform.machine()
    if name not in columns or sys.maxsize < 2**32:
        raise Unavailable(f"no system call numbers for a {name} processor here")
    return columns[name]


@cache
def libc() -> ctypes.CDLL:
    """The C library that this process already runs on."""
    machine()
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def call(name: str, *arguments: Argument) -> int:
    """Make one system call by name.

    Args:
        name: a key of :data:`SYSCALLS`.
        arguments: integers, and bytes or buffers where the call wants a pointer.

    Raises:
        Unavailable: the platform has no such call, or the kernel does not know it.
        OSError: the kernel refused, with its error number.
    """
    number = SYSCALLS[name][machine()]
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = libc().syscall(ctypes.c_long(number), *words)
    if result >= 0:
        return result
    code = ctypes.get_errno()
    if code == errno.ENOSYS:
        raise Unavailable(f"this kernel has no {name}")
    raise OSError(code, f"{name}: {os.strerror(code)}")


def fork() -> int:
    """Fork this process, which must have no other thread; 0 in the child.

    ``os.fork`` has Python and its modules make their locks and random numbers anew in the child, which copies
    hundreds of pages and is needless where no other thread can hold a lock.

    Raises:
        OSError: the kernel refused.
    """
    pid: int = _holding().fork()
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"fork: {os.strerror(code)}")
    return pid


@cache
def _holding() -> ctypes.PyDLL:
    """The C library, called with Python's lock held."""
    return ctypes.PyDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> int:
    """Call ``prctl``; unused arguments are zero, as newer options demand."""
    return call("prctl", option, *(*arguments, 0, 0, 0, 0)[:4])


@contextmanager
def refusable(what: str) -> Iterator[None]:
    """Turn the kernel's refusal into the reason why a layer is missing.

    Args:
        what: the act that may be refused, for the message.

    Raises:
        Unavailable: the kernel refused.
    """
    try:
        yield
    except OSError as refusal:
        raise Unavailable(f"{what} is refused: {refusal.strerror or refusal}") from refusal


def unshare(flag: int, what: str) -> None:
    """Leave a namespace for a new one.

    Args:
        flag: one or several ``CLONE_NEW…``.
        what: the namespace's name, for the message.

    Raises:
        Unavailable: the platform forbids it.
    """
    with refusable(f"a {what} namespace"):
        call("unshare", flag)


def privileged() -> bool:
    """Whether this process may administer the system: it holds CAP_SYS_ADMIN.

    Raises:
        Unavailable: not Linux.
    """
    machine()
    cap_sys_admin = 21
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
    return bool(int(fields["CapEff"], 16) >> cap_sys_admin & 1)
