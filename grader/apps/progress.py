"""A class's progress bar: done, failed, rate, time left."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.batch.task import TaskResult


def watched(run: Iterable[TaskResult], total: int) -> Iterator[TaskResult]:
    """Yield a class's results as they come; show a bar on standard error if that is a terminal.

    Args:
        run: the results.
        total: how many there will be.
    """
    if not sys.stderr.isatty():
        yield from run
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=total, failed=0, rate=0.0)
        failed = 0
        for done in run:
            failed += done.at_fault
            progress.update(bar, advance=1, failed=failed, rate=progress.tasks[0].speed or 0.0)
            yield done
