"""What a process has used of the machine, read from outside: its processor time, and whether it wants more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATUS = "/proc/{pid}/stat"
RUNNABLE = b"R"
"""The state of a process that computes, or would if others left it a processor."""


@dataclass(frozen=True)
class Usage:
    """What a process has used so far.

    Args:
        cpu_s: processor seconds, its own and those of the children it has waited for.
        runnable: whether it computes or waits for a processor; false while it sleeps.
    """

    cpu_s: float
    runnable: bool


class Meter:
    """Reads what one process has used, for as long as it has not been reaped.

    Nothing is opened before the first reading, so a process that nobody asks about costs nothing.

    Args:
        pidfd: a descriptor of the process.
    """

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd
        self._status: int | None = None

    def read(self) -> Usage | None:
        """What the process has used, None where the system does not tell."""
        try:
            if self._status is None:
                self._status = _open_status(self._pidfd)
            return parse(os.pread(self._status, 1024, 0))
        except (OSError, ValueError, IndexError):
            return None

    def close(self) -> None:
        """Let go of what was opened; may be called twice."""
        if self._status is not None:
            os.close(self._status)
            self._status = None


def is_available() -> bool:
    """Whether this system tells what a process has used."""
    return Path("/proc/self/fdinfo").is_dir() and Path(STATUS.format(pid="self")).is_file()


def parse(status: bytes) -> Usage:
    """Read the text of ``/proc/<pid>/stat``.

    Raises:
        ValueError, IndexError: it is no such text.
    """
    # The name of the program comes second, in parentheses, and may hold whatever it likes.
    fields = status.rpartition(b")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), fields[0] == RUNNABLE)


def _open_status(pidfd: int) -> int:
    """Open the status of a process; its number is asked of its descriptor, for its parent may count otherwise.

    Raises:
        OSError: there is no /proc, or the process is not to be seen there.
        ValueError: it has been reaped.
    """
    about = Path(f"/proc/self/fdinfo/{pidfd}").read_text("ascii")
    pids = [int(line.split()[1]) for line in about.splitlines() if line.startswith("Pid:")]
    pid = pids[0]  # an IndexError, too, where there is none
    if pid <= 0:
        raise ValueError("the process has gone")
    return os.open(STATUS.format(pid=pid), os.O_RDONLY | os.O_CLOEXEC)
