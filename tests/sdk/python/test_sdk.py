"""OpenAI's Python SDK against the gateway, with nothing changed but the base URL and the key.

Run by tests/api/sdk.rs. The provider behind the gateway does what a prompt "provider: …" asks of it.
"""

import io
import os
import pathlib
import unittest

import openai

RECORDING = pathlib.Path(os.environ["RECORDING"])
TRANSCRIPT = os.environ["TRANSCRIPT"]

# Address and key come from OPENAI_BASE_URL and OPENAI_API_KEY, as everywhere. Retries are counted in a test of their own.
client = openai.OpenAI(max_retries=0)


def transcribe(**options):
    options = {"model": "gpt-transcribe", "file": RECORDING, **options}
    return client.audio.transcriptions.create(**options)


class OneShot(io.RawIOBase):
    """A recording that can be read once and has no length, as from a microphone."""

    name = "speech.wav"

    def __init__(self):
        self.rest = io.BytesIO(RECORDING.read_bytes())

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        return self.rest.readinto(buffer)


class Formats(unittest.TestCase):
    def test_json(self):
        answer = transcribe()
        self.assertEqual(answer.text, TRANSCRIPT)
        self.assertEqual(answer.usage.total_tokens, 59)

    def test_verbose_json(self):
        granularities = ["word", "segment"]
        answer = transcribe(model="whisper-1", response_format="verbose_json", timestamp_granularities=granularities)
        self.assertEqual(answer.text, TRANSCRIPT)
        self.assertEqual(answer.language, "english")
        self.assertEqual(answer.words[0].word, "Sphinx")
        self.assertEqual(answer.segments[0].end, 1.8)

    def test_text_and_subtitles(self):
        for response_format in ["text", "srt", "vtt"]:
            answer = transcribe(model="whisper-1", response_format=response_format)
            self.assertIsInstance(answer, str)
            self.assertIn(TRANSCRIPT, answer)

    def test_diarized_json(self):
        answer = transcribe(
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            chunking_strategy={"type": "server_vad", "threshold": 0.4},
        )
        self.assertEqual(answer.segments[0].speaker, "A")

    def test_options_of_every_kind(self):
        answer = transcribe(language="en", prompt="Names: Ann.", temperature=0.2, extra_body={"mood": "cheerful"})
        self.assertEqual(answer.text, TRANSCRIPT)

    def test_translations(self):
        for response_format in ["json", "verbose_json"]:
            answer = client.audio.translations.create(
                model="whisper-1", file=RECORDING, response_format=response_format
            )
            self.assertEqual(answer.text, TRANSCRIPT)
        answer = client.audio.translations.create(model="whisper-1", file=RECORDING, response_format="srt")
        self.assertIn(TRANSCRIPT, answer)

    def test_models(self):
        self.assertIn("gpt-transcribe", [model.id for model in client.models.list()])

    def test_request_id(self):
        raw = client.audio.transcriptions.with_raw_response.create(model="gpt-transcribe", file=RECORDING)
        self.assertTrue(raw.request_id)
        self.assertEqual(raw.headers["x-voxgate-provider"], "openai")


class Files(unittest.TestCase):
    def test_bytes_without_a_name(self):
        self.assertEqual(transcribe(file=RECORDING.read_bytes()).text, TRANSCRIPT)

    def test_an_open_file(self):
        with RECORDING.open("rb") as file:
            self.assertEqual(transcribe(file=file).text, TRANSCRIPT)

    def test_a_wrong_name_and_type(self):
        self.assertEqual(transcribe(file=("blob", RECORDING.read_bytes(), "video/webm")).text, TRANSCRIPT)

    def test_a_stream_without_a_length(self):
        self.assertEqual(transcribe(file=OneShot()).text, TRANSCRIPT)


class Streams(unittest.TestCase):
    def check(self, stream):
        events = list(stream)
        self.assertEqual(events[-1].type, "transcript.text.done")
        self.assertEqual(events[-1].text, TRANSCRIPT)
        return events

    def test_deltas(self):
        events = self.check(transcribe(stream=True))
        self.assertEqual("".join(event.delta for event in events[:-1]), TRANSCRIPT)

    def test_a_model_that_cannot_stream(self):
        self.assertEqual(len(self.check(transcribe(model="whisper-1", stream=True))), 1)

    def test_streamed_response(self):
        create = client.audio.transcriptions.with_streaming_response.create
        with create(model="gpt-transcribe", file=RECORDING) as response:
            self.assertIn(TRANSCRIPT, response.read().decode())

    def test_a_break_in_mid_stream_raises(self):
        received = []
        with self.assertRaises(openai.APIError) as raised:
            for event in transcribe(stream=True, prompt="provider: break in mid-stream"):
                received.append(event)
        self.assertEqual(len(received), 1)
        self.assertEqual(raised.exception.code, "provider_stream_broken")


class Errors(unittest.TestCase):
    def raises(self, kind, code, status, **options):
        with self.assertRaises(kind) as raised:
            transcribe(**options)
        error = raised.exception
        self.assertIs(type(error), kind)
        self.assertEqual((error.status_code, error.code), (status, code))
        self.assertTrue(error.request_id)
        return error

    def raises_for(self, token, kind, code, status):
        with self.assertRaises(kind) as raised:
            client.with_options(api_key=token).audio.transcriptions.create(model="gpt-transcribe", file=RECORDING)
        self.assertEqual((raised.exception.status_code, raised.exception.code), (status, code))

    def test_tokens(self):
        self.raises_for("no-token-at-all", openai.AuthenticationError, "invalid_token", 401)
        self.raises_for(os.environ["EXPIRED_TOKEN"], openai.AuthenticationError, "token_expired", 401)
        self.raises_for(os.environ["UNSCOPED_TOKEN"], openai.PermissionDeniedError, "insufficient_scope", 403)

    def test_options(self):
        error = self.raises(openai.BadRequestError, "invalid_value", 400, temperature=7)
        self.assertEqual((error.param, error.type), ("temperature", "invalid_request_error"))
        self.raises(openai.BadRequestError, "unsupported_value", 400, model="gpt-4o-transcribe", response_format="srt")
        self.raises(openai.NotFoundError, "model_not_found", 404, model="no-such-model")

    def test_files(self):
        self.raises(openai.BadRequestError, "invalid_audio", 400, file=("speech.mp3", b"Only a text. " * 100))
        self.raises(openai.BadRequestError, "invalid_audio", 400, file=("speech.mp3", b""))
        self.raises(openai.APIStatusError, "file_too_large", 413, file=b"RIFF" + bytes(26_214_400))

    def test_the_provider(self):
        for status, kind in [
            (400, openai.BadRequestError),
            (409, openai.ConflictError),
            (422, openai.UnprocessableEntityError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
            (503, openai.InternalServerError),
        ]:
            self.raises(kind, "from_provider", status, prompt=f"provider: status {status}")
        self.raises(openai.InternalServerError, "provider_auth_failed", 502, prompt="provider: refuse the key")


if __name__ == "__main__":
    unittest.main()
