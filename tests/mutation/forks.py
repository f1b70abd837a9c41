"""Runs of pytest in forked processes, which need not import what their parent has imported."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.mutation.copies import Copy

OPTIONS = (
    *(
        "-x",
        "-q",
        "--no-header",
        "--tb=line",
        "--assert=plain",  # rewritten, a file of tests takes longer to load than to run
        "-p",
        "no:cacheprovider",
        "-p",
        "no:backprop_grader",  # the grader's own, which would be loaded from the copy
        "-p",
        "no:xdist",
        "-p",
        "no:terminalreporter",
    ),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning", "--hypothesis-seed=0"),
)
KILLED = -1
"""The status of a run that took too long, or that a signal ended."""


@dataclass(frozen=True)
class Fork:
    """A run of pytest that goes on.

    Attributes:
        pid: of its process, which leads a group of its own.
        until: when it has taken too long, on ``time.monotonic()``'s clock.
    """

    pid: int
    until: float

    def status(self) -> int | None:
        """Pytest's exit status, or ``KILLED``; None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            if time.monotonic() < self.until:
                return None
            self._kill()
            os.waitpid(self.pid, 0)
            return KILLED
        self._kill()
        return max(os.waitstatus_to_exitcode(status), KILLED)

    def _kill(self) -> None:
        """End the run and what it left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def warm(packages: Iterable[str]) -> None:
    """Import what every run would import, from elsewhere than the project."""
    for name in packages:
        if name.startswith(("_pytest", "pytest", "_hypothesis", "xdist", "conftest")) or name in sys.modules:
            continue
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)


def start(copy: Copy, tests: Sequence[str], plugins: Sequence[object], log: Path, limit_s: float) -> Fork:
    """Run tests in a copy of the project, in a process of their own."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _run(copy, tests, plugins, log)
    return Fork(pid, time.monotonic() + limit_s)


def _run(copy: Copy, tests: Sequence[str], plugins: Sequence[object], log: Path) -> NoReturn:
    status = 3
    try:
        os.setsid()
        os.environ |= copy.enter()
        sys.dont_write_bytecode = True
        for name in [name for name in sys.modules if name.partition(".")[0] in {"grader", "tests"}]:
            del sys.modules[name]
        sys.path[:] = [
            str(copy.folder),
            *(place for place in sys.path if place not in {"", str(copy.folder)}),
        ]
        sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
        importlib.invalidate_caches()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(out, stream)
        status = int(pytest.main([*OPTIONS, *tests], plugins=list(plugins)))
    finally:
        os._exit(status)
