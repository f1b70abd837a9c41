#!/usr/bin/env bash
# A cluster over SSH: a scheduler here, a worker for each core of other machines that have the same environment.
#   ssh.sh CONFIG HOST...          CONFIG: the folder with dask.yaml and the certificates, at the same place everywhere
# Then, in another terminal: DASK_CONFIG=CONFIG grade CLASS --cluster tls://THIS-MACHINE:8786
set -euo pipefail
config=${1:?the folder with dask.yaml}
shift
export DASK_CONFIG=$config
scheduler=tls://$(hostname -f):8786
trap 'kill 0' EXIT
dask scheduler --protocol tls --port 8786 --no-dashboard &
for host in "$@"; do
    ssh -o BatchMode=yes "$host" "DASK_CONFIG='$config' dask worker '$scheduler' --nworkers \$(nproc) --nthreads 1 --no-dashboard" &
done
wait
