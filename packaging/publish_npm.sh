#!/usr/bin/env bash
# Publishes the packages of npm that are not there yet, in the release workflow: `publish_npm.sh FOLDER VERSION TAG`. FOLDER has
# the packages of the platforms and the launcher. TAG is `latest`, or the tag of a release of an older line.
#
# A run that failed halfway can be run again: npm takes no version twice, so what is there is left.
set -euo pipefail
folder=$1 version=$2 tag=$3
here=$(dirname "$0")

publish() { # NAME FILE-OR-FOLDER
    if [ "$(npm view "$1@$version" version 2>/dev/null)" = "$version" ]; then
        echo "$1 $version is there already"
    else
        npm publish --provenance --access public --tag "$tag" "$2"
    fi
}

# The binaries, then what needs them, then the module for browsers.
for platform in linux-x64 linux-arm64 darwin-arm64; do
    publish "@voxgate/$platform" "$folder/voxgate-$platform-$version.tgz"
done
publish voxgate "$folder/voxgate-$version.tgz"
publish @voxgate/client "$here/../client"
