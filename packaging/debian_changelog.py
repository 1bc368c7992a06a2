"""Prints Debian's changelog for a version: `debian_changelog.py 0.1.0`. The package has CHANGELOG.md, too.

Its time is that of the last commit, so that the same sources make the same package.
"""

import email.utils
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    (version,) = sys.argv[1:]
    seconds = int(_run("git", "log", "-1", "--format=%ct"))
    (package,) = json.loads(_run("cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"))["packages"]
    settings = package["metadata"]["deb"]
    print(f"voxgate ({version}-{settings['revision']}) stable; urgency=medium")
    print(f"\n  * Version {version}: /usr/share/doc/voxgate/changelog.gz has its changes.\n")
    print(f" -- {settings['maintainer']}  {email.utils.formatdate(seconds)}")


def _run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
