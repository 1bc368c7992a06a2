"""Synthetic recordings whose words, and the times of whose sentences, are known.

    recordings.py [--variant plain|squeezed|music|silences] [--container wav|mp3|webm|m4a] [--seconds N] [--seed N]

prints the path of the recording; beside it lies a JSON file with its sentences. The same arguments make the same recording.
What is made is kept in `target/speech`.
"""

import argparse
import dataclasses
import hashlib
import inspect
import json
import os
import pathlib
import subprocess
import tempfile

import numpy

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parent.parent / "target")
CACHE = TARGET / "speech"
RATE = 16_000


@dataclasses.dataclass(frozen=True)
class Voice:
    """A synthesiser, its name for the voice, words a minute where it takes them, and how much higher the voice is made."""

    engine: str
    name: str
    pace: int = 0
    pitch: float = 1.0


# Two engines, so that no one engine's way of pausing or of beginning a word decides. Of each the voices that a small
# recogniser understands: it mishears 3 to 6 of a hundred words. What it mishears depends on chance, and the more that is,
# the longer a recording has to be to tell whether a cut did harm.
VOICES = (
    Voice("flite", "slt"),
    Voice("flite", "rms", pitch=1.1),
    Voice("flite", "slt", pitch=0.9),
    Voice("flite", "rms"),
    Voice("flite", "awb", pitch=0.9),
    Voice("flite", "slt", pitch=1.1),
    Voice("flite", "rms", pitch=0.9),
    Voice("espeak", "en-us", pace=130),
)

VARIANTS = ("plain", "squeezed", "music", "silences")

# How ffmpeg makes each container of 16 kHz mono samples. WebM goes through a pipe, as a browser's recorder writes it: no
# duration, no index, clusters of unknown length.
CONTAINERS = {
    "wav": ("-c:a", "pcm_s16le"),
    "mp3": ("-c:a", "libmp3lame", "-ar", "44100", "-b:a", "64k"),
    "m4a": ("-c:a", "aac", "-ar", "44100", "-b:a", "64k"),
    "webm": ("-c:a", "libopus", "-ar", "48000", "-b:a", "32k", "-f", "webm", "-live", "1"),
}

SPEECH_LEVEL = -23.0  # dBFS, the mean of a sentence
NOISE_LEVEL = -62.0
MUSIC_LEVEL = SPEECH_LEVEL - 15.0
PAUSES = (0.2, 0.9)
GAPS = (20.0, 70.0)
REGIONS = (25.0, 75.0)  # how long is spoken between two such gaps
SQUEEZED_PAUSE = 0.02


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence that was spoken, and when, in seconds."""

    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording on disk, and what is said in it."""

    name: str
    path: pathlib.Path
    seconds: float
    sentences: list


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--variant", choices=VARIANTS, default="plain")
    arguments.add_argument("--container", choices=CONTAINERS, default="wav")
    arguments.add_argument("--seconds", type=int, default=180)
    arguments.add_argument("--seed", type=int, default=1)
    print(make(**vars(arguments.parse_args())).path)


def make(variant="plain", container="wav", seconds=180, seed=1):
    """Makes a recording of about so many seconds, or finds the one that was made before."""
    folder = CACHE / f"recordings-{_version()}"
    name = f"{variant}-{seconds}s-{seed}"
    path, truth = folder / f"{name}.{container}", folder / f"{name}.json"
    if not path.exists() or not truth.exists():
        folder.mkdir(parents=True, exist_ok=True)
        samples, sentences = compose(variant, seconds, seed)
        with _written_whole(path) as part:
            _encode(samples, container, part)
        told = {"seconds": len(samples) / RATE, "sentences": [dataclasses.asdict(sentence) for sentence in sentences]}
        with _written_whole(truth) as part:
            part.write_text(json.dumps(told))
    told = json.loads(truth.read_text())
    return Recording(path.name, path, told["seconds"], [Sentence(**sentence) for sentence in told["sentences"]])


def compose(variant, seconds, seed):
    """The samples of a recording, and its sentences."""
    chance = numpy.random.default_rng([seed, VARIANTS.index(variant)])
    spoken, sentences, at, region_ends = [], [], float(chance.uniform(*PAUSES)), chance.uniform(*REGIONS)
    for text, voice in _script(chance):
        sound = _speak(text, voice)
        if variant == "squeezed":
            sound = _squeeze(sound)
        start = round(at * RATE)
        end = start + len(sound)
        if end > seconds * RATE:
            break
        spoken.append((start, sound))
        sentences.append(Sentence(text, start / RATE, end / RATE))
        at = end / RATE + (SQUEEZED_PAUSE if variant == "squeezed" else chance.uniform(*PAUSES))
        if variant == "silences" and at > region_ends:
            at += chance.uniform(*GAPS)
            region_ends = at + chance.uniform(*REGIONS)
    samples = chance.standard_normal(seconds * RATE).astype(numpy.float32) * _amplitude(NOISE_LEVEL)
    for start, sound in spoken:
        samples[start : start + len(sound)] += sound
    if variant == "music":
        samples += _music(len(samples), chance)
    return samples, sentences


def decode(path, filters=()):
    """The samples of a recording in any container, by ffmpeg."""
    command = ("ffmpeg", "-v", "error", "-i", str(path), *filters, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-")
    return numpy.frombuffer(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout, numpy.float32)


def _script(chance):
    """Sentences without end, no two alike in a row, and who speaks them."""
    lines = (HERE / "sentences.txt").read_text().splitlines()
    while True:
        for line in chance.permutation(len(lines)):
            yield lines[line], VOICES[chance.integers(len(VOICES))]


def _speak(text, voice):
    """A sentence in a voice, from its first sound to its last."""
    made_by = "".join(inspect.getsource(part) for part in (_speak, _synthesise, _trim, _frames))
    key = hashlib.sha256(repr((text, voice, SPEECH_LEVEL, made_by)).encode()).hexdigest()[:24]
    kept = CACHE / "voices" / f"{key}.npy"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        sound = _trim(_synthesise(text, voice))
        sound = sound * (_amplitude(SPEECH_LEVEL) / numpy.sqrt(numpy.mean(sound**2)))
        with _written_whole(kept) as part, part.open("wb") as file:
            numpy.save(file, numpy.clip(sound, -0.99, 0.99).astype(numpy.float32))
    return numpy.load(kept)


def _synthesise(text, voice):
    with tempfile.TemporaryDirectory() as folder:
        said = pathlib.Path(folder) / "said.wav"
        if voice.engine == "espeak":
            subprocess.run(("espeak-ng", "-v", voice.name, "-s", str(voice.pace), "-w", str(said), text), check=True)
        else:
            (pathlib.Path(folder) / "text").write_text(text)
            source = f"flite=textfile=text:voice={voice.name}"
            command = ("ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-ar", str(RATE), "said.wav")
            subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL)
        # Played faster, it is higher; then as slow as it was.
        pitched = f"aresample={RATE},asetrate={round(RATE * voice.pitch)},aresample={RATE},atempo={1 / voice.pitch}"
        return decode(said, () if voice.pitch == 1.0 else ("-af", pitched))


def _frames(sound):
    """The level of each 10 ms, in dB below the loudest."""
    length = RATE // 100
    frames = sound[: len(sound) // length * length].reshape(-1, length)
    power = numpy.mean(frames.astype(numpy.float64) ** 2, axis=1) + 1e-12
    return 10 * numpy.log10(power / power.max()), length


def _trim(sound):
    levels, length = _frames(sound)
    audible = numpy.flatnonzero(levels > -40)
    return sound[audible[0] * length : (audible[-1] + 1) * length]


def _squeeze(sound):
    """The same without the pauses inside it: of each, 40 ms are left."""
    levels, length = _frames(sound)
    kept, quiet = [], 0
    for index, level in enumerate(levels):
        quiet = quiet + 1 if level < -35 else 0
        if quiet <= 4:
            kept.append(sound[index * length : (index + 1) * length])
    return numpy.concatenate(kept)


def _music(length, chance):
    """Chords that change every two seconds."""
    bar = 2 * RATE
    time = numpy.arange(bar) / RATE
    envelope = numpy.minimum(1, time / 0.05) * (0.4 + 0.6 * numpy.exp(-1.5 * time))
    chords = []
    for root in (48, 45, 41, 43, 50, 52):  # in half tones, 69 is 440 Hz
        chord = numpy.zeros(bar)
        for step in (0, 4, 7, 12):
            pitch = 440 * 2 ** ((root + step - 69) / 12)
            for overtone in range(1, 6):
                phase = chance.uniform(0, 2 * numpy.pi)
                chord += numpy.sin(2 * numpy.pi * pitch * overtone * time + phase) / overtone**1.5
        chord *= envelope
        chords.append((chord * _amplitude(MUSIC_LEVEL) / numpy.sqrt(numpy.mean(chord**2))).astype(numpy.float32))
    order = chance.integers(len(chords), size=length // bar + 1)
    return numpy.concatenate([chords[index] for index in order])[:length]


def _encode(samples, container, path):
    whole = numpy.clip(numpy.round(samples * 32767), -32768, 32767).astype("<i2").tobytes()
    command = ("ffmpeg", "-v", "error", "-y", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-", "-bitexact")
    if container == "webm":
        with path.open("wb") as file:
            subprocess.run((*command, *CONTAINERS[container], "pipe:1"), input=whole, stdout=file, check=True)
    else:
        subprocess.run((*command, *CONTAINERS[container], str(path)), input=whole, check=True)


def _amplitude(decibels):
    return 10 ** (decibels / 20)


def _version():
    """What everything that is made depends on."""
    sources = b"".join((HERE / name).read_bytes() for name in ("recordings.py", "sentences.txt"))
    return hashlib.sha256(sources).hexdigest()[:8]


class _written_whole:
    """A path that is written elsewhere first, so that what is interrupted is not taken for made."""

    def __init__(self, path):
        self.path, self.part = path, path.with_name(f".{os.getpid()}-{path.name}")

    def __enter__(self):
        return self.part

    def __exit__(self, kind, *_):
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
