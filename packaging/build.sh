#!/usr/bin/env bash
# Builds the packages from one build of the gateway, for the platform of this machine: `make package`.
#
#   target/package/wheel/voxgate-*.whl      a Python wheel with the binary
#   target/package/npm/voxgate-*.tgz        the npm package, and one with the binary for the platform
#   target/package/deb/voxgate_*.deb        a Debian package
#
# With the names of packages (wheel, npm, deb) it builds these alone.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/target/package
files=$out/files            # what is made for the packages, and is in several of them
tools=$PWD/.package-tools
version=$(cargo metadata --format-version 1 --no-deps --locked |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["packages"][0]["version"])')
[ $# -gt 0 ] || set -- wheel npm deb

build_binary() {
    cargo build --profile dist --locked --bin voxgate
    binary=$PWD/target/dist/voxgate
    mkdir -p "$files"
    python3 packaging/notices.py "$files/THIRD-PARTY.txt"
}

build_wheel() {
    # maturin takes the binary that is there. The licences have to be beside its settings.
    local source=$PWD/target/wheel
    rm -rf "$source" "$out/wheel"
    mkdir -p "$source"
    cp packaging/wheel/pyproject.toml packaging/wheel/README.md LICENSE "$files/THIRD-PARTY.txt" "$source"
    (cd "$source" && "$tools/python/bin/maturin" build --quiet --profile dist --locked --out "$out/wheel")
}

platform() {
    case $(uname -sm) in
        'Linux x86_64') echo linux-x64 ;;
        'Linux aarch64') echo linux-arm64 ;;
        'Darwin arm64') echo darwin-arm64 ;;
        *) echo "There is no npm package for $(uname -sm)." >&2; return 1 ;;
    esac
}

build_npm() {
    local name source
    name=$(platform)
    source=$out/npm/$name
    rm -rf "$out/npm"
    mkdir -p "$source/bin"
    cp "$binary" "$source/bin/voxgate"
    cp LICENSE "$files/THIRD-PARTY.txt" "$source"
    python3 packaging/npm_platform.py "$name" "$version" >"$source/package.json"
    npm pack --silent --pack-destination "$out/npm" "$source" >/dev/null
    cp -r packaging/npm/voxgate "$out/npm/voxgate"
    cp LICENSE "$out/npm/voxgate"
    npm pack --silent --pack-destination "$out/npm" "$out/npm/voxgate" >/dev/null
}

build_deb() {
    rm -rf "$out/deb" "$files/man" "$files/completions"
    mkdir -p "$files/man" "$files/completions"
    "$binary" man --output "$files/man"
    for shell in bash zsh fish; do
        "$binary" completions "$shell" >"$files/completions/$shell"
    done
    # The unit of docs/deploy/systemd.md, with the binary where packages put it.
    sed -e 's|/usr/local/bin/voxgate|/usr/bin/voxgate|' -e 's|docs/deploy/systemd.md goes|/usr/share/doc/voxgate/systemd.md goes|' \
        -e '/^After=network-online.target$/r packaging/debian/no-key.conf' deploy/systemd/voxgate.service >"$files/voxgate.service"
    gzip --best --no-name --stdout "$files/THIRD-PARTY.txt" >"$files/THIRD-PARTY.txt.gz"
    gzip --best --no-name --stdout CHANGELOG.md >"$files/CHANGELOG.md.gz"
    python3 packaging/debian_changelog.py "$version" >"$files/changelog"
    "$tools/bin/cargo-deb" --quiet --no-build --no-dbgsym --compress-system --profile dist --output "$out/deb/"
}

build_binary
for package in "$@"; do
    "build_$package"
done
for file in "$out"/wheel/*.whl "$out"/npm/*.tgz "$out"/deb/*.deb; do
    [ ! -e "$file" ] || du -h "$file"
done
