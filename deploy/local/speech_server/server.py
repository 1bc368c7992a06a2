"""The HTTP server: its routes, and its limits."""

import dataclasses
import hmac
import http.server
import json
import socket
import threading

from . import answers, forms, recogniser
from .client_stream import ClientStream, HeadTooLarge, Malformed
from .refusal import Refusal

TASKS = {"/v1/audio/transcriptions": "transcribe", "/v1/audio/translations": "translate"}
MODELS = "/v1/models"
LINGER = 5.0  # seconds to wait for the rest of a body that is refused
LINGER_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much the server takes. Each has a bound, so that its memory has one."""

    max_bytes: int = 26_214_400  # of a body
    max_seconds: float = 600.0  # of a recording
    min_seconds: float = 0.1
    recordings_at_once: int = 1  # that the model hears at the same time; others wait
    max_requests: int = 4  # whose bodies are in memory, heard or waiting
    request_wait: float = 600.0  # seconds to wait to be one of these
    max_connections: int = 64  # one more ends the oldest whose client has not shown the key


class SpeechServer(http.server.ThreadingHTTPServer):
    """A server on a loopback address, for those who know its key."""

    daemon_threads = True

    def __init__(self, hears, key, model, limits=Limits(), port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/v1"
        self.hears, self.model, self.limits = hears, model, limits
        self._authorization = f"Bearer {key}".encode()
        self.turn = threading.BoundedSemaphore(limits.recordings_at_once)
        self.requests = threading.BoundedSemaphore(limits.max_requests)
        # The open connections, the oldest first, each with whether its client has shown the key.
        self._connections, self._counting = {}, threading.Lock()

    def start(self):
        """Serves in a thread of its own, for as long as this process runs."""
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def knows(self, authorization):
        """Returns whether a request has the key, in a time that does not depend on what it has."""
        return hmac.compare_digest(authorization.encode(), self._authorization)

    def abilities(self, model):
        """Returns what a model can do."""
        if model != self.model:
            raise Refusal(404, f"The model '{model}' does not exist", param="model", code="model_not_found")
        languages = tuple(self.hears.languages)
        tasks = ("transcribe",) if languages == ("en",) else ("transcribe", "translate")
        return forms.Abilities(answers.FORMATS, tasks=tasks, languages=languages)

    def took(self, samples):
        """Is called with the samples of each recording that is heard."""

    def note_known(self, connection):
        """Notes that the client of a connection has shown the key."""
        with self._counting:
            if connection in self._connections:
                self._connections[connection] = True

    def process_request(self, request, client_address):
        if self._has_place_for(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._counting:
                self._connections.pop(request, None)

    def _has_place_for(self, connection):
        """Counts a connection. Who has no key cannot keep out who has it, however many connections he holds."""
        with self._counting:
            if len(self._connections) >= self.limits.max_connections:
                oldest = next((other for other, is_known in self._connections.items() if not is_known), None)
                if oldest is None:
                    return False
                del self._connections[oldest]
                _end(oldest)
            self._connections[connection] = False
            return True


def _end(connection):
    """Ends a connection that another thread has: each of its waits is over, and it closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What an answer is written by if the head of its request was not read.
    request_version, requestline = "HTTP/1.1", ""

    def setup(self):
        self.connection = self.request
        self.rfile = self.wfile = ClientStream(self.connection)

    def log_message(self, *_):
        """Says nothing: what is wrong is in the answers."""

    def handle_one_request(self):
        self.rfile.begin_head()
        try:
            super().handle_one_request()
        except HeadTooLarge:
            self._refuse(Refusal(431, "the head of the request is too large"))
        except OSError:
            self.close_connection = True  # the client is gone

    def do_GET(self):
        try:
            self._authorize()
            if self.path != MODELS:
                raise Refusal(404, f"Unknown request URL: GET {self.path}")
            model = {"id": self.server.model, "object": "model", "created": 0, "owned_by": "local"}
            self._answer_json(200, {"object": "list", "data": [model]})
        except Refusal as refusal:
            self._refuse(refusal)

    def do_POST(self):
        try:
            self._authorize()
            if self.path not in TASKS:
                raise Refusal(404, f"Unknown request URL: POST {self.path}")
            if not self.server.requests.acquire(timeout=self.server.limits.request_wait):
                raise Refusal(503, "too many recordings wait", kind="server_error")
            try:
                self._transcribe(TASKS[self.path])
            finally:
                self.server.requests.release()
        except Refusal as refusal:
            self._refuse(refusal)
        except Malformed:
            self._refuse(Refusal(400, "the framing of the body is not HTTP/1.1"))
        except TimeoutError:
            self._refuse(Refusal(408, "the body came too slowly"))

    def _authorize(self):
        if not self.server.knows(self.headers.get("Authorization", "")):
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
        self.rfile.is_known = True
        self.server.note_known(self.connection)

    def _transcribe(self, task):
        form = forms.parse(self.headers.get("Content-Type", ""), self._read_body())
        options = forms.read_options(form, task, self.server.abilities(form.model()))
        if form.file is None:
            raise Refusal(400, "you must provide a file", param="file")
        samples = self._decode(form.file)
        del form
        self.server.took(samples)
        seconds = len(samples) / recogniser.RATE
        with self.server.turn:
            heard = self.server.hears.hear(samples, options.asked)
            heard = dataclasses.replace(heard, segments=self._while_wanted(heard.segments))
            if options.stream:
                self._stream(answers.events(heard.segments, seconds))
            else:
                self._answer(*answers.whole(heard, seconds, options))

    def _read_body(self):
        self.rfile.begin_body()
        limit = self.server.limits.max_bytes
        parts, size = [], 0
        for part in self.rfile.body(self.headers):
            size += len(part)
            if size > limit:
                message = f"Maximum content size limit ({limit}) exceeded ({size} bytes read)"
                raise Refusal(413, message, kind="server_error")
            parts.append(part)
        return b"".join(parts)

    def _decode(self, file):
        limits = self.server.limits
        try:
            samples = recogniser.decode(file, limits.max_seconds)
        except recogniser.TooLong as error:
            message = f"audio duration {error.seconds} seconds is longer than {limits.max_seconds:g} seconds"
            raise Refusal(400, f"{message} which is the maximum for this model", code="invalid_value") from error
        if samples is None:
            raise Refusal(400, "Audio file might be corrupted or unsupported", param="file", code="invalid_value")
        if len(samples) < limits.min_seconds * recogniser.RATE:
            message = f"Audio file is too short. Minimum audio length is {limits.min_seconds} seconds."
            raise Refusal(400, message, code="audio_too_short")
        return samples

    def _while_wanted(self, segments):
        """Yields segments until the client is gone: nobody waits for the rest, and others wait for their turn."""
        for segment in segments:
            if self.rfile.is_left():
                raise ConnectionError("the client has given its request up")
            yield segment

    def _stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, refusal):
        self.close_connection = True
        try:
            self._answer_json(refusal.status, refusal.body)
            self.rfile.discard(LINGER, LINGER_BYTES)
        except OSError:
            pass  # the client is gone, or still

    def _answer_json(self, status, body):
        self._answer(answers.JSON, json.dumps(body), status)

    def _answer(self, content_type, text, status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
