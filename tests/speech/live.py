"""Do words come while they are spoken, and are they heard as well as in a whole recording?

    live.py [--short | --full] [--binary target/debug/voxgate]

speaks synthetic recordings into live sessions at the pace of speech, before the provider that hears (provider.py), and
compares the words with what the same recogniser makes of each recording as a whole. It prints a row for each recording, and
exits with 1 if the gateway misses a demand.
"""

import argparse
import dataclasses
import http.client
import json
import os
import pathlib
import sys
import threading
import time

import gateway
import provider
import recogniser
import recordings
import score

# The demands.
MOST_POINTS = 2.0  # errors in a hundred words, beyond those of the recording as a whole, as a mean
MOST_LATE = 2.0  # seconds from the beginning of a pause to its words, beyond the recogniser's own time

PIECE = 0.25  # seconds
BYTES_PER_SAMPLE = 2


@dataclasses.dataclass(frozen=True)
class Run:
    """How much is spoken."""

    seconds: int
    seeds: tuple
    # How much more of chance is allowed, in standard deviations: a minute has few words.
    allowed_chance: float


SHORT = Run(seconds=60, seeds=(3,), allowed_chance=2.0)
FULL = Run(seconds=300, seeds=(1, 2, 3), allowed_chance=0.0)


class Timed:
    """A recogniser, and how long it took for each recording."""

    def __init__(self, hears):
        self._hears, self.times = hears, []

    def hear(self, samples, asked=recogniser.Asked()):
        began = time.monotonic()
        segments = list(self._hears.hear(samples, asked).segments)
        self.times.append(time.monotonic() - began)
        return recogniser.Heard("en", iter(segments))


class Session:
    """A live session, spoken into at the pace of speech while another connection reads its events."""

    def __init__(self, address, token, model):
        self._address, self._headers = address, {"Authorization": f"Bearer {token}"}
        wish = {"model": model, "audio_format": "pcm16", "sample_rate": recordings.RATE}
        self._path = "/v1/live/" + self._ask("POST", "/v1/live", json.dumps(wish).encode(), 201)["id"]
        self.began, self.events = None, []  # each event with the time at which it came
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _ask(self, method, path, body, expected):
        connection = http.client.HTTPConnection(self._address, timeout=60)
        connection.request(method, path, body, self._headers)
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        if response.status != expected:
            raise gateway.Failure(f"{method} {path}: {response.status} {answer}")
        return json.loads(answer)

    def _read(self):
        connection = http.client.HTTPConnection(self._address, timeout=120)
        connection.request("GET", self._path + "/events", headers=self._headers)
        for line in connection.getresponse():
            if line.startswith(b"data: {"):
                self.events.append((time.monotonic(), json.loads(line[6:])))

    def speak(self, samples):
        """Sends the samples as they are spoken, ends the session, and waits for its last event."""
        sound = samples.tobytes()
        size = int(PIECE * recordings.RATE) * BYTES_PER_SAMPLE
        self.began = time.monotonic()
        for number, at in enumerate(range(0, len(sound), size)):
            # A piece can be sent when its last sample is spoken.
            time.sleep(max(0.0, self.began + (number + 1) * PIECE - time.monotonic()))
            self._ask("POST", f"{self._path}/audio?seq={number}", sound[at : at + size], 202)
        self._ask("POST", self._path + "/end", b"", 202)
        self._reader.join(timeout=120)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = arguments.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_const", dest="run", const=SHORT, default=SHORT)
    size.add_argument("--full", action="store_const", dest="run", const=FULL)
    arguments.add_argument("--binary", type=pathlib.Path, default=os.environ.get("VOXGATE_BIN") or gateway.BUILT)
    # run.sh gives the options of run.py too.
    given, _ = arguments.parse_known_args()
    misses = check(given.run, given.binary)
    for miss in misses:
        print(f"MISSED: {miss}")
    sys.exit(bool(misses))


def check(run, binary):
    hears = recogniser.Cached()
    print(f"live, {run.seconds} s at the pace of speech, seeds {', '.join(map(str, run.seeds))}; whole → live")
    print(f"{'':14}{'WER %':>16}{'words after a pause: median':>30}{'worst':>8}{'recogniser':>12}")
    misses, pairs = [], []
    for model in ("gpt-transcribe",):
        for seed in run.seeds:
            timed = Timed(hears)
            at_provider = provider.Provider(timed, gateway.PROVIDER_KEY).start()
            before = gateway.Gateway(binary, at_provider.address, "")
            try:
                pairs.append(_speak(run, seed, model, timed, before, hears, misses))
            finally:
                before.stop()
                at_provider.shutdown()
    whole, live = (score.pool(scores) for scores in zip(*pairs))
    points = live.error_rate - whole.error_rate
    allowed = MOST_POINTS + run.allowed_chance * score.chance(whole, live)
    if points > allowed:
        misses.append(f"{points:.2f} points more errors than as a whole; allowed are {allowed:.2f}")
    return misses


def _speak(run, seed, model, timed, before, hears, misses):
    recording = recordings.make("plain", "wav", run.seconds, seed)
    samples = recogniser.decode(recording.path)
    session = Session(before.address, before.token, model)
    session.speak(_as_integers(samples))
    events = [event for _, event in session.events]
    deltas = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
    if not events or events[-1]["type"] != "transcript.text.done":
        misses.append(f"seed {seed}: the session ends with {events[-1:]}")
    elif events[-1]["text"] != deltas:
        misses.append(f"seed {seed}: the deltas are not the text")
    segments = [(at, event) for at, event in session.events if event["type"] == "transcript.text.segment"]
    late = sorted(at - session.began - event["end"] for at, event in _last_of_turns(segments))
    # A turn may wait for the one before it, whose words come first.
    allowed = MOST_LATE + sum(sorted(timed.times)[-2:])
    if not late or late[-1] > allowed:
        misses.append(f"seed {seed}: words come {late[-1:]} s after a pause; allowed are {allowed:.2f}")
    cues = [score.Cue(event["text"], event["start"], event["end"]) for _, event in segments]
    heard = hears.hear(samples).segments
    whole = score.score(recording.sentences, [score.Cue(part.text, part.start, part.end) for part in heard])
    live = score.score(recording.sentences, cues)
    row = f"seed {seed:<9}{whole.error_rate:7.2f} → {live.error_rate:5.2f} "
    row += f"{late[len(late) // 2]:30.2f}{late[-1]:8.2f}{max(timed.times):12.2f}" if late else " no words"
    print(row, flush=True)
    return whole, live


def _last_of_turns(segments):
    """The last segment of each turn: the words of a turn come together."""
    for this, following in zip(segments, segments[1:] + [None]):
        if following is None or following[0] - this[0] > 0.05:
            yield this


def _as_integers(samples):
    import numpy

    if samples.dtype == numpy.int16:
        return samples
    return numpy.clip(numpy.round(samples * 32768.0), -32768, 32767).astype("<i2")


if __name__ == "__main__":
    main()
