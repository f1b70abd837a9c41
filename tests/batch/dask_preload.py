"""Loaded into a Dask worker before it starts, to make it one that goes wrong; ``TEST_WORKER`` says how."""

from __future__ import annotations

import os
from typing import Any

from grader.batch import dask_worker, worker
from grader.errors import IsolationError

DEADLY = "zoe"
"""The submission that kills whatever worker grades it."""


def dask_setup(_: Any) -> None:
    """Make the worker what it is to be."""
    how = os.environ.get("TEST_WORKER", "")
    if "deadly" in how:
        grade = worker.WorkerEngine._graded

        def deadly(self: worker.WorkerEngine, submission: Any) -> Any:
            if submission.name == DEADLY:
                os._exit(1)
            return grade(self, submission)

        worker.WorkerEngine._graded = deadly  # type: ignore[method-assign]
    if "old" in how:
        kind = dask_worker.WorkerKind("0.0.1", "3.11.0", "2.4.0", "x86_64", "AVX2")
        dask_worker.WorkerKind.here = classmethod(lambda cls: kind)  # type: ignore[method-assign,assignment]
    if "open" in how:

        def refused(*_: Any) -> Any:
            raise IsolationError("isolation strict: nothing is graded, because answers could be read")

        dask_worker.WorkerEngine = refused  # type: ignore[misc,assignment]
