"""A gateway before the provider that hears: started on free ports, with a token, and asked as OpenAI's SDK asks."""

import dataclasses
import http.client
import json
import os
import pathlib
import secrets
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
import uuid

import recordings
import score

BUILT = recordings.TARGET / "debug" / "voxgate"
PROVIDER_KEY = "sk-" + secrets.token_hex(16)
ANSWER_TIMEOUT = 3600  # seconds
START_TIMEOUT = 60
TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".webm": "audio/webm"}


class Failure(Exception):
    """The gateway did not start, or gave no transcript."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A transcript. A stream has one cue, without times."""

    text: str
    cues: list


class Gateway:
    """A process that runs until it is stopped."""

    def __init__(self, binary, provider_address, settings):
        self._folder = tempfile.TemporaryDirectory(prefix="voxgate-speech-")
        folder = pathlib.Path(self._folder.name)
        (folder / "voxgate.toml").write_text(settings)
        # Nothing of the machine's own settings may reach the gateway.
        variables = {
            "PATH": os.environ.get("PATH", ""),
            "RUST_LOG": "info",
            "OPENAI_API_KEY": PROVIDER_KEY,
            "OPENAI_BASE_URL": provider_address,
            "VOXGATE_BIND": "127.0.0.1:0",
            "VOXGATE_OPS_BIND": "127.0.0.1:0",
            "VOXGATE_CONFIG": str(folder / "voxgate.toml"),
            "VOXGATE_DATA_DIR": str(folder / "data"),
            "VOXGATE_INTAKE__SPOOL_DIR": str(folder),
            "VOXGATE_JWT_SECRET": secrets.token_hex(32),
            "VOXGATE_LOG__FORMAT": "json",
        }
        binary = str(pathlib.Path(binary).resolve())
        command = (binary, "token", "--sub", "speech", "--ttl", "12h")
        self.token = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()
        outputs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen((binary, "serve"), env=variables, **outputs)
        self._log, self.address, self._listens = [], None, threading.Event()
        threading.Thread(target=self._read_log, daemon=True).start()
        self._listens.wait(START_TIMEOUT)
        if not self.address:
            self.stop()
            raise Failure("the gateway did not start:\n" + "".join(self._log))

    def _read_log(self):
        for line in self._process.stderr:
            self._log.append(line)
            if not self.address and '"listening"' in line:
                self.address = json.loads(line)["address"]
                self._listens.set()
        self._listens.set()

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def transcribe(self, path, case):
        """Sends a recording and reads the whole answer."""
        fields = {"model": case.model, "response_format": case.format}
        if case.format == "stream":
            fields |= {"response_format": "json", "stream": "true"}
        boundary = uuid.uuid4().hex
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'.encode()
        body += f"Content-Type: {TYPES[path.suffix]}\r\n\r\n".encode() + path.read_bytes()
        body += f"\r\n--{boundary}--\r\n".encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(f"http://{self.address}/v1/audio/transcriptions", body, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_TIMEOUT) as response:
                answer = response.read().decode()
        except urllib.error.HTTPError as error:
            log = "".join(self._log[-20:])
            raise Failure(f"{path.name}: {error.code} {error.read().decode()}\n{log}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{path.name}: {error}\n{''.join(self._log[-20:])}") from error
        return _READERS[case.format](answer)


def _read_verbose(answer):
    told = json.loads(answer)
    return Answer(told["text"], [score.Cue(part["text"], part["start"], part["end"]) for part in told["segments"]])


def _read_subtitles(answer):
    cues = score.cues_of(answer)
    return Answer(" ".join(cue.text for cue in cues), cues)


def _read_stream(answer):
    events = [line.removeprefix("data: ") for line in answer.splitlines() if line.startswith("data: ")]
    if not events or events[-1] != "[DONE]":
        raise Failure("the stream has no [DONE]")
    events = [json.loads(event) for event in events[:-1]]
    deltas = "".join(event["delta"] for event in events if event.get("type") == "transcript.text.delta")
    done = events[-1]
    if done.get("type") != "transcript.text.done":
        raise Failure(f"the stream ends with {done.get('type')} {done.get('error', '')}")
    if deltas != done["text"]:
        raise Failure("the deltas of the stream are not its text")
    return Answer(done["text"], [score.Cue(done["text"], 0.0, 0.0)])


_READERS = {"verbose_json": _read_verbose, "srt": _read_subtitles, "stream": _read_stream}
