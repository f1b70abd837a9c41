"""Grade a class on a SLURM cluster, from the login node: ``DASK_CONFIG=FOLDER python slurm.py CLASS --out DIR``.

FOLDER holds dask.yaml and the certificates, where all nodes can read it. dask-jobqueue is wanted beside
``backprop-grader[cluster]``, in an environment that all nodes share. Whatever else ``grade`` takes can follow.
"""

from __future__ import annotations

import subprocess
import sys

from dask_jobqueue import SLURMCluster
from distributed import Security

WORKERS = 16


def cluster() -> SLURMCluster:
    """Workers of one core each; change queue, time and memory to what your site has."""
    return SLURMCluster(
        queue="normal",
        cores=1,
        processes=1,
        memory="3GB",
        walltime="01:00:00",
        protocol="tls://",
        security=Security(),
        worker_extra_args=["--no-dashboard"],
    )


def main() -> int:
    """Start the workers, grade, and give the nodes back."""
    with cluster() as started:
        started.scale(WORKERS)
        started.wait_for_workers(1)
        return subprocess.call(["grade", *sys.argv[1:], "--cluster", started.scheduler_address])


if __name__ == "__main__":
    sys.exit(main())
