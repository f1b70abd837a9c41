"""What a suite has worked out and will be asked again: bounded, and as old as the suite it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from grader.bounded import BoundedDict
from grader.checks.check import Check
from grader.checks.compare import Verdict
from grader.sandbox.replies import Content, weight
from grader.sandbox.requests import Calls, Replies, no_replies
from grader.scorecard.model import Gradient

T = TypeVar("T")

Checked = Mapping[str, tuple[tuple[Check, Verdict], ...]]
"""The checks of each ask of a function, with their verdicts."""

FunctionReply = tuple[str, frozenset[str], Content]
"""A function's name, the parameters it was called with, and what came back from it."""

ReportKey = tuple[str, str, int | None, FunctionReply]
"""What the report on an ask follows from: the ask, the level of hints, the function's line and its reply."""

VERDICTS_BYTES = 32 << 20
REPORTS_BYTES = 32 << 20
"""How much is kept of what follows from replies: some dozens of them for each function of a course."""

REPORT_BYTES = 16 << 10
"""What one report takes, written out; the reply's own words come on top."""

Asked = tuple[str, frozenset[str]]
"""An ask or a function, and the parameters that the function has."""


def _verdicts() -> BoundedDict[FunctionReply, Checked]:
    return BoundedDict(VERDICTS_BYTES, lambda reply, checked: weight(reply[-1]))


def _reports() -> BoundedDict[ReportKey, Gradient]:
    return BoundedDict(REPORTS_BYTES, lambda key, report: REPORT_BYTES + weight(key[-1][-1]))


@dataclass(frozen=True)
class SuiteCache:
    """What one suite keeps.

    What follows from the exercise alone (checks, calls, and what others keep by :meth:`once`) stays. What
    follows from replies can be forgotten.

    Args:
        replies: replies as they were read.
    """

    replies: Replies = field(default_factory=no_replies)
    _verdicts: BoundedDict[FunctionReply, Checked] = field(default_factory=_verdicts)
    _reports: BoundedDict[ReportKey, Gradient] = field(default_factory=_reports)
    _checks: BoundedDict[Asked, tuple[Check, ...]] = field(default_factory=BoundedDict)
    _calls: BoundedDict[Asked, Calls] = field(default_factory=BoundedDict)
    _others: BoundedDict[Hashable, object] = field(default_factory=BoundedDict)

    def checks(self, asked: Asked, make: Callable[[], tuple[Check, ...]]) -> tuple[Check, ...]:
        """The checks of an ask."""
        return self._checks.once(asked, make)

    def calls(self, asked: Asked, make: Callable[[], Calls]) -> Calls:
        """The calls of a function."""
        return self._calls.once(asked, make)

    def verdicts(self, reply: FunctionReply | None, make: Callable[[], Checked]) -> Checked:
        """The verdicts on a reply; one that is None is too long to be kept."""
        return make() if reply is None else self._verdicts.once(reply, make)

    def report(self, key: ReportKey, make: Callable[[], Gradient]) -> Gradient:
        """The report on an ask, without the time it took."""
        return self._reports.once(key, make)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What another room works out about the exercise once, under a key of its own."""
        return cast(T, self._others.once(key, make))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept that follows from a reply."""
        return not (self.replies or self._verdicts or self._reports)

    def forget(self) -> None:
        """Forget all replies, so that the same is checked and explained as if for the first time."""
        for kept in (self.replies, self._verdicts, self._reports):
            kept.clear()
