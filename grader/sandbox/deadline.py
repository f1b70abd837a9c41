"""When a box has had the time it was given.

What counts is the time in which a box computes, and the time in which it sleeps. The time in which it is ready to
compute and others hold the processors does not: a right answer must not fail because the machine is busy. So the
seconds counted are at most those on the wall, and on a quiet machine they are the same.

Whoever waits for a box waits for its connection, and looks here only when that takes long. What a box has used is
read from outside, see :mod:`grader.sandbox.usage`. Where the system does not tell, every second counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from grader.sandbox.usage import Usage

LOOK_S = 0.1
"""How often a box is looked at that takes long. Most answers come before the first look."""

CAP = 5
"""A box is given up after so many times its limit, whatever it waits for."""

LAST_S = 1.0
"""The most that is counted for the end of a box: who waits longer for it was held up."""

SHORTEST_WAIT_S = 0.002


class Deadline:
    """The time that one question to a box may take; it starts when this is made.

    Args:
        limit_s: seconds in which the box may compute or sleep.
        read: reads what the box has used, None where that cannot be told.
        clock: seconds that go by, from any start.
    """

    def __init__(
        self, limit_s: float, read: Callable[[], Usage | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit_s = limit_s
        self.spent_s = 0.0
        """Seconds that count, as of the last look."""
        self.asleep_s = 0.0
        """Those of them in which the box slept, as far as can be told."""
        self._read = read
        self._clock = clock
        self._watched_s = 0.0
        self._cpu_s: float | None = None
        self._looked = clock()
        self._next = self._looked + min(LOOK_S, limit_s)

    def left(self) -> float:
        """Seconds to wait for the box before this is asked again; none when its time is up."""
        now = self._clock()
        if now < self._next:
            return self._next - now
        self._look(now)
        rest = min(self.limit_s - self.spent_s, CAP * self.limit_s - self._watched_s)
        if rest <= 0:
            return 0.0
        self._next = now + max(min(LOOK_S, rest), SHORTEST_WAIT_S)
        return self._next - now

    def stop(self) -> None:
        """Count what has gone by since the last look: the answer has come, or will not."""
        passed = self._clock() - self._looked
        self.spent_s += max(0.0, min(passed, LAST_S))

    def _look(self, now: float) -> None:
        # Who looks much later than intended was held up, and cannot say what the box did in the meantime.
        passed = min(now - self._looked, 2 * LOOK_S)
        usage = self._read()
        self._watched_s += passed
        self._looked = now
        if usage is None:
            self.spent_s += passed
            return
        # Nobody looked when the question was asked: all of the time before the first look counts as computing.
        used = passed if self._cpu_s is None else max(0.0, usage.cpu_s - self._cpu_s)
        self._cpu_s = usage.cpu_s
        if usage.runnable:
            self.spent_s += used
        else:
            self.spent_s += max(passed, used)
            self.asleep_s += max(0.0, passed - used)
