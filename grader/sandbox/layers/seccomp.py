"""seccomp: a list of the system calls that computing takes; every other one is refused.

The filter is a classic BPF program over ``struct seccomp_data`` (linux/seccomp.h), written once and
then given to every box, with one constant of its own: the box's process number, which is the only
process it may signal. Calls that are not on the list fail with EPERM, so that an honest library that
merely asks can go on; a foreign instruction set kills.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import PR_SET_NO_NEW_PRIVS, call, machine, prctl, refusable

# Numbers: asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64); None where there is no such call.
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # reading, and writing to what is open already: the socket and /dev/null
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "recvfrom": (45, 207), "close": (3, 57), "lseek": (8, 62), "dup": (32, 23), "poll": (7, None),
    "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "getsockopt": (55, 209),
    "getsockname": (51, 204), "getpeername": (52, 205),
    # looking at files
    "fstat": (5, 80), "stat": (4, None), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getcwd": (79, 17), "getdents64": (217, 61),
    # memory (mmap, mprotect and madvise: see below; no mremap, which could stretch the mapping of a library
    # over the traps in it and so bring back the code that the file holds there)
    "munmap": (11, 215), "brk": (12, 214),
    # the bookkeeping of the one thread (futex: see below)
    "set_robust_list": (273, 99), "rseq": (334, 293), "restart_syscall": (219, 128),
    # signals of its own, time and chance
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136), "rt_sigsuspend": (130, 133), "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132), "pause": (34, None), "alarm": (37, None), "getitimer": (36, 102),
    "setitimer": (38, 103), "nanosleep": (35, 101), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "getrandom": (318, 278), "exit": (60, 93), "exit_group": (231, 94),
    # who and where am I
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getpgid": (121, 155),
    "getpgrp": (111, None), "getsid": (124, 156), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "capget": (125, 90), "uname": (63, 160),
    "getrusage": (98, 165), "getrlimit": (97, 163), "getpriority": (140, 141), "getcpu": (309, 168),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
}  # fmt: skip

# From asm-generic headers, the same on both processors.
PROT_WRITE, PROT_EXEC = 0x2, 0x4
MAP_ANONYMOUS = 0x20
MAP_RESIDENT = (
    0x2000 | 0x8000 | 0x40000
)  # LOCKED, POPULATE, HUGETLB: what lies in memory is shared by all boxes
MADV_HARMLESS = (
    0,
    10,
    11,
    14,
    15,
    16,
    17,
    18,
    19,
)  # NORMAL, and whether to huge-page, dump, or pass on in a fork
FUTEX_PRIVATE = 128
FUTEX_OPERATIONS = (0, 1, 3, 4, 5, 6, 7, 8, 9, 9 | 256, 10, 11, 12, 13)
CLOCKS = 16  # the clocks of other processes have negative numbers
REALTIME_SIGNAL = 32  # the first of those that queue, and are counted for all boxes together
O_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TCGETS, FIOCLEX, FIONBIO = 0x5401, 0x5451, 0x5421
F_HARMLESS = (0, 1, 2, 3, 4, 1030)  # DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC
NOT_KILLING = tuple(
    number for number in range(REALTIME_SIGNAL) if number != 9
)  # all of the others but SIGKILL
PR_HARMLESS = (2, 3, 15, 16, 23, 39)  # asking, and SET_NAME, which names the thread

# linux/seccomp.h, linux/filter.h, linux/audit.h
SECCOMP_SET_MODE_FILTER = 1
RET_KILL, RET_ERRNO, RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
AUDIT_ARCH = (0xC000003E, 0xC00000B7)
X32_BIT = 0x40000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NR, ARCH, ARGUMENT = 0, 4, 16
PID = 0xFEEDFACE  # stands for the box's process number until there is a box


@dataclass(frozen=True)
class When:
    """A call that is allowed when one half of one argument passes a test.

    Args:
        argument: its position, from 0.
        test: ``EQUAL`` (to one of the values), ``ANY_BIT`` (of the value, which must not be set), or ``AT_LEAST``
            (the value, which it must be below).
        values: what to compare with.
        high: look at the upper 32 bits.
    """

    argument: int
    test: int
    values: tuple[int, ...]
    high: bool = False


def _equal(argument: int, *values: int) -> tuple[When, ...]:
    return (When(argument, EQUAL, values),)


def _zero(argument: int) -> tuple[When, ...]:
    return (When(argument, EQUAL, (0,)), When(argument, EQUAL, (0,), high=True))


def _without(argument: int, bits: int) -> tuple[When, ...]:
    return (When(argument, ANY_BIT, (bits,)),)


def _below(argument: int, limit: int) -> tuple[When, ...]:
    return (When(argument, AT_LEAST, (limit,)),)


# Calls that are allowed only with harmless arguments: numbers, and alternatives of tests that must all pass.
RULES: dict[str, tuple[tuple[int | None, int | None], tuple[tuple[When, ...], ...]]] = {
    # No page is ever both written and run: the traps in torch's own code stay where they are.
    "mmap": (
        (9, 222),
        (
            _without(2, PROT_EXEC) + _without(3, MAP_RESIDENT),
            _without(2, PROT_WRITE) + _without(3, MAP_ANONYMOUS | MAP_RESIDENT),
        ),
    ),
    "mprotect": ((10, 226), (_without(2, PROT_EXEC),)),
    # A page that is forgotten would come back without its traps; and no advice may move a file's pages in or out
    # of memory, where every other box could time them.
    "madvise": ((28, 233), (_equal(2, *MADV_HARMLESS),)),
    # A lock in a page of a file that others can read, too, would tell them who waits on it.
    "futex": ((202, 98), (_equal(1, *(FUTEX_PRIVATE | operation for operation in FUTEX_OPERATIONS)),)),
    # The clocks of other processes tell how busy they are.
    "clock_gettime": ((228, 113), (_below(0, CLOCKS),)),
    "clock_getres": ((229, 114), (_below(0, CLOCKS),)),
    "clock_nanosleep": ((230, 115), (_below(0, CLOCKS),)),
    "openat": ((257, 56), (_without(2, O_WRITING),)),
    "ioctl": ((16, 29), (_equal(1, TCGETS, FIOCLEX, FIONBIO),)),
    "fcntl": ((72, 25), (_equal(1, *F_HARMLESS),)),
    "prctl": ((157, 167), (_equal(0, *PR_HARMLESS),)),
    "prlimit64": ((302, 261), (_zero(2),)),  # ask, never set
    "sendto": ((44, 206), (_zero(4),)),  # to whom the socket is connected, to no other
    # Only to itself: abort() needs it. And never SIGKILL: who dies of it was killed by somebody else.
    "tgkill": ((234, 131), (_equal(0, PID) + _equal(2, *NOT_KILLING),)),
    "kill": ((62, 129), (_equal(0, PID) + _equal(1, *NOT_KILLING),)),
}
CLONE3 = 435  # the same on both; ENOSYS makes the C library try clone, whose flags could be seen


class Filter:
    """The program, written once; every box gets it with its own process number."""

    def __init__(self) -> None:
        self._program = b""

    def warm(self, confinement: Confinement) -> None:
        """Write the program.

        oneDNN and its like write machine code at run time, which the filter forbids: they are switched
        off, and torch computes with what it was compiled with.

        Raises:
            Unavailable: not Linux, or a processor without a table here.
        """
        self._program = program(machine())
        torch = sys.modules.get("torch")
        if torch is not None:
            torch._C._set_mkldnn_enabled(False)

    def inside(self, confinement: Confinement) -> None:
        """Enforce the program on this process, for good.

        Raises:
            Unavailable: the kernel has no seccomp filters.
        """
        if not self._program:
            raise Unavailable("there is no program")
        code = self._program.replace(struct.pack("=I", PID), struct.pack("=I", os.getpid()))
        buffer = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
        with refusable("a seccomp filter"):
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            call("seccomp", SECCOMP_SET_MODE_FILTER, 0, header)


def program(column: int) -> bytes:
    """The BPF program for one processor.

    Args:
        column: 0 for x86_64, 1 for aarch64.
    """
    code = [_op(LOAD, ARCH), _op(EQUAL, AUDIT_ARCH[column], 1, 0), _op(RETURN, RET_KILL), _op(LOAD, NR)]
    if column == 0:
        code += [_op(AT_LEAST, X32_BIT, 0, 1), _op(RETURN, RET_KILL)]
    code += [_op(EQUAL, CLONE3, 0, 1), _op(RETURN, RET_ERRNO | errno.ENOSYS)]
    for numbers, alternatives in RULES.values():
        code += _rule(numbers[column], alternatives)
    plain = sorted(number for numbers in ALLOWED.values() if (number := numbers[column]) is not None)
    for first, last in _runs(plain):
        code += [_op(AT_LEAST, first, 0, 2), _op(AT_LEAST, last + 1, 1, 0), _op(RETURN, RET_ALLOW)]
    code += [_op(RETURN, RET_ERRNO | errno.EPERM)]
    return b"".join(code)


def _op(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """One instruction, a ``struct sock_filter``: how far to jump when true and when false."""
    return struct.pack("=HBBI", code, true, false, value)


def _rule(number: int | None, alternatives: tuple[tuple[When, ...], ...]) -> list[bytes]:
    """Allow one call when all tests of one alternative pass, refuse it otherwise."""
    if number is None:
        return []
    body: list[bytes] = []
    for tests in alternatives:
        body += _all(tests)
    body += [_op(RETURN, RET_ERRNO | errno.EPERM)]
    return [_op(EQUAL, number, 0, len(body)), *body]


def _all(tests: tuple[When, ...]) -> list[bytes]:
    """Return "allowed" when every test passes; go on behind these instructions otherwise."""
    body = [_op(RETURN, RET_ALLOW)]
    for test in reversed(tests):
        offset = ARGUMENT + 8 * test.argument + 4 * test.high
        count = len(test.values)
        if test.test in (ANY_BIT, AT_LEAST):
            check = [_op(test.test, test.values[0], len(body), 0)]
        else:
            check = [
                _op(EQUAL, value, count - 1 - place, len(body) if place == count - 1 else 0)
                for place, value in enumerate(test.values)
            ]
        body = [_op(LOAD, offset), *check, *body]
    return body


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive runs."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def probe(confinement: Confinement) -> None:
    """Try one call of each family that the list leaves out.

    Raises:
        Breach: one of them worked.
    """
    for what, attempt in _attempts():
        try:
            attempt()
        except (OSError, ValueError):
            continue
        raise Breach(f"the box can {what}")


def _attempts() -> tuple[tuple[str, Callable[[], object]], ...]:
    """Forbidden acts; what they would leave behind dies with the throw-away box."""
    return (
        ("have a socket", lambda: socket.socket(socket.AF_UNIX).close()),
        ("have a pair of sockets", socket.socketpair),
        ("signal its group", lambda: os.kill(0, 0)),
        ("have memory that is a file", lambda: os.close(os.memfd_create("file"))),
        ("write code and run it", lambda: mmap.mmap(-1, 4096, prot=7).close()),
        ("have a pipe", os.pipe),
        ("lower its priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, 1)),
        ("reach a keyring", lambda: call("keyctl", 0, -3, 1)),
        ("ask to be traced", _ask_to_be_traced),
        ("fork", _fork),
    )


def _ask_to_be_traced() -> None:
    call("ptrace", 0, 0, 0, 0)


def _fork() -> None:
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)


_filter = Filter()

LAYER = Layer(
    name="seccomp",
    rank=60,
    protects="the kernel answers only what computing takes: no socket, process, thread, signal or new code",
    remedy="a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64",
    probe=probe,
    warm=_filter.warm,
    inside=_filter.inside,
)
