"""The model, and the decoding of recordings."""

import dataclasses
import io
import pathlib
import threading
import typing

import av
import faster_whisper
import numpy

RATE = 16_000  # samples a second that the model takes

# The demuxers of ffmpeg that a recording may choose by its content. The others include playlists, which name further files.
DEMUXERS = "wav,w64,mp3,aac,mov,matroska,ogg,flac,aiff,caf"
# A recording that is too long is decoded on, to tell its length, up to so many times what is allowed.
MEASURED = 10
# The most characters of a prompt, the last ones. The model takes its last 223 tokens, and to find these in a text without spaces
# takes a time that grows with the square of its length.
MAX_PROMPT = 2_000


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a request asks of the model. A language or a temperature that is None is the model's choice."""

    task: str = "transcribe"
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    words: bool = False


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch of speech, with its times in seconds. The text begins with the space before it."""

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

    def verbose(self, number):
        """Returns the segment as `verbose_json` has it."""
        members = dataclasses.asdict(self)
        del members["words"]
        return {"id": number} | members


@dataclasses.dataclass(frozen=True)
class Heard:
    """A transcript in progress: the segments come as the model finds them."""

    language: str
    segments: typing.Iterator[Segment]


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How the model searches. Above the first temperature it guesses, where the text repeats itself."""

    beam_size: int = 5
    temperatures: tuple = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Recogniser:
    """A model in memory, which several threads may use."""

    def __init__(self, folder, decoding=Decoding(), threads=1, workers=1):
        self._folder, self._decoding = str(folder), decoding
        self._threads, self._workers = threads, workers
        self._model, self._load = None, threading.Lock()

    @property
    def languages(self):
        """The codes of the languages that the model knows."""
        return self.model.supported_languages

    @property
    def model(self):
        """The model, which the first use loads."""
        with self._load:
            if self._model is None:
                self._model = faster_whisper.WhisperModel(
                    self._folder,
                    device="cpu",
                    compute_type="int8",
                    cpu_threads=self._threads,
                    num_workers=self._workers,
                    local_files_only=True,
                )
            return self._model

    def hear(self, samples, asked=Asked()):
        """Starts to transcribe or translate samples."""
        temperatures = self._decoding.temperatures if asked.temperature is None else (asked.temperature,)
        segments, found = self.model.transcribe(
            samples,
            task=asked.task,
            language=asked.language or (None if self.model.model.is_multilingual else "en"),
            beam_size=self._decoding.beam_size,
            temperature=temperatures,
            # With the text before it for a hint, the model falls into loops.
            condition_on_previous_text=False,
            initial_prompt=_hint(asked.prompt),
            word_timestamps=asked.words,
        )
        return Heard(found.language, map(_segment, segments))


def _hint(prompt):
    """Returns a prompt as the model may have it: short, and without the marks that steer it, such as `<|endoftext|>`."""
    return prompt and prompt[-MAX_PROMPT:].replace("<|", "< |")


class TooLong(Exception):
    """The recording is longer than allowed; `seconds` is its length, or as much of it as was measured."""

    def __init__(self, seconds):
        super().__init__(f"{seconds} seconds")
        self.seconds = seconds


def decode(recording, max_seconds=None):
    """Returns the samples of a recording, bytes or a path, or None if it is not understood."""
    source = str(recording) if isinstance(recording, (str, pathlib.Path)) else io.BytesIO(recording)
    limit = None if max_seconds is None else int(max_seconds * RATE)
    parts, count = [], 0
    try:
        with av.open(source, metadata_errors="ignore", options={"format_whitelist": DEMUXERS}) as container:
            for part in _resampled(container):
                count += len(part)
                if limit is None or count <= limit:
                    parts.append(part)
                elif count > MEASURED * limit:
                    break
    except (av.FFmpegError, IndexError, ValueError):
        return None
    if limit is not None and count > limit:
        raise TooLong(count / RATE)
    samples = numpy.concatenate(parts) if parts else numpy.zeros(0, numpy.int16)
    return samples.astype(numpy.float32) / 32768.0


def _resampled(container):
    """Yields the samples of a container's first audio track, mono, 16 bits each."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    for frame in _frames(container):
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]


def _frames(container):
    """Yields the frames that can be decoded, and None, which has the resampler give what it holds back."""
    frames = container.decode(audio=0)
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            yield None
            return
        except av.InvalidDataError:
            continue
        frame.pts = None  # frames that are lost leave gaps between the times, which the resampler refuses
        yield frame


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
