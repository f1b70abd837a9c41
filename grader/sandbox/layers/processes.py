"""A process namespace per box: it sees nobody, and its death takes along whatever it started.

To go back to its own process namespace before each fork, the zygote needs a right over that
namespace, which it has only over one it made itself. So the zygote moves into a namespace of its
own first, as its process 1, and the process that was started stays outside as a mere waiter.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from grader.sandbox.layers import Breach, Confinement, Layer, Unavailable
from grader.sandbox.layers._linux import CLONE_NEWPID, PR_SET_PDEATHSIG, call, prctl, refusable, unshare


class Processes:
    """The zygote's own process namespace, kept open to come back to."""

    def __init__(self) -> None:
        self._own: int | None = None

    def early(self, confinement: Confinement) -> None:
        """Become process 1 of a new namespace; the process that was started only waits and passes on.

        Raises:
            Unavailable: the platform forbids it.
        """
        unshare(CLONE_NEWPID, "process")
        if child := os.fork():
            _wait_for(child)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # who kills the waiter means the zygote
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def before_fork(self, confinement: Confinement) -> None:
        """Arrange for the next fork, and only that one, to be process 1 of a new namespace.

        Raises:
            Unavailable: :meth:`early` did not succeed.
        """
        if self._own is None:
            raise Unavailable("the zygote has no process namespace of its own")
        with refusable("the way back to the zygote's own processes"):
            call("setns", self._own, CLONE_NEWPID)
        unshare(CLONE_NEWPID, "process")


def probe(confinement: Confinement) -> None:
    """See whether anyone else is there: the first process of a namespace has number 1 and no parent.

    Raises:
        Breach: the box lives among other processes.
    """
    if os.getpid() != 1 or os.getppid() != 0:
        raise Breach(f"the box is process {os.getpid()}, with parent {os.getppid()} in sight")


def _wait_for(child: int) -> NoReturn:
    """Hold nothing open, wait for the zygote and end the way it ended."""
    call("close_range", 0, 2**32 - 1, 0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    os._exit(status & 0xFF)


_processes = Processes()

LAYER = Layer(
    name="processes",
    rank=13,
    protects="no process of the machine can be seen or signalled, and none outlives the box",
    remedy="allow unprivileged user namespaces, or run as root with CAP_SYS_ADMIN",
    probe=probe,
    early=_processes.early,
    before_fork=_processes.before_fork,
)
