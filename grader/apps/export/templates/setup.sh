#!/usr/bin/env bash
# Run once by Gradescope, as root, when the image is built. Installs the grader into a Python of its own.
set -euo pipefail

source=${AUTOGRADER_SOURCE:-/autograder/source}
venv=${AUTOGRADER_VENV:-/autograder/venv}

# The image's own Python may be too old.
python=
for candidate in python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends software-properties-common
    add-apt-repository -y ppa:deadsnakes/ppa
    apt-get update
    apt-get install -y --no-install-recommends python3.12 python3.12-venv
    python=python3.12
fi

"$python" -m venv "$venv"
# The build of torch for the processor alone is a tenth of the other's size.
"$venv/bin/python" -m pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu 'torch>=2.4,<2.14'
"$venv/bin/python" -m pip install --no-cache-dir "$source/kit"

# Everybody may run it, nobody who is graded may read the course.
chmod -R go-rwx "$source"
