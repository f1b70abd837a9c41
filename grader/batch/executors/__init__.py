"""Where submissions of a class are graded: one file for each kind of executor.

A file declares ``KIND``, its name, and ``open_executor(jobs, argument)``, a context manager that gives an
:class:`~grader.batch.task.Executor`; the first line of its docstring says what it is. Another package adds one
through the entry-point group ``backprop_grader.executors``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from grader.batch.task import Executor
from grader.errors import UsageError
from grader.plugins import added

DEFAULT = "local"


class ExecutorModule(Protocol):
    """What a file in this folder offers."""

    KIND: str

    def open_executor(self, jobs: int | None, argument: str | None) -> AbstractContextManager[Executor]:
        """An executor.

        Args:
            jobs: how many submissions are graded at a time, None for what suits the executor.
            argument: what was said after the kind's name: an address, say; None for nothing.
        """
        ...


def executors() -> Mapping[str, ExecutorModule]:
    """Every kind of executor, this package's and those that other packages add, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    own: list[Any] = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = {module.KIND: module for module in (*own, *added("executors").values())}
    return cast(Mapping[str, ExecutorModule], dict(sorted(found.items())))


def open_executor(kind: str, jobs: int | None = None) -> AbstractContextManager[Executor]:
    """The executor of some kind.

    Args:
        kind: its name, with ``=`` and an argument where it takes one.
        jobs: how many submissions are graded at a time.

    Raises:
        UsageError: there is none of that name.
    """
    name, _, argument = kind.partition("=")
    known = executors()
    if name not in known:
        raise UsageError(f"{kind}: expected one of the executors {', '.join(known)}, found {name!r}")
    return known[name].open_executor(jobs, argument or None)
