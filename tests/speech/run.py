"""Is a recording that is split heard as well as one that is taken whole?

    run.py [--short | --full] [--binary target/debug/voxgate] [--cases NAME,NAME] [--seconds N] [--seeds 1,2] [--reference]

starts a provider that hears (provider.py) and a gateway before it, sends synthetic recordings through the gateway, which has
to split them, and compares what comes back with what the same recogniser makes of each recording as a whole. It prints a
table, and exits with 1 if the gateway misses a demand.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import resource
import sys

import gateway
import pieces
import provider
import recogniser
import recordings
import reference
import score

# The demands.
MOST_POINTS = 0.5  # errors in a hundred words, beyond those of the recording as a whole
MOST_PER_SEAM = 1.0  # errors at a seam, beyond the rate elsewhere
MOST_OFF = 0.7  # seconds, of the start of a sentence, at the 95th percentile
MOST_OFF_ESTIMATED = 0.5  # the same for subtitles of a model that gives no times
LEAST_MEASURED = 0.3  # of the sentences, how many have to begin a cue, for the percentile to say something
MOST_SPEECH_LOST = 0.1  # seconds of a sentence that are in no piece
MOST_SILENCE_SENT = 5.0  # seconds of one pause that are in pieces
LEAST_ALIKE = 0.9  # a piece and the stretch of the recording that it is


@dataclasses.dataclass(frozen=True)
class Case:
    """What is sent, and how it is asked for."""

    name: str
    variant: str = "plain"
    containers: tuple = ("wav",)  # each seed has another
    model: str = "whisper-1"
    format: str = "verbose_json"

    @property
    def most_off(self):
        return MOST_OFF_ESTIMATED if self.format == "srt" else MOST_OFF


CASES = (
    Case("plain"),
    Case("containers", containers=("webm", "mp3", "m4a")),
    Case("no pauses", variant="squeezed"),
    Case("music", variant="music"),
    Case("long silences", variant="silences"),
    Case("subtitles", model="gpt-transcribe", format="srt"),
    Case("stream", model="gpt-transcribe", format="stream"),
)


@dataclasses.dataclass(frozen=True)
class Run:
    """How much is tried, and with which settings."""

    seconds: int
    seeds: tuple
    cases: tuple
    piece_seconds: int
    max_seconds: int  # the provider's longest recording
    settings: str
    # How much more of chance is allowed, in standard deviations: a short recording has few words.
    allowed_chance: float


# Settings that make pieces short, so that a short recording has seams.
SHORT_PIECES = """
[speech]
piece_seconds = 30

[models.whisper-1]
max_seconds = 60

[models.gpt-transcribe]
max_seconds = 60
"""

SHORT = Run(
    seconds=180,
    seeds=(3,),
    cases=("plain", "containers", "subtitles", "stream"),
    piece_seconds=30,
    max_seconds=60,
    settings=SHORT_PIECES,
    allowed_chance=2.0,
)
# The gateway's own settings. It has to learn from the provider that the compressed recordings are too long.
FULL = Run(
    seconds=2400,
    seeds=(1, 2, 3),
    cases=tuple(case.name for case in CASES),
    piece_seconds=300,
    max_seconds=provider.MAX_SECONDS,
    settings="",
    allowed_chance=0.0,
)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = arguments.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_const", dest="run", const=SHORT, default=SHORT)
    size.add_argument("--full", action="store_const", dest="run", const=FULL)
    arguments.add_argument("--binary", type=pathlib.Path, default=os.environ.get("VOXGATE_BIN") or gateway.BUILT)
    arguments.add_argument("--cases", help=", ".join(case.name for case in CASES))
    arguments.add_argument("--seconds", type=int)
    arguments.add_argument("--seeds")
    arguments.add_argument("--reference", action="store_true", help="measure a cutter that knows the pauses instead")
    given = arguments.parse_args()
    run = given.run
    if given.cases:
        run = dataclasses.replace(run, cases=tuple(given.cases.split(",")))
    if given.seconds:
        run = dataclasses.replace(run, seconds=given.seconds)
    if given.seeds:
        run = dataclasses.replace(run, seeds=tuple(int(seed) for seed in given.seeds.split(",")))
    unknown = set(run.cases) - {case.name for case in CASES}
    if unknown:
        arguments.error(f"unknown cases: {', '.join(sorted(unknown))}")
    misses = check(run, [case for case in CASES if case.name in run.cases], None if given.reference else given.binary)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{sum(usage.ru_utime + usage.ru_stime for usage in used) / 60:.1f} CPU minutes")
    for miss in misses:
        print(f"MISSED: {miss}")
    sys.exit(bool(misses))


def check(run, cases, binary):
    """Runs the cases, prints a row for each, and returns what was missed."""
    hears = recogniser.Cached()
    made = {(case, seed): _make(run, case, seed) for case in cases for seed in run.seeds}
    with concurrent.futures.ThreadPoolExecutor(provider.AT_ONCE) as pool:
        recorded = {recording.path: recording for recording in made.values()}
        wholes = dict(zip(recorded, pool.map(lambda recording: _whole(hears, recording), recorded.values())))
    print(f"{run.seconds} s, seeds {', '.join(map(str, run.seeds))}; whole → split")
    print(f"{'':14}{'WER %':>16}{'chance':>8}{'seams':>7}{'excess':>8}{'starts: median':>18}{'p95':>16}{'of':>12}")
    misses = []
    with _Splitter(run, hears, binary) as split:
        for case in cases:
            pairs, sentences = [], 0
            for seed in run.seeds:
                recording = made[case, seed]
                try:
                    answer = split(recording, case)
                except gateway.Failure as failure:
                    misses.append(f"{case.name}: {failure}")
                    continue
                sentences += len(recording.sentences)
                misses += [f"{case.name}, {recording.name}: {fault}" for fault in _faults(recording, case, answer)]
                seams = [
                    score.Seam(before.end / recordings.RATE, after.start / recordings.RATE)
                    for before, after in zip(answer.pieces, answer.pieces[1:])
                ]
                pairs.append((wholes[recording.path], score.score(recording.sentences, answer.cues, seams)))
            if not pairs:
                continue
            whole, pieced = (score.pool(scores) for scores in zip(*pairs))
            _print_row(case, whole, pieced, sentences)
            misses += [f"{case.name}: {miss}" for miss in _misses(run, case, whole, pieced, sentences)]
    return misses


def _make(run, case, seed):
    container = case.containers[run.seeds.index(seed) % len(case.containers)]
    return recordings.make(case.variant, container, run.seconds, seed)


def _whole(hears, recording):
    heard = hears.hear(recogniser.decode(recording.path)).segments
    return score.score(recording.sentences, [score.Cue(part.text, part.start, part.end) for part in heard])


class _Splitter:
    """The gateway and the provider behind it, or the reference in their place."""

    def __init__(self, run, hears, binary):
        self.run, self.hears, self.binary, self.gateway = run, hears, binary, None

    def __enter__(self):
        if self.binary:
            limit = self.run.max_seconds
            self.provider = provider.Provider(self.hears, gateway.PROVIDER_KEY, max_seconds=limit).start()
            self.gateway = gateway.Gateway(self.binary, self.provider.address, self.run.settings)
        return self

    def __exit__(self, *_):
        if self.gateway:
            self.gateway.stop()
            self.provider.shutdown()

    def __call__(self, recording, case):
        if not self.gateway:
            return reference.transcribe(self.hears, recording, case, self.run.piece_seconds)
        self.provider.received.clear()
        answer = self.gateway.transcribe(recording.path, case)
        found = pieces.locate_all(self.provider.received, recogniser.decode(recording.path))
        return reference.Answer(answer.text, answer.cues, found)


def _faults(recording, case, answer):
    """What no number excuses."""
    if len(answer.pieces) < 2:
        yield "it was not split"
    for piece in answer.pieces:
        if piece.likeness < LEAST_ALIKE:
            yield f"a piece of {(piece.end - piece.start) / recordings.RATE:.1f} s is not of the recording"
    for before, after in zip(answer.pieces, answer.pieces[1:]):
        if after.start < before.end - pieces.FRAME:
            yield f"pieces overlap at {after.start / recordings.RATE:.2f} s"
    yield from _wrongly_sent(recording, answer.pieces)
    if case.format == "stream":
        return
    for before, after in zip(answer.cues, answer.cues[1:]):
        if after.start < before.start:
            yield f"a cue at {after.start:.2f} s comes after one at {before.start:.2f} s"
    for cue in answer.cues:
        if not 0 <= cue.start <= cue.end <= recording.seconds + 0.1:
            yield f"a cue from {cue.start:.2f} to {cue.end:.2f} s is not within {recording.seconds:.2f} s"
    if score.normalised(answer.text) != score.normalised(" ".join(cue.text for cue in answer.cues)):
        yield "the text is not that of the cues"


def _wrongly_sent(recording, found):
    """Speech that is in no piece, and silence that is in one."""
    spans = [(piece.start / recordings.RATE, piece.end / recordings.RATE) for piece in found]
    for sentence in recording.sentences:
        sent = sum(max(0.0, min(end, sentence.end) - max(start, sentence.start)) for start, end in spans)
        if sent < sentence.end - sentence.start - MOST_SPEECH_LOST:
            yield f"only {sent:.2f} s were sent of the sentence from {sentence.start:.2f} to {sentence.end:.2f} s"
    for before, after in zip(recording.sentences, recording.sentences[1:]):
        sent = sum(max(0.0, min(end, after.start) - max(start, before.end)) for start, end in spans)
        if sent > MOST_SILENCE_SENT:
            yield f"{sent:.1f} s were sent of the silence from {before.end:.1f} to {after.start:.1f} s"


def _misses(run, case, whole, split, sentences):
    """The demands that are missed."""
    points = split.error_rate - whole.error_rate
    allowed = MOST_POINTS + run.allowed_chance * score.chance(whole, split)
    if points > allowed:
        yield f"{points:.2f} points more errors than as a whole; allowed are {allowed:.2f}"
    if split.excess_per_seam >= MOST_PER_SEAM:
        yield f"{split.excess_per_seam:.2f} words in excess at each seam; allowed are fewer than {MOST_PER_SEAM}"
    if case.format == "stream":
        return
    if split.start_p95 > case.most_off:
        yield f"sentences start {split.start_p95:.2f} s off at the 95th percentile; allowed are {case.most_off} s"
    if len(split.start_errors) < LEAST_MEASURED * sentences:
        yield f"only {len(split.start_errors)} of {sentences} sentences begin a cue"


def _print_row(case, whole, split, sentences):
    row = f"{case.name:14}{whole.error_rate:7.2f} → {split.error_rate:5.2f}  ±{score.chance(whole, split):5.2f}"
    row += f"{split.seams:7}{split.excess_per_seam:+8.2f}"
    if case.format != "stream":
        row += f"{whole.start_median:9.2f} → {split.start_median:5.2f}{whole.start_p95:9.2f} → {split.start_p95:5.2f}"
        row += f"{len(split.start_errors):7}/{sentences}"
    print(row, flush=True)


if __name__ == "__main__":
    main()
