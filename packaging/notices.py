"""Writes the licences of all that is in the binary: `notices.py FILE`.

Most crates are given under licences that want their text to go with each copy. The texts are in the crates' own folders, where
Cargo keeps them; a text that several crates share stands once, below their names.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
RULE = "=" * 80


def main():
    (file,) = sys.argv[1:]
    crates = linked(json.loads(_cargo("metadata", "--format-version", "1", "--locked", "--filter-platform", _host())))
    texts = {}
    for crate in crates:
        name = f"{crate['name']} {crate['version']} ({crate['license'] or 'see its text'})"
        for text in _texts(crate) or ["This crate brings no text of its licence; that of the same name above or below holds.\n"]:
            texts.setdefault(text, []).append(name)
    head = f"Voxgate is under the Apache License 2.0 (LICENSE). Its binary also holds the {len(crates)} crates below.\n"
    parts = [head, *("\n".join((RULE, *names, RULE, "", text.strip(), "")) for text, names in texts.items())]
    pathlib.Path(file).write_text("\n".join(parts))


def linked(metadata):
    """Returns the packages that the gateway is linked with: what it needs but to be built or tested."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    seen, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            kinds = [kind["kind"] for kind in dependency["dep_kinds"]]
            if None in kinds and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    packages = (package for package in metadata["packages"] if package["id"] in seen)
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def _texts(crate):
    folder = pathlib.Path(crate["manifest_path"]).parent
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and TEXT.search(path.name)]
    return [path.read_text(errors="replace") for path in files if path.suffix not in (".rs", ".toml", ".sh", ".py")]


def _host():
    return re.search(r"^host: (.*)$", _run("rustc", "-vV"), re.MULTILINE)[1]


def _cargo(*arguments):
    return _run("cargo", *arguments)


def _run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
