#!/usr/bin/env bash
# `make local`: a speech server on this machine and the gateway in front of it. docs/local.md explains it.
#
#   VOXGATE_LOCAL_MODEL         a folder with a model, or its name at the hub [base]
#   VOXGATE_LOCAL_ENVIRONMENT   where the Python environment is, or is to be made [.local/python]
#   VOXGATE_LOCAL_PYTHON        a Python that has everything already
#   VOXGATE_BIN                 an installed gateway, instead of `cargo run --release`
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${VOXGATE_LOCAL_PYTHON:-}
if [ -z "$python" ]; then
    environment=${VOXGATE_LOCAL_ENVIRONMENT:-.local/python}
    python=$environment/bin/python
    requirements=deploy/local/requirements.txt
    if ! cmp -s "$requirements" "$environment/installed.txt" || ! [ -x "$python" ]; then
        if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo 'voxgate: this needs Python 3.11 or newer with venv (Debian: python3 python3-venv).' >&2
            exit 1
        fi
        echo "Installing the speech recogniser into $environment …" >&2
        python3 -m venv --clear "$environment"
        "$python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --requirement "$requirements"
        cp "$requirements" "$environment/installed.txt"
    fi
fi
exec "$python" deploy/local/run.py
