#!/usr/bin/env bash
# Installs what the tests need beside Rust, on Debian and its like. What is there already is left as it is.
#
#   .test-tools/python   a virtual environment with OpenAI's Python SDK
#   .test-tools/contract one with Schemathesis, which reads openapi.yaml as a stranger would
#   .test-tools/node     a Node that is new enough for OpenAI's Node SDK and for TypeScript
#   .test-tools/bin      cargo-deny, and promtool if the system has none
#
# With the argument `browser`, Chromium and what drives it (tests/browser) as well; with `speech`, a recogniser and voices:
#
#   .test-tools/speech   a virtual environment with a small recogniser, which tests/speech listens with
#
#   .test-tools/compose-spec.json    the Compose specification's schema (Apache-2.0), which the package check-jsonschema has
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.test-tools
oldest_node=22.18   # runs TypeScript as it is, which the tests of deploy/nextjs need
cargo_deny=0.20.2
check_jsonschema=0.39.0
packages=()

need() { # COMMAND PACKAGE…
    command -v "$1" >/dev/null || packages+=("${@:2}")
}

need cc gcc libc6-dev
need curl curl
need redis-server redis-server
need ffmpeg ffmpeg
need systemd-analyze systemd
need groff groff-base
need npm nodejs npm
need python3 python3 python3-venv
[ "${1:-}" != browser ] || need chromium chromium
[ "${1:-}" != speech ] || need espeak-ng espeak-ng
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
    packages+=(python3-venv)
fi

if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Please install: ${packages[*]}" >&2
        exit 1
    fi
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

# Rust's own tools, which a minimal installation leaves out.
for component in rustfmt clippy; do
    if ! cargo "${component/rust/}" --version >/dev/null 2>&1; then
        rustup component add "$component"
    fi
done

mkdir -p "$tools"

# Whether $1 is what was last installed as $2.
unchanged() {
    [ -f "$tools/$2.installed" ] && cmp -s "$1" "$tools/$2.installed"
}

python_environment() { # REQUIREMENTS NAME
    if ! unchanged "$1" "$2" || [ ! -x "$tools/$2/bin/python" ]; then
        python3 -m venv --clear "$tools/$2"
        "$tools/$2/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$1"
        cp "$1" "$tools/$2.installed"
    fi
}
python_environment tests/sdk/python/requirements.txt python
python_environment tests/contract/requirements.txt contract
[ "${1:-}" != speech ] || python_environment tests/speech/requirements.txt speech

lock=tests/sdk/node/package-lock.json
if ! unchanged "$lock" node || [ ! -d tests/sdk/node/node_modules/openai ]; then
    (cd tests/sdk/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$lock" "$tools/node.installed"
fi

lock=tests/browser/package-lock.json
if [ "${1:-}" = browser ] && { ! unchanged "$lock" browser || [ ! -d tests/browser/node_modules/playwright-core ]; }; then
    (cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$lock" "$tools/browser.installed"
fi

node=$(command -v node || true)
if [ -z "$node" ] || ! "$node" -e "
    const number = (version) => version.split('.').slice(0, 2).reduce((major, minor) => major * 1000 + +minor, 0);
    process.exit(number(process.versions.node) < number('$oldest_node') ? 1 : 0)"; then
    for node in "$PWD"/tests/sdk/node/node_modules/node-linux-*/bin/node; do :; done
fi
if [ ! -x "$node" ]; then
    echo "The tests need Node $oldest_node or newer; please install it." >&2
    exit 1
fi
ln -sf "$node" "$tools/node"

schema=compose-spec.json
if [ "$(cat "$tools/$schema.installed" 2>/dev/null)" != "$check_jsonschema" ] || [ ! -f "$tools/$schema" ]; then
    package=$(mktemp -d)
    "$tools/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$package" "check-jsonschema==$check_jsonschema"
    "$tools/python/bin/python" -m zipfile -e "$package"/*.whl "$package"
    cp "$package/check_jsonschema/builtin_schemas/vendor/$schema" "$tools/$schema"
    echo "$check_jsonschema" >"$tools/$schema.installed"
    rm -r "$package"
fi

# Debian's package would start a Prometheus.
if ! command -v promtool >/dev/null && [ ! -x "$tools/bin/promtool" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Please install: promtool" >&2
        exit 1
    fi
    package=$(mktemp -d)
    (cd "$package" && apt-get download -q prometheus)
    dpkg-deb -x "$package"/prometheus_*.deb "$package"
    mkdir -p "$tools/bin"
    cp "$package/usr/bin/promtool" "$tools/bin/promtool"
    rm -r "$package"
fi

if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $cargo_deny" ]; then
    # It runs for a second, so that to optimise it would take longer than it saves.
    cargo install --quiet --locked --debug --root "$tools" --version "$cargo_deny" cargo-deny
fi
