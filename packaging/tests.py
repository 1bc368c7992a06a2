"""Tests of what builds and checks the packages: `python3 packaging/tests.py`. They take some seconds and need git and node."""

import json
import os
import pathlib
import pty
import re
import signal
import stat
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

    def test_an_older_line_is_not_the_latest(self):
        for tag, is_latest in (("v1.2.3", True), ("v1.2.2", True), ("v1.10.0-rc", True), ("v1.2.10", False)):
            self.git("tag", tag)
            self.assertEqual(release_check.is_latest(self.root), is_latest, tag)

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


class Folder(unittest.TestCase):
    """A test with a folder, whose `bin` comes first among the commands."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.variables = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    def command(self, path, script):
        """Writes a command."""
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


class Launcher(Folder):
    """The script of the npm package before a binary that says which signals it gets."""

    def setUp(self):
        super().setUp()
        find = "process.stdout.write(`${process.platform}-${process.arch}`)"
        platform = subprocess.run(("node", "-e", find), check=True, capture_output=True, text=True).stdout
        script = (release_check.ROOT / "packaging/npm/voxgate/bin/voxgate.js").read_text()
        self.script = self.folder / "node_modules/voxgate/bin/voxgate.js"
        self.script.parent.mkdir(parents=True)
        self.script.write_text(script)
        binary = "trap 'echo INT >&3; exit 7' INT\ntrap 'echo TERM >&3; exit 8' TERM\necho ready >&3\nwhile kill -0 $PPID; do sleep 0.1; done"
        self.command(f"node_modules/@voxgate/{platform}/bin/voxgate", f"exec 3>{self.folder}/said\n{binary}")
        os.mkfifo(self.folder / "said")

    def test_each_signal_reaches_the_binary_on_a_terminal_and_without(self):
        terminal, inside = pty.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, inside)
        for stdin in (subprocess.DEVNULL, inside):
            for number, name, status in ((signal.SIGINT, "INT", 7), (signal.SIGTERM, "TERM", 8)):
                with self.subTest(name, on_a_terminal=stdin == inside):
                    process = subprocess.Popen(("node", self.script), stdin=stdin)
                    self.addCleanup(process.wait)
                    self.addCleanup(process.kill)
                    with (self.folder / "said").open() as said:
                        self.assertEqual(said.readline(), "ready\n")
                        process.send_signal(number)
                        self.assertEqual(process.wait(30), status)
                        self.assertEqual(said.readline(), f"{name}\n")


class PublishNpm(Folder):
    def test_what_is_there_is_not_published_again(self):
        log = self.folder / "log"
        # It knows one package of this version and one of an older.
        view = 'case "$2" in @voxgate/linux-x64@1.2.3) echo 1.2.3;; @voxgate/client@*) ;; *) exit 1;; esac'
        self.command("bin/npm", f'if [ "$1" = view ]; then {view}; else echo "$*" >>{log}; fi')
        script = release_check.ROOT / "packaging/publish_npm.sh"
        subprocess.run((script, "npm", "1.2.3", "latest"), env=self.variables, check=True, capture_output=True)
        published = [line.split("/", 1)[1] for line in log.read_text().replace("..", "").splitlines()]
        names = [f"voxgate-{name}1.2.3.tgz" for name in ("linux-arm64-", "darwin-arm64-", "")]
        self.assertEqual(published[:3], names)
        self.assertEqual([line.rsplit("/", 1)[1] for line in log.read_text().splitlines()][3:], ["client"])
        self.assertTrue(all("--tag latest" in line for line in log.read_text().splitlines()))


class Workflow(unittest.TestCase):
    """Rules of the release workflow that actionlint does not know."""

    jobs = (release_check.ROOT / ".github/workflows/release.yml").read_text().split("\njobs:\n")[1]
    jobs = {job.split(":", 1)[0]: job for job in re.split(r"\n  (?=[a-z-]+:\n)", jobs.removeprefix("  "))}

    def needs(self, name):
        """Returns all jobs that are done before a job begins."""
        found = re.search(r"^    needs: \[?([a-z, -]+)\]?$", self.jobs[name], re.MULTILINE)
        direct = found[1].split(", ") if found else []
        return {*direct, *(other for job in direct for other in self.needs(job))}

    def test_nothing_is_published_before_the_tests(self):
        for name, job in self.jobs.items():
            if re.search(r": write\b", job):
                self.assertGreaterEqual(self.needs(name), {"check", "test", "packages"}, name)

    def test_what_builds_may_sign_nothing(self):
        for name, job in self.jobs.items():
            if "packaging/build.sh" in job or "make " in job or "build-push-action" in job:
                self.assertNotIn("id-token", job, name)
                self.assertNotIn("attestations", job, name)

    def test_a_release_that_failed_halfway_can_be_finished(self):
        self.assertIn("skip-existing: true", self.jobs["pypi"])
        self.assertIn("packaging/publish_npm.sh", self.jobs["npm"])
        self.assertIn("gh release view", self.jobs["release"])


class Postinst(Folder):
    """The script that the Debian package runs after it is unpacked, with a folder of its own."""

    def setUp(self):
        super().setUp()
        script = (release_check.ROOT / "packaging/debian/postinst").read_text()
        self.secrets = self.folder / "secrets"
        self.secret = self.secrets / "jwt_secret"
        self.command("postinst", script.replace("/etc/voxgate/secrets", str(self.secrets)))

    def configure(self):
        """Runs it, and returns its status and what is in the folder."""
        ran = subprocess.run((self.folder / "postinst", "configure"), env=self.variables, capture_output=True)
        return ran.returncode, sorted(path.name for path in self.secrets.iterdir())

    def test_a_secret_is_made_once(self):
        self.secrets.mkdir(mode=0o700)
        self.secret.touch()  # by an installation that was stopped
        self.assertEqual(self.configure(), (0, ["jwt_secret"]))
        made = self.secret.read_text()
        self.assertRegex(made, "^[0-9a-f]{64}$")
        self.assertEqual(stat.S_IMODE(self.secret.stat().st_mode), 0o600)
        self.assertEqual(self.configure()[0], 0)
        self.assertEqual(self.secret.read_text(), made)

    def test_a_link_of_the_operator_is_kept(self):
        self.secrets.mkdir(mode=0o700)
        self.secret.symlink_to(self.folder / "not-mounted-yet")
        self.assertEqual(self.configure(), (0, ["jwt_secret"]))
        self.assertTrue(self.secret.is_symlink())

    def test_a_secret_that_is_not_whole_is_none(self):
        self.command("bin/od", "echo ' 00 11'; exit 1")
        self.assertEqual(self.configure(), (1, []))


if __name__ == "__main__":
    unittest.main()
