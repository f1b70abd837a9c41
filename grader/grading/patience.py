"""How much time the functions of one submission are given, so that all of them end in a bounded time.

A function that is right is never given less than it may need. Whatever else a submission does, it cannot keep a
grader for long:

* A function has the whole time limit, until another one has hung, died or failed *after a long time*. Each such
  function halves what the next ones get, their second askings and the loading of their files included.
* No function gets less than its *floor*: fifty times what the reference needs for the same calls, and a second
  at least.
* All functions together have a budget. It holds a share for each function, its floor and the loading of its file,
  and some time to spare, which pays for all that takes longer. What a function leaves of its share is added to
  that. So the last function still has its floor, however much was wasted before it.

The seconds that count are those of :class:`grader.sandbox.deadline.Deadline`: computing and sleeping. The time in
which a right answer computes costs nothing. The time in which it sleeps does, for no formula needs sleep.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from grader.sandbox.box import Took

TIMES_THE_REFERENCE = 50
"""A right answer may take so many times what the reference takes before it can run out of time."""

FLOOR_S = 1.0
"""No function is given less, unless the whole limit is less."""

LOADING_S = 0.25
"""What is set aside, for each function, to load its file anew."""

SHORTEST_S = 0.05
"""The least time that a question is given, where all of it has been used."""

TOGETHER_S = 48.0
"""What all functions with the same limits may take together, unless their floors and one whole limit are more."""


class Patience:
    """The time that is left to one submission, for its functions that run under the same limits.

    Args:
        limit_s: the time limit of one function.
        needs: seconds that the reference needs for all calls of a function, by function. It is asked only once
            something has taken long, for it may take as long as the reference does.
    """

    def __init__(self, limit_s: float, needs: Mapping[Hashable, Callable[[], float]]) -> None:
        self.limit_s = limit_s
        self._needs = needs
        self._strikes = 0
        self._quick: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, float] | None = None
        self._spare_s = 0.0

    def turn(self, function: Hashable) -> Turn:
        """What one function may take, out of what is left to all."""
        return Turn(self, function)

    def floor_s(self, function: Hashable) -> float:
        """The least that a function is given to answer."""
        needed = TIMES_THE_REFERENCE * self._needs[function]()
        return min(self.limit_s, max(FLOOR_S, needed))

    def share_s(self, function: Hashable) -> float:
        """What is set aside for a function that has not been asked: to load its file, and to answer."""
        return self.floor_s(function) + LOADING_S

    @property
    def together_s(self) -> float:
        """What all functions may take together."""
        return max(sum(map(self.share_s, self._needs)) + self.limit_s, TOGETHER_S)

    @property
    def most_s(self) -> float:
        """The most that a function is given, where there is as much to spare."""
        return float(self.limit_s / 2**self._strikes)

    @property
    def spare_s(self) -> float:
        """What is left apart from the shares of the functions that are still to be asked."""
        self._reckon()
        return self._spare_s

    @property
    def is_whole(self) -> bool:
        """Whether nothing has taken long so far."""
        return self._waiting is None

    def settle(self, function: Hashable, taken_s: float, *, struck: bool) -> None:
        """Take note of what a function took, when it is done.

        Args:
            function: the function.
            taken_s: seconds that are charged.
            struck: whether the next functions are to be given less.
        """
        self._strikes += struck
        if self._waiting is None and taken_s < LOADING_S and not struck:
            self._quick[function] = taken_s  # less than its share, whatever that is
            return
        self._reckon()
        assert self._waiting is not None
        self._spare_s += self._waiting.pop(function, 0.0) - taken_s

    def _reckon(self) -> None:
        """Work out the shares, now that it matters."""
        if self._waiting is None:
            self._waiting = {name: self.share_s(name) for name in self._needs if name not in self._quick}
            used = sum(self._waiting.values()) + sum(self._quick.values())
            self._spare_s = self.together_s - used


class Turn:
    """What one function may take, second askings included.

    Args:
        patience: what is left to all.
        function: which one it is.
    """

    def __init__(self, patience: Patience, function: Hashable) -> None:
        self._patience = patience
        self._function = function
        self.shares_box = False
        """Whether others ran in its box before it, so that enough must be left to ask it again in a fresh one."""
        self._taken_s = 0.0
        self._struck = False

    def to_load(self) -> float:
        """Seconds that loading the function's file may take, or looking at the function."""
        if self._is_whole:
            return self._patience.limit_s
        to_spare = self._left_s - self._patience.floor_s(self._function)
        return max(SHORTEST_S, min(max(self._patience.most_s, LOADING_S), to_spare))

    def to_answer(self) -> float:
        """Seconds that all calls of the function may take."""
        if self._is_whole:
            return self._patience.limit_s
        kept = self._patience.share_s(self._function) if self.shares_box else 0.0
        most = min(self._patience.most_s, self._left_s - kept)
        return max(self._patience.floor_s(self._function), most)

    @property
    def allows_sharing(self) -> bool:
        """Whether there is enough to ask it where others ran before it, and then once more in a fresh box."""
        return self._is_whole or self._left_s >= 2 * self._patience.share_s(self._function)

    @property
    def allows_another(self) -> bool:
        """Whether there is enough to ask it once more in a fresh box."""
        return self._is_whole or self._left_s >= self._patience.share_s(self._function)

    def loaded(self, took: Took, *, in_time: bool) -> None:
        """Charge what it took to load the function's file, or to look at the function."""
        self._taken_s += took.spent_s
        self._struck |= not in_time

    def answered(self, took: Took, *, right: bool) -> None:
        """Charge what it took to answer: of a right answer only the time it slept."""
        self._taken_s += took.asleep_s if right else took.spent_s
        self._struck |= not right and took.spent_s > LOADING_S and took.spent_s >= self._floor_s

    def settle(self) -> None:
        """Give back what the function did not take; it is done."""
        self._patience.settle(self._function, self._taken_s, struck=self._struck)

    @property
    def _floor_s(self) -> float:
        return self._patience.floor_s(self._function)

    @property
    def _is_whole(self) -> bool:
        return self._patience.is_whole and self._taken_s < LOADING_S and not self._struck

    @property
    def _left_s(self) -> float:
        """All that it may still take without touching the shares of others."""
        return self._patience.spare_s + self._patience.share_s(self._function) - self._taken_s
