"""Prints the package.json of the npm package with the binary for a platform: `npm_platform.py linux-x64 0.1.0`.

npm installs such a package only where `os`, `cpu` and `libc` are those of the machine.
"""

import json
import sys


def main():
    platform, version = sys.argv[1:]
    print(json.dumps(describe(platform, version), indent=2))


def describe(platform, version):
    """Returns the members of the package.json."""
    system, processor = platform.split("-")
    package = {
        "name": f"@voxgate/{platform}",
        "version": version,
        "description": f"The binary of voxgate for {platform}",
        "license": "Apache-2.0",
        "os": [system],
        "cpu": [processor],
        "files": ["bin", "THIRD-PARTY.txt"],
    }
    return package | ({"libc": ["glibc"]} if system == "linux" else {})


if __name__ == "__main__":
    main()
