#!/usr/bin/env bash
# Installs each package of `make package` in an empty place, runs it, and takes it away again: `make package-test`.
#
# With the names of packages (wheel, npm, deb, cargo) it tries these alone. `cargo` is `cargo install --path .`, which compiles
# the gateway anew and takes minutes; without names it is left out, unless PACKAGE_TEST_CARGO=1. The Debian package is tried in
# a container; where no engine answers that is said, and CONTAINERS_REQUIRED=1 makes it a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
out=$root/target/package
tools=$root/.package-tools
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "packages: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

# No other voxgate of this machine, and none of its settings, may take the package's place.
unset VOXGATE_CONFIG VOXGATE_BIN OPENAI_API_KEY OPENAI_API_KEY_FILE OPENAI_BASE_URL

says_version() { # COMMAND…
    local said
    said=$(cd "$work" && "$@" --version) || fail "$* --version"
    [ "$said" = "voxgate $version" ] || fail "$* --version says $said"
}

serves() { # COMMAND…
    python3 packaging/serves.py "$@" || fail "$* does not serve"
}

only() { # FILE…
    [ $# = 1 ] && [ -f "$1" ] || fail "no package, or several: $*; run make package"
    printf '%s' "$1"
}

test_wheel() {
    local wheel
    wheel=$(only "$out"/wheel/voxgate-*.whl)
    python3 -m venv "$work/wheel"
    "$work/wheel/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
    says_version "$work/wheel/bin/voxgate"
    serves "$work/wheel/bin/voxgate"
    "$work/wheel/bin/pip" uninstall --quiet --yes voxgate
    [ ! -e "$work/wheel/bin/voxgate" ] || fail "the wheel leaves its binary behind"

    # Each with folders of its own, as on a machine that never ran it.
    export UV_CACHE_DIR=$work/uv UV_OFFLINE=1 UV_PYTHON_DOWNLOADS=never
    says_version "$tools/python/bin/uvx" --from "$wheel" voxgate
    serves "$tools/python/bin/uvx" --from "$wheel" voxgate
    export PIPX_HOME=$work/pipx PIPX_DEFAULT_BACKEND=pip
    says_version "$tools/python/bin/pipx" run --spec "$wheel" voxgate
    say "wheel: $(basename "$wheel") runs in an empty environment, by uvx and by pipx"
}

test_npm() {
    local folder=$work/npm platform
    platform=$(only "$out"/npm/voxgate-*-*-"$version".tgz)
    mkdir "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    # Offline: the packages for other platforms are published, or they are not; nothing may depend on it.
    (cd "$folder" && npm install --offline --no-audit --no-fund --loglevel=error "$out/npm/voxgate-$version.tgz" "$platform")
    says_version "$folder/node_modules/.bin/voxgate"
    says_version npx --offline --prefix "$folder" voxgate
    serves "$folder/node_modules/.bin/voxgate"
    (cd "$folder" && node_modules/.bin/voxgate serve --no-such-option >/dev/null 2>&1) && fail "npm: the exit status is lost"
    rm -r "$folder"/node_modules/@voxgate
    (cd "$folder" && node_modules/.bin/voxgate --version >"$work/said" 2>&1) && fail "npm: it runs without its binary"
    grep -q 'is not installed' "$work/said" || fail "npm: $(cat "$work/said")"
    say "npm: voxgate-$version.tgz runs in an empty folder, by npx, and says when its binary is missing"
}

test_deb() {
    local deb
    deb=$(only "$out"/deb/voxgate_*.deb)
    mkdir "$work/deb"
    dpkg-deb -x "$deb" "$work/deb"
    if command -v systemd-analyze >/dev/null; then
        # The targets and the command that the unit names are the machine's.
        mkdir -p "$work/deb/bin" "$work/deb/usr/lib/systemd/system"
        cp /bin/kill "$work/deb/bin"
        cp -rn /lib/systemd/system/. "$work/deb/usr/lib/systemd/system/"
        systemd-analyze verify --man=no --root="$work/deb" voxgate.service 2>"$work/verify" || fail "the unit: $(cat "$work/verify")"
        ! grep voxgate "$work/verify" || fail "the unit: $(cat "$work/verify")"
    fi
    if command -v lintian >/dev/null; then
        lintian --allow-root --fail-on error,warning "$deb" || fail "lintian"
    else
        say "deb: lintian is not installed, so it was not asked"
    fi
    if ! docker version >/dev/null 2>&1; then
        say "deb: not installed: no container engine answers"
        [ "${CONTAINERS_REQUIRED:-0}" = 0 ] || exit 1
        return
    fi
    docker run --rm --network none -e "VERSION=$version" -v "$deb:/voxgate.deb:ro" -v "$root/packaging/debian/test.sh:/test.sh:ro" \
        debian:bookworm-slim sh /test.sh || fail "the Debian package"
    say "deb: $(basename "$deb") is installed, served from, and purged in a container"
}

test_cargo() {
    CARGO_TARGET_DIR=$root/target cargo install --quiet --locked --path . --root "$work/cargo"
    says_version "$work/cargo/bin/voxgate"
    serves "$work/cargo/bin/voxgate"
    say "cargo: cargo install --path . gives a command that runs"
}

if [ $# = 0 ]; then
    set -- wheel npm deb
    [ "${PACKAGE_TEST_CARGO:-0}" = 0 ] || set -- "$@" cargo
fi
for package in "$@"; do
    "test_$package"
done
