"""Many machines: a Dask cluster, by its scheduler's address; without one, a cluster on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from grader.errors import UsageError

if TYPE_CHECKING:
    from grader.batch.task import Executor

KIND = "dask"


@contextmanager
def open_executor(jobs: int | None, argument: str | None) -> Iterator[Executor]:
    """Workers of a Dask cluster.

    Args:
        jobs: how many workers grade at most; None for all there are.
        argument: the scheduler's address; None starts a cluster on this machine.
    """
    try:
        from grader.batch.cluster import DaskExecutor, local_cluster
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise UsageError(
            f"a cluster needs the package {error.name}, found none: pip install 'backprop-grader[cluster]'",
            setting="executor",
        ) from error
    if argument is not None:
        with DaskExecutor(argument, jobs) as executor:
            yield executor
        return
    with local_cluster(jobs) as address, DaskExecutor(address, jobs) as executor:
        yield executor
