"""Says what is missing for a release, and exits with 1 while something is: `make release-check`.

    release_check.py              everything that can be known on this machine
    release_check.py --tag v0.1.0 in the release workflow: the tag is there, and has to be that of the version
    release_check.py --notes      print the changes of the version, for the page of the release
    release_check.py --latest     print `true` if no tag is of a newer version, else `false`
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
NPM = ("packaging/npm/voxgate/package.json", "client/package.json")
NO_ADDRESS = ".invalid"

# What no file of the repository shows.
BY_HAND = """\
By hand, once, before the first release:
  - PyPI: a pending trusted publisher for the project voxgate: this repository, release.yml, environment pypi
  - npm: the scope @voxgate; a trusted publisher (this repository, release.yml, environment npm) for voxgate,
    @voxgate/client, @voxgate/linux-x64, @voxgate/linux-arm64 and @voxgate/darwin-arm64. npm wants each package to be there
    before it takes a trusted publisher: publish the first version of each with a token of your own
  - GitHub: environments pypi and npm that ask for a review; packages that may be written by workflows; tags v* protected
  - crates.io gets nothing: Cargo.toml has publish = false, and `cargo install --path .` is the way there
By hand, for each release: `make test-all` on a machine with a container engine; then push the tag."""


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tag")
    arguments.add_argument("--notes", action="store_true")
    arguments.add_argument("--latest", action="store_true")
    given = arguments.parse_args()
    if given.notes:
        print(changes(ROOT, version(ROOT)).strip())
        return
    if given.latest:
        print("true" if is_latest(ROOT) else "false")
        return
    missing = [*check(ROOT, given.tag), *([] if given.tag else _licences(ROOT))]
    for line in missing:
        print(f"missing: {line}")
    print(f"{len(missing)} missing for version {version(ROOT)}" if missing else f"version {version(ROOT)} can be released")
    if not given.tag:
        print(BY_HAND)
    sys.exit(bool(missing))


def version(root):
    """Returns the version that Cargo.toml has, which is the one that counts."""
    return _cargo(root)["version"]


def check(root, tag=None):
    """Yields what is missing, a line each."""
    yield from _versions(root)
    yield from _changelog(root)
    yield from _addresses(root)
    if tag is None:
        yield from _repository(root)
    elif tag != f"v{version(root)}":
        yield f"the tag is {tag}, and the version {version(root)}"


def is_latest(root):
    """Returns whether the version is the newest of all that have a tag."""
    tags = re.findall(r"^v(\d+)\.(\d+)\.(\d+)$", _git(root, "tag", "--list", "v*"), re.MULTILINE)
    own = tuple(map(int, version(root).split(".")))
    return all(tuple(map(int, tag)) <= own for tag in tags)


def changes(root, number):
    """Returns the section of a version in CHANGELOG.md, without its heading; nothing if there is none with a date."""
    heading = rf"^## \[?{re.escape(number)}\]? - \d{{4}}-\d{{2}}-\d{{2}}$"
    found = re.search(heading + r"\n(.*?)(?=^## |\Z)", (root / "CHANGELOG.md").read_text(), re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _versions(root):
    number = version(root)
    for package in tomllib.loads((root / "Cargo.lock").read_text())["package"]:
        if package["name"] == "voxgate" and package["version"] != number:
            yield f"Cargo.lock: voxgate is {package['version']}, not {number} (cargo build)"
    project = tomllib.loads((root / "packaging/wheel/pyproject.toml").read_text())["project"]
    if "version" not in project.get("dynamic", []) and project.get("version") != number:
        yield f"packaging/wheel/pyproject.toml: the version is {project.get('version')}, not {number}"
    for file in NPM:
        package = json.loads((root / file).read_text())
        numbers = {"the version": package["version"], **package.get("optionalDependencies", {})}
        yield from (f"{file}: {name} is {other}, not {number}" for name, other in numbers.items() if other != number)
    contract = re.search(r"^  version: (\S+)$", (root / "openapi.yaml").read_text(), re.MULTILINE)
    if not contract or contract[1].strip("\"'") != number:
        yield f"openapi.yaml: info.version is not {number}"


def _changelog(root):
    if not changes(root, version(root)).strip():
        yield f"CHANGELOG.md: no section `## {version(root)} - YYYY-MM-DD` with changes"


def _addresses(root):
    cargo = _cargo(root)
    if not cargo.get("repository"):
        yield "Cargo.toml: repository, the address of the sources"
    if NO_ADDRESS in cargo["metadata"]["deb"]["maintainer"]:
        yield "Cargo.toml: package.metadata.deb.maintainer, an address at which someone answers"
    project = tomllib.loads((root / "packaging/wheel/pyproject.toml").read_text())["project"]
    if not project.get("urls"):
        yield "packaging/wheel/pyproject.toml: project.urls, the address of the sources"
    for file in NPM:
        if not json.loads((root / file).read_text()).get("repository"):
            yield f"{file}: repository, without which npm takes no provenance"


def _repository(root):
    if _git(root, "status", "--porcelain"):
        yield "git: changes that are not committed"
    tag = f"v{version(root)}"
    if _git(root, "tag", "--list", tag):
        yield f"git: another version, since the tag {tag} is there already"


def _licences(root):
    if not (root / ".test-tools/bin/cargo-deny").exists():
        yield "licences: not checked, as cargo-deny is not installed (make test-tools)"
        return
    checked = subprocess.run(["tests/deny.sh"], cwd=root, capture_output=True, text=True)
    if checked.returncode:
        yield f"licences: {(checked.stdout + checked.stderr).strip()}"
    elif "NOT CHECKED" in checked.stderr:
        yield "licences: known faults of dependencies are not checked, as RustSec's database cannot be fetched from here"


def _cargo(root):
    return tomllib.loads((root / "Cargo.toml").read_text())["package"]


def _git(root, *arguments):
    return subprocess.run(("git", *arguments), cwd=root, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
