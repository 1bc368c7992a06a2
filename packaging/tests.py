"""Tests of what builds and checks the packages: `python3 packaging/tests.py`. They take a second and need only git."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import notices
import npm_platform
import release_check

READY = {
    "Cargo.toml": """[package]
name = "voxgate"
version = "1.2.3"
repository = "https://example.com/voxgate"
[package.metadata.deb]
maintainer = "Someone <someone@example.com>"
""",
    "Cargo.lock": '[[package]]\nname = "voxgate"\nversion = "1.2.3"\n',
    "packaging/wheel/pyproject.toml": '[project]\nname = "voxgate"\ndynamic = ["version"]\nurls = { Source = "https://x" }\n',
    "packaging/npm/voxgate/package.json": """{
  "version": "1.2.3",
  "repository": "https://example.com/voxgate",
  "optionalDependencies": { "@voxgate/linux-x64": "1.2.3" }
}""",
    "client/package.json": '{ "version": "1.2.3", "repository": "https://example.com/voxgate" }',
    "openapi.yaml": "openapi: 3.1.0\ninfo:\n  version: 1.2.3\n",
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-12-01\n\n- A change.\n\n## 1.2.2 - 2026-11-01\n\n- An older one.\n",
}


class ReleaseCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in READY.items():
            self.write(name, text)
        self.git("init", "--quiet")
        self.commit()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments):
        who = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
        subprocess.run(("git", *who, *arguments), cwd=self.root, check=True)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All")

    def missing(self, name, old, new):
        """Returns what is missing after a change of a file."""
        self.assertIn(old, READY[name])
        self.write(name, READY[name].replace(old, new))
        self.commit()
        found = list(release_check.check(self.root))
        self.write(name, READY[name])
        self.commit()
        return found

    def test_nothing_is_missing_where_all_is_there(self):
        self.assertEqual(list(release_check.check(self.root)), [])
        self.assertEqual(list(release_check.check(self.root, "v1.2.3")), [])

    def test_each_gap_is_told_alone(self):
        npm = "packaging/npm/voxgate/package.json"
        for name, old, new, told in (
            ("Cargo.lock", "1.2.3", "1.2.2", "Cargo.lock: voxgate is 1.2.2, not 1.2.3"),
            ("packaging/wheel/pyproject.toml", 'dynamic = ["version"]', 'version = "1.2.2"', "the version is 1.2.2"),
            ("packaging/wheel/pyproject.toml", 'urls = { Source = "https://x" }', "", "project.urls"),
            (npm, '"version": "1.2.3"', '"version": "1.2.2"', "the version is 1.2.2"),
            (npm, 'x64": "1.2.3"', 'x64": "1.2.2"', "@voxgate/linux-x64 is 1.2.2"),
            (npm, "repository", "homepage", "without which npm takes no provenance"),
            ("client/package.json", "1.2.3", "1.2.2", "client/package.json: the version is 1.2.2"),
            ("openapi.yaml", "1.2.3", "1.2.2", "openapi.yaml"),
            ("Cargo.toml", "repository", "homepage", "the address of the sources"),
            ("Cargo.toml", "someone@example.com", "someone@voxgate.invalid", "someone answers"),
            ("CHANGELOG.md", "## 1.2.3 - 2026-12-01", "## 1.2.3", "no section"),
            ("CHANGELOG.md", "- A change.", "", "no section"),
        ):
            with self.subTest(told):
                (line,) = self.missing(name, old, new)
                self.assertIn(told, line)

    def test_the_tree_is_clean_and_the_tag_is_new(self):
        self.write("left", "over")
        (line,) = release_check.check(self.root)
        self.assertIn("not committed", line)
        self.commit()
        self.git("tag", "v1.2.3")
        (line,) = release_check.check(self.root)
        self.assertIn("the tag v1.2.3 is there already", line)
        self.assertEqual(list(release_check.check(self.root, "v1.2.3")), [])
        (line,) = release_check.check(self.root, "v1.2.4")
        self.assertIn("the tag is v1.2.4", line)

    def test_the_notes_are_the_versions_section(self):
        self.assertEqual(release_check.changes(self.root, "1.2.3").strip(), "- A change.")
        self.assertEqual(release_check.changes(self.root, "1.2.2").strip(), "- An older one.")
        self.assertEqual(release_check.changes(self.root, "1.2"), "")


class Packages(unittest.TestCase):
    def test_the_platforms_of_npm_are_those_that_are_released(self):
        package = json.loads((release_check.ROOT / release_check.NPM[0]).read_text())
        workflow = (release_check.ROOT / ".github/workflows/release.yml").read_text()
        for name in package["optionalDependencies"]:
            platform = name.removeprefix("@voxgate/")
            self.assertIn(f"platform: {platform},", workflow)
            described = npm_platform.describe(platform, "1.2.3")
            self.assertEqual((described["name"], f"{described['os'][0]}-{described['cpu'][0]}"), (name, platform))
        self.assertEqual(workflow.count("{ platform: "), len(package["optionalDependencies"]))

    def test_no_two_packages_of_npm_have_one_name(self):
        names = [json.loads((release_check.ROOT / file).read_text())["name"] for file in release_check.NPM]
        self.assertEqual(names, ["voxgate", "@voxgate/client"])

    def test_what_only_builds_or_tests_the_gateway_is_not_in_it(self):
        def needs(name, *kinds):
            return {"pkg": name, "dep_kinds": [{"kind": kind} for kind in kinds]}

        nodes = {"voxgate": [needs("a", None), needs("test", "dev")], "a": [needs("b", "build", None), needs("c", "build")]}
        resolve = {"root": "voxgate", "nodes": [{"id": name, "deps": nodes.get(name, [])} for name in ("voxgate", *"abc", "test")]}
        packages = [{"id": name, "name": name, "version": "1"} for name in ("voxgate", "test", "c", "b", "a")]
        found = notices.linked({"resolve": resolve, "packages": packages})
        self.assertEqual([package["name"] for package in found], ["a", "b"])


if __name__ == "__main__":
    unittest.main()
