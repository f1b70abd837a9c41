"""Which tests reach which lines of a module, how long each takes, and an order in which a mutant dies soon."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest


@dataclass(frozen=True)
class Known:
    """What a run of the unchanged module told.

    Attributes:
        reached: the lines that each test reaches, fixtures that it is the first to ask for included.
        seconds: how long each test takes, and the shared fixtures that it wants.
        packages: what was imported from elsewhere than the project.
    """

    reached: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Leave it for the process that waits."""
        path.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Known:
        """What a run left."""
        return cls(**json.loads(path.read_text("utf-8")))

    def rank(self, test: str, lines: range) -> tuple[bool, float]:
        """Tests that reach the lines come first, the quickest of them in front."""
        far = not any(line in lines for line in self.reached.get(test, ()))
        return far, self.seconds.get(test, 0.0)


class Recorder:
    """A plugin of pytest that learns what :class:`Known` tells of one module."""

    def __init__(self, module: Path, told: Path) -> None:
        self._module = str(module)
        self._told = told
        self._now: set[int] = set()
        self._reached: dict[str, set[int]] = defaultdict(set)
        self._seconds: dict[str, float] = defaultdict(float)
        self._shared: dict[str, float] = {}
        self._wants: dict[str, Sequence[str]] = {}

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._line if frame.f_code.co_filename == self._module else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        self._now.add(frame.f_lineno)
        return self._line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch a test from its fixtures to its end."""
        self._now = self._reached[item.nodeid]
        self._wants[item.nodeid] = getattr(item, "fixturenames", ())
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Take the time of a fixture that several tests share."""
        start = time.perf_counter()
        result = yield
        if fixturedef.scope != "function":
            self._shared[fixturedef.argname] = time.perf_counter() - start
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the time of a test itself."""
        if report.when == "call":
            self._seconds[report.nodeid] = report.duration

    def pytest_sessionfinish(self) -> None:
        """Leave what was learnt."""
        shared = {
            test: sum(self._shared.get(name, 0.0) for name in wants) for test, wants in self._wants.items()
        }
        Known(
            {test: sorted(lines) for test, lines in self._reached.items()},
            {test: self._seconds[test] + shared[test] for test in self._wants},
            sorted(
                name for name in sys.modules if name.partition(".")[0] not in {"grader", "tests", "__main__"}
            ),
        ).write(self._told)


LATE = 99
"""The exit status of a run in which a test took far longer than it does."""


PATIENCE_S = 8
"""What a test may take on a busy machine beyond five times what it took before."""


class Order:
    """A plugin of pytest that runs those tests first that are likely to notice a change.

    A test that takes far longer than it did on the unchanged module ends the run: the change keeps it waiting.
    """

    def __init__(self, known: Known, lines: range) -> None:
        self._known = known
        self._lines = lines

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests, those of a file together, so that what they share is made once."""
        ranks = {item.nodeid: self._known.rank(item.nodeid, self._lines) for item in items}
        best: dict[tuple[bool, str], float] = {}
        for test, (far, seconds) in ranks.items():
            key = far, test.partition("::")[0]
            best[key] = min(seconds, best.get(key, seconds))

        def place(item: pytest.Item) -> tuple[bool, float, str, float]:
            far, seconds = ranks[item.nodeid]
            file = item.nodeid.partition("::")[0]
            return far, best[far, file], file, seconds

        items.sort(key=place)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """End the run where a test does not end."""
        limit = threading.Timer(PATIENCE_S + 5 * self._known.seconds.get(item.nodeid, 0.0), os._exit, (LATE,))
        limit.daemon = True
        limit.start()
        try:
            return (yield)
        finally:
            limit.cancel()
