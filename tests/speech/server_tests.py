"""Tests of the server of deploy/local: what it refuses, and how much it takes. They need no recogniser's model."""

import http.client
import io
import json
import socket
import unittest
import unittest.mock
import wave

import av

import recogniser
import speech_server.recogniser
from speech_server import client_stream, server

KEY = "sk-of-these-tests"
BOUNDARY = "x"
LIST = f"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()


class Hears:
    """A model that knows two languages, and notes what it is asked."""

    languages = ("en", "de")

    def __init__(self):
        self.asked = []

    def hear(self, samples, asked=recogniser.Asked()):
        self.asked.append(asked)
        segment = recogniser.Segment(" Hello.", 0.0, 1.0, 0, [1], 0.0, -0.1, 1.0, 0.01, [])
        return recogniser.Heard(asked.language or "de", iter((segment,)))


class Requests(unittest.TestCase):
    limits = server.Limits(max_bytes=100_000, max_seconds=2)

    def setUp(self):
        self.hears = Hears()
        self.server = server.SpeechServer(self.hears, KEY, "whisper", self.limits).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        connection.request(method, path, body, {"Authorization": f"Bearer {KEY}"} | (headers or {}))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def post(self, path="/v1/audio/transcriptions", file=None, **fields):
        fields = {"model": "whisper"} | fields
        parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
        parts.append(('name="file"; filename="a.wav"', _wav() if file is None else file))
        body = b"".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n" for head, value in parts
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.ask("POST", path, body + f"--{BOUNDARY}--\r\n".encode(), headers)

    def send(self, data):
        """Sends bytes as they are, and returns all that comes back."""
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=30) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)


class Protocol(Requests):
    def test_the_list_of_models_has_its_one(self):
        status, answer = self.ask("GET", "/v1/models")
        self.assertEqual((status, [model["id"] for model in answer["data"]]), (200, ["whisper"]))

    def test_nothing_is_answered_without_the_key(self):
        for key in ("", "Bearer", f"Bearer {KEY}x", f"bearer {KEY}"):
            self.assertEqual(self.ask("GET", "/v1/models", headers={"Authorization": key})[0], 401, key)

    def test_options_reach_the_model(self):
        self.assertEqual(self.post(language="en", prompt="Names", temperature="0.5")[0], 200)
        self.assertEqual(self.hears.asked, [recogniser.Asked("transcribe", "en", "Names", 0.5, False)])
        status, answer = self.post("/v1/audio/translations", response_format="verbose_json")
        self.assertEqual((status, answer["task"], answer["language"]), (200, "translate", "de"))

    def test_what_the_model_cannot_is_refused(self):
        self.assertEqual(self.post(model="other")[1]["error"]["code"], "model_not_found")
        self.assertEqual(self.post(language="xx")[1]["error"]["param"], "language")
        self.assertEqual(self.post(temperature="nan")[1]["error"]["param"], "temperature")
        self.hears.languages = ("en",)
        status, answer = self.post("/v1/audio/translations")
        self.assertEqual((status, answer["error"]["param"]), (400, "model"))
        self.assertEqual(self.hears.asked, [])

    def test_a_recording_that_names_other_files_is_none(self):
        with unittest.mock.patch("builtins.open", side_effect=AssertionError):
            for playlist in (b"#EXTM3U\n#EXTINF:1,\n/dev/zero\n#EXT-X-ENDLIST\n", b"ffconcat version 1.0\nfile /dev/zero\n"):
                self.assertEqual(self.post(file=playlist)[1]["error"]["param"], "file")


class Bounds(Requests):
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()

    def test_a_head_has_a_size(self):
        many = b"".join(b"x-%d: %s\r\n" % (number, b"x" * 1000) for number in range(40))
        for head in (b"GET /" + b"x" * client_stream.MAX_HEAD, self.head + many):
            self.assertIn(b" 431 ", self.send(head).split(b"\r\n")[0])

    def test_a_body_has_a_size(self):
        for body in (b"Content-Length: 200000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n"):
            self.assertIn(b" 413 ", self.send(self.head + body + bytes(200_000)).split(b"\r\n")[0])

    def test_a_recording_has_a_length(self):
        for seconds in (2.5, 30):
            status, answer = self.post(file=_compressed(seconds))
            self.assertEqual((status, answer["error"]["code"]), (400, "invalid_value"))
            self.assertIn("is longer than 2 seconds", answer["error"]["message"])

    def test_the_framing_is_http(self):
        for framing in (b"Content-Length: -1\r\n\r\n", b"Content-Length: 1e3\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: gzip\r\n\r\n", b"Transfer-Encoding: \r\n\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"):
            self.assertIn(b" 400 ", self.send(self.head + framing).split(b"\r\n")[0], framing)

    def test_a_form_has_few_fields_that_are_small(self):
        self.assertEqual(self.post(**{f"x{number}": "" for number in range(70)})[0], 400)
        self.assertEqual(self.post(file=_wav(0.2), prompt="x" * 70_000)[0], 400)

    def test_a_slow_head_ends_the_connection(self):
        with unittest.mock.patch.object(client_stream, "HEAD_TIMEOUT", 0.05):
            self.assertEqual(self.send(b"GET /v1/models HTTP/1.1\r\n"), b"")

    def test_a_slow_body_is_told_so(self):
        for bound in ("BODY_TIMEOUT", "IDLE_TIMEOUT"):
            with unittest.mock.patch.object(client_stream, bound, 0.05):
                answer = self.send(self.head + b"Content-Length: 9\r\n\r\nx")
                self.assertIn(b" 408 ", answer.split(b"\r\n")[0], bound)

    def test_an_idle_connection_is_closed(self):
        with unittest.mock.patch.object(client_stream, "HEAD_TIMEOUT", 0.05):
            self.assertEqual(self.send(b""), b"", "the key was not shown, so it is not kept for KEEP_ALIVE")
        with unittest.mock.patch.object(client_stream, "KEEP_ALIVE", 0.05):
            self.assertIn(b" 200 ", self.send(LIST).split(b"\r\n")[0])


class Prompts(unittest.TestCase):
    def test_a_prompt_is_short_and_steers_nothing(self):
        hears = speech_server.recogniser.Recogniser("nowhere")
        hears._model = unittest.mock.Mock()
        hears._model.transcribe.return_value = (iter(()), unittest.mock.Mock(language="en"))
        for given, taken in (
            (None, None),
            ("Names: Ada, Grace", "Names: Ada, Grace"),
            ("<|endoftext|><<|x|>|endoftext|>", "< |endoftext|><< |x|>|endoftext|>"),
            ("x" * 60_000 + "end", "x" * 1_997 + "end"),
        ):
            hears.hear(b"", recogniser.Asked(prompt=given))
            self.assertEqual(hears._model.transcribe.call_args.kwargs["initial_prompt"], taken)


class FewConnections(Requests):
    limits = server.Limits(max_connections=1, max_requests=1, request_wait=0.05)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.server.server_port), timeout=30)
        self.addCleanup(connection.close)
        return connection

    # Longer than these tests wait: no connection ends by itself.
    @unittest.mock.patch.object(client_stream, "HEAD_TIMEOUT", 60)
    def test_connections_are_counted(self):
        first = self.connect()
        first.sendall(LIST)
        self.assertTrue(first.recv(1))
        self.assertEqual(self.send(b""), b"")

    @unittest.mock.patch.object(client_stream, "HEAD_TIMEOUT", 60)
    def test_who_has_no_key_keeps_nobody_out(self):
        idle, half, refused = self.connect(), self.connect(), self.connect()
        half.sendall(b"GET /v1/models HTTP/1.1\r\n")
        refused.sendall(b"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n")
        self.assertEqual(self.ask("GET", "/v1/models")[0], 200)
        for ended in (idle, half):
            self.assertEqual(ended.recv(1), b"")

    def test_requests_that_wait_are_counted(self):
        self.server.requests.acquire()
        status, answer = self.post()
        self.assertEqual((status, answer["error"]["type"]), (503, "server_error"))


def _wav(seconds=1.0):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(recogniser.RATE)
        out.writeframes(bytes(2 * round(seconds * recogniser.RATE)))
    return file.getvalue()


def _compressed(seconds):
    """Returns silence, which takes few bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=recogniser.RATE)
        stream.layout = "mono"
        with av.open(io.BytesIO(_wav(seconds))) as source:
            for frame in source.decode(audio=0):
                frame.pts = None
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


if __name__ == "__main__":
    unittest.main()
