"""Resource limits: memory, processor time, descriptors, file size and processes."""

from __future__ import annotations

import mmap
import os
import sys

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable

if sys.platform != "win32":  # Windows has no such limits, and no such module
    import resource

MIB = 2**20
FIXED = {
    "RLIMIT_CORE": 0,
    "RLIMIT_FSIZE": 8 * MIB,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_NOFILE": 64,
    "RLIMIT_NPROC": 0,  # counted per user: the box is there already and adds none, thread or process
    "RLIMIT_SIGPENDING": 0,  # counted per user, so that boxes could see each other's
    "RLIMIT_STACK": 8 * MIB,
}


class Limits:
    """The zygote's size, which the box's memory limits come on top of."""

    def __init__(self) -> None:
        self._statm: int | None = None

    def warm(self, confinement: Confinement) -> None:
        """Keep the kernel's account of the zygote's memory open, also for when /proc has gone.

        Raises:
            Unavailable: the platform has no such account, so memory cannot be limited.
        """
        try:
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as reason:
            raise Unavailable(f"the size of the zygote is unknown: {reason.strerror}") from reason

    def inside(self, confinement: Confinement) -> None:
        """Set every limit, soft and hard alike, so that the box cannot raise one again.

        Raises:
            Unavailable: a limit cannot be set; the message names those.
        """
        limits = FIXED | {"RLIMIT_CPU": confinement.cpu_limit_s} | self._memory(confinement)
        failed = [name for name, limit in limits.items() if not _lowered(name, limit)]
        if self._statm is None:
            failed += ["RLIMIT_AS", "RLIMIT_DATA"]
        if failed:
            raise Unavailable(f"cannot set {', '.join(failed)}")

    def _memory(self, confinement: Confinement) -> dict[str, int]:
        """Limits on all mappings (shared ones too) and on private writable ones."""
        if self._statm is None:
            return {}
        pages = [int(word) for word in os.pread(self._statm, 256, 0).split()]
        total, data = pages[0] * resource.getpagesize(), pages[5] * resource.getpagesize()
        allowance = confinement.memory_limit_mb * MIB
        return {"RLIMIT_AS": total + allowance, "RLIMIT_DATA": data + allowance}


def probe(confinement: Confinement) -> None:
    """Ask for twice the memory allowed, private and shared, for 65 descriptors and for a core dump.

    Raises:
        Breach: any of it was granted.
    """
    size = 2 * confinement.memory_limit_mb * MIB
    for kind, flag in (("private", mmap.MAP_PRIVATE), ("shared", mmap.MAP_SHARED)):
        try:
            mmap.mmap(-1, size, flag | mmap.MAP_ANONYMOUS).close()
        except (OSError, MemoryError):
            continue
        raise Breach(f"the box was given {size // MIB} MiB of {kind} memory")
    for name in ("RLIMIT_CPU", *FIXED):
        limit = FIXED.get(name, confinement.cpu_limit_s)
        if hasattr(resource, name) and resource.getrlimit(getattr(resource, name))[1] not in range(limit + 1):
            raise Breach(f"the box may have more than {limit} of {name}")


def _lowered(name: str, limit: int) -> bool:
    """Lower one limit, soft and hard; false when the platform does not let us."""
    number = getattr(resource, name, None)
    if number is None:
        return name in (
            "RLIMIT_MSGQUEUE",
            "RLIMIT_SIGPENDING",
        )  # only Linux has these queues, and limits them
    hard = resource.getrlimit(number)[1]
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    try:
        resource.setrlimit(number, (lowest, lowest))
    except (OSError, ValueError):
        return False
    return True


_limits = Limits()

LAYER = Layer(
    name="rlimits",
    rank=31,
    protects="a submission cannot exhaust memory, processor time, descriptors, disk or the process table",
    remedy="run on Linux with /proc mounted",
    probe=probe,
    warm=_limits.warm,
    inside=_limits.inside,
    portable=True,
)
