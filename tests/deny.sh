#!/usr/bin/env bash
# Checks what the gateway is made of that is not its own, by deny.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

deny=.test-tools/bin/cargo-deny
"$deny" --locked check licenses bans sources

# What is known against a version is fetched from RustSec. Where that cannot be reached, nobody knows, and it is said.
if "$deny" --locked fetch db >/dev/null 2>&1; then
    "$deny" --locked check advisories
else
    echo "advisories NOT CHECKED: RustSec's database cannot be fetched from here" >&2
fi
