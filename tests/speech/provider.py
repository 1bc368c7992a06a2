"""A transcription provider that hears: a small English recogniser behind OpenAI's protocol, with OpenAI's limits.

    provider.py --key KEY [--port 0] [--max-bytes 26214400] [--max-seconds 1400] [--no-times]

prints its address, `http://127.0.0.1:PORT/v1`, and serves until it is ended. The same sound gives the same transcript.
The model `gpt-transcribe` gives no times: only `json` and `text`. With `--no-times` no model does.
"""

import argparse
import hmac
import http.server
import json
import math
import socket
import threading

import recogniser

MAX_BYTES = 26_214_400
MAX_SECONDS = 1400
MIN_SECONDS = 0.1
AT_ONCE = 2  # recordings that are heard at the same time; others wait
MOST_ALLOWED = 1 << 30  # bytes of a body, whatever --max-bytes says
LINGER = 5.0  # seconds to wait for the rest of a body that is refused

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
WITHOUT_TIMES = ("json", "text")
MODELS_WITHOUT_TIMES = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
# As OpenAI has it: this one ignores `stream`.
NEVER_STREAMS = ("whisper-1",)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--max-bytes", type=int, default=MAX_BYTES)
    arguments.add_argument("--max-seconds", type=float, default=MAX_SECONDS)
    arguments.add_argument("--no-times", action="store_true")
    provider = Provider(recogniser.Recogniser(), **vars(arguments.parse_args()))
    print(provider.address, flush=True)
    try:
        provider.serve_forever()
    except KeyboardInterrupt:
        pass


class Provider(http.server.ThreadingHTTPServer):
    """The server, and what it was sent."""

    daemon_threads = True

    def __init__(self, hears, key, port=0, max_bytes=MAX_BYTES, max_seconds=MAX_SECONDS, no_times=False):
        super().__init__(("127.0.0.1", port), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/v1"
        self.hears, self.key = hears, key
        self.max_bytes, self.max_seconds, self.no_times = max_bytes, max_seconds, no_times
        self.turn = threading.BoundedSemaphore(AT_ONCE)
        # The samples of each recording that was taken, in the order of their arrival.
        self.received = []

    def start(self):
        """Serves in a thread of its own, for as long as this process runs."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self


class Refusal(Exception):
    """An answer in OpenAI's shape of errors."""

    def __init__(self, status, message, kind="invalid_request_error", param=None, code=None):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120

    def log_message(self, *_):
        """Says nothing: what is wrong is in the answers."""

    def do_GET(self):
        self._answer_json(404, Refusal(404, f"Unknown request URL: GET {self.path}").body)

    def do_POST(self):
        try:
            self._transcribe()
        except Refusal as refusal:
            self._refuse(refusal)
        except ConnectionError:
            self.close_connection = True  # the client has given its request up

    def _refuse(self, refusal):
        self.close_connection = True
        try:
            self._answer_json(refusal.status, refusal.body)
            self._discard()
        except OSError:
            pass  # the client is gone

    def _discard(self):
        """Reads on for as long as the client sends: if the connection closed now, the client might not see the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER)
        left = MOST_ALLOWED
        try:
            while left > 0 and (part := self.rfile.read1(1 << 16)):
                left -= len(part)
        except OSError:
            pass  # the client is gone, or still

    def _transcribe(self):
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.key}".encode()):
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
        if self.path not in ("/v1/audio/transcriptions", "/v1/audio/translations"):
            raise Refusal(404, f"Unknown request URL: POST {self.path}")
        fields, file = _parse_form(self.headers.get("Content-Type", ""), self._read_body())
        options = _Options(fields, self.server.no_times)
        if file is None:
            raise Refusal(400, "you must provide a file", param="file")
        samples = recogniser.decode(file)
        if samples is None:
            raise Refusal(400, "Audio file might be corrupted or unsupported", param="file", code="invalid_value")
        seconds = len(samples) / recogniser.RATE
        if seconds > self.server.max_seconds:
            message = f"audio duration {seconds} seconds is longer than {self.server.max_seconds:g} seconds"
            raise Refusal(400, f"{message} which is the maximum for this model", code="invalid_value")
        if seconds < MIN_SECONDS:
            message = f"Audio file is too short. Minimum audio length is {MIN_SECONDS} seconds."
            raise Refusal(400, message, code="audio_too_short")
        self.server.received.append(samples)
        with self.server.turn:
            heard = self.server.hears.hear(samples, options.prompt, options.words)
            if options.stream:
                self._stream(heard, seconds)
            else:
                self._answer(*_whole(list(heard), seconds, options))

    def _read_body(self):
        limit = min(self.server.max_bytes, MOST_ALLOWED)
        parts, size = [], 0
        for part in self._body_parts():
            size += len(part)
            if size > limit:
                message = f"Maximum content size limit ({limit}) exceeded ({size} bytes read)"
                raise Refusal(413, message, kind="server_error")
            parts.append(part)
        return b"".join(parts)

    def _body_parts(self):
        block = 1 << 16
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            left = int(self.headers.get("Content-Length", 0))
            while left and (part := self.rfile.read(min(left, block))):
                left -= len(part)
                yield part
            if left:
                raise ConnectionError("the body ended early")
            return
        while size := self._chunk_size():
            while size:
                part = self.rfile.read(min(size, block))
                if not part:
                    raise ConnectionError("the body ended early")
                size -= len(part)
                yield part
            self.rfile.readline(4)
        while self.rfile.readline(1024).strip():
            pass

    def _chunk_size(self):
        line = self.rfile.readline(64)
        if not line:
            raise ConnectionError("the body ended early")
        return int(line.split(b";")[0], 16)

    def _stream(self, heard, seconds):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        said = ""
        for segment in heard:
            for delta in _deltas(segment.text if said else segment.text.lstrip()):
                said += delta
                self._send_event({"type": "transcript.text.delta", "delta": delta})
        self._send_event({"type": "transcript.text.done", "text": said, "usage": _usage(seconds)})
        self.wfile.write(b"0\r\n\r\n")

    def _send_event(self, event):
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer_json(self, status, body):
        self._answer("application/json", json.dumps(body), status)

    def _answer(self, content_type, text, status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class _Options:
    """What a form asks for."""

    def __init__(self, fields, no_times):
        value = {name: values[-1] for name, values in fields.items()}
        self.model = value.get("model")
        if not self.model:
            raise Refusal(400, "you must provide a model parameter", param="model")
        self.format = value.get("response_format", "json")
        formats = WITHOUT_TIMES if no_times or self.model in MODELS_WITHOUT_TIMES else FORMATS
        if self.format not in formats:
            allowed = " or ".join(f"'{name}'" for name in formats)
            message = f"response_format '{self.format}' is not compatible with model '{self.model}'. Use {allowed} instead."
            raise Refusal(400, message, param="response_format", code="unsupported_value")
        granularities = fields.get("timestamp_granularities[]", ["segment"])
        self.words = self.format == "verbose_json" and "word" in granularities
        self.segments = "segment" in granularities
        self.stream = value.get("stream") == "true" and self.model not in NEVER_STREAMS
        self.prompt = value.get("prompt") or None


def _whole(segments, seconds, options):
    """The content type and the text of a whole answer."""
    text = "".join(segment.text for segment in segments).strip()
    if options.format == "json":
        return "application/json", json.dumps({"text": text, "usage": _usage(seconds)})
    if options.format == "text":
        return "text/plain; charset=utf-8", text + "\n"
    if options.format == "srt":
        numbered = enumerate(segments, 1)
        cues = (f"{number}\n{_range(segment, ',')}\n{segment.text.strip()}\n\n" for number, segment in numbered)
        return "text/plain; charset=utf-8", "".join(cues)
    if options.format == "vtt":
        cues = (f"{_range(segment, '.')}\n{segment.text.strip()}\n\n" for segment in segments)
        return "text/plain; charset=utf-8", "WEBVTT\n\n" + "".join(cues)
    answer = {"task": "transcribe", "language": "english", "duration": seconds, "text": text}
    if options.segments:
        answer["segments"] = [segment.told(number) for number, segment in enumerate(segments)]
    if options.words:
        answer["words"] = [word for segment in segments for word in segment.words]
    return "application/json", json.dumps(answer | {"usage": _usage(seconds)})


def _usage(seconds):
    return {"type": "duration", "seconds": math.ceil(seconds)}


def _range(segment, point):
    return f"{_clock(segment.start, point)} --> {_clock(segment.end, point)}"


def _clock(seconds, point):
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _deltas(text):
    """A text in pieces that begin where a word does, each with the space before it."""
    words = text.split(" ")
    return [delta for delta in (words[0], *(f" {word}" for word in words[1:])) if delta]


def _parse_form(content_type, body):
    """The text fields of a multipart form, each with all its values, and the bytes of its file."""
    kind, _, boundary = content_type.partition("boundary=")
    if not kind.lower().startswith("multipart/form-data") or not boundary:
        raise Refusal(400, "the body must be multipart/form-data")
    mark = b"--" + boundary.split(";")[0].strip().strip('"').encode()
    fields, file = {}, None
    for part in (b"\r\n" + body).split(b"\r\n" + mark)[1:]:
        if part.startswith(b"--"):
            return fields, file
        head, _, content = part.partition(b"\r\n\r\n")
        name = _parameter(head.decode(errors="replace"), "name")
        if name == "file":
            file = content
        elif name:
            fields.setdefault(name, []).append(content.decode(errors="replace"))
    raise Refusal(400, "the form has no end")


def _parameter(head, name):
    for line in head.split("\r\n"):
        if line.lower().startswith("content-disposition:"):
            for item in line.split(";")[1:]:
                key, _, value = item.strip().partition("=")
                if key.lower() == name:
                    return value.strip('"')
    return None


if __name__ == "__main__":
    main()
