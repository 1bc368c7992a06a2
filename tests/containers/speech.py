"""Answers as speaches does, as far as the gateway and docker-compose.yml ask it, and recognises nothing.

A model has to be fetched before it can be used; here that is an empty file in the volume, so that what is fetched twice or
does not outlive its container can be seen. Whoever sends a key, or a form without a recording, is told so.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODELS = Path.home() / ".cache/huggingface/hub"


def stored(model):
    """Where a model is kept."""
    return MODELS / ("models--" + model.replace("/", "--"))


def models():
    """Those that were fetched."""
    return [path.name.removeprefix("models--").replace("--", "/") for path in MODELS.glob("models--*")]


class Speech(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, kind="application/json"):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, "OK", "text/plain")
        elif self.path == "/v1/models":
            self.answer(200, json.dumps({"object": "list", "data": [{"id": model} for model in models()]}))
        else:
            self.answer(404, '{"detail": "Not Found"}')

    def do_POST(self):
        form = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        prefix = "/v1/models/"
        if self.path.startswith(prefix):
            model = self.path.removeprefix(prefix)
            known = stored(model).exists()
            stored(model).touch()
            self.answer(201 if known else 200, f"Model '{model}' {'already exists' if known else 'downloaded'}", "text/plain")
        elif self.path == "/v1/audio/transcriptions":
            self.transcribe(form)
        else:
            self.answer(404, '{"detail": "Not Found"}')

    def transcribe(self, form):
        asked = [model for model in models() if f'name="model"\r\n\r\n{model}\r\n'.encode() in form]
        if "Authorization" in self.headers:
            self.answer(400, '{"detail": "A key was sent to a server that wants none."}')
        elif b"RIFF" not in form:
            self.answer(422, '{"detail": "There is no recording."}')
        elif not asked:
            self.answer(404, '{"detail": "Model is not installed locally."}')
        else:
            self.answer(200, json.dumps({"text": f"{asked[0]} heard it."}))


if __name__ == "__main__":
    host, port = os.environ["UVICORN_HOST"], int(os.environ["UVICORN_PORT"])
    ThreadingHTTPServer((host, port), Speech).serve_forever()
