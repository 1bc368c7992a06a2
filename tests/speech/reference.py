"""A cutter that knows the pauses: what the gateway is measured against has to be attainable, and this shows by how much.

In `run.py --reference` it stands where the gateway stands otherwise: it cuts in the middle of the longest pause near the
target, leaves long silences out, and for a model without times estimates them by characters and by the pauses that it knows.
"""

import dataclasses

import pieces
import recogniser
import score

WINDOW = 15.0  # seconds before and after the target
SILENCE = 3.0  # a longer pause is not sent
PADDING = 0.3
SUBTITLE_TARGET, SUBTITLE_WINDOW = 20.0, 9.0
SNAP = 1.5  # the furthest pause that an estimated time moves to
RATE = recogniser.RATE


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back for one recording."""

    text: str
    cues: list
    pieces: list


def transcribe(hears, recording, case, piece_seconds):
    """Does what the gateway does, with what only the maker of the recording knows."""
    samples = recogniser.decode(recording.path)
    target, window = (piece_seconds, min(WINDOW, piece_seconds / 3))
    if case.format == "srt":
        target, window = SUBTITLE_TARGET, SUBTITLE_WINDOW
    cues, found = [], []
    for start, end in _cuts(recording, target, window):
        first, last = round(start * RATE), min(len(samples), round(end * RATE))
        found.append(pieces.Piece(first, last, 1.0))
        heard = list(hears.hear(samples[first:last]).segments)
        if case.format == "srt":
            cues += _estimated("".join(segment.text for segment in heard), start, end, recording)
        else:
            cues += [score.Cue(part.text, start + part.start, min(end, start + part.end)) for part in heard]
    return Answer(" ".join(cue.text.strip() for cue in cues), cues, found)


def _cuts(recording, target, window):
    """Where each piece starts and ends."""
    sentences = recording.sentences
    edges, first = [], 0
    for index in range(1, len(sentences) + 1):
        if index == len(sentences) or sentences[index].start - sentences[index - 1].end >= SILENCE:
            edges.append((first, index))
            first = index
    for first, last in edges:
        start = max(0.0, sentences[first].start - PADDING)
        final = min(recording.seconds, sentences[last - 1].end + PADDING)
        pauses = list(zip(sentences[first : last - 1], sentences[first + 1 : last]))
        while final - start > target + window:
            near = [
                (following.start - before.end, (before.end + following.start) / 2)
                for before, following in pauses
                if abs((before.end + following.start) / 2 - start - target) <= window
            ]
            cut = max(near)[1] if near else start + target
            yield start, cut
            start = cut
        yield start, final


def _estimated(text, start, end, recording):
    """Cues for the sentences of a piece whose text is all that is known."""
    said = [part.strip() + "." for part in text.replace("?", ".").replace("!", ".").split(".") if part.strip()]
    spoken = [sentence for sentence in recording.sentences if start <= sentence.start < end]
    if not said or not spoken:
        return
    # The piece begins and ends with a pause, which no character is for.
    begin, finish, position = spoken[0].start, spoken[-1].end, 0
    total = sum(len(part) for part in said)
    for part in said:
        at = begin + position / total * (finish - begin)
        nearest = min((sentence.start for sentence in spoken), key=lambda time: abs(time - at))
        position += len(part)
        until = begin + position / total * (finish - begin)
        yield score.Cue(part, nearest if abs(nearest - at) <= SNAP else at, until)
