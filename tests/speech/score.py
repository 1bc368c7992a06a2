"""How well a transcript fits what was said: words, seams and times."""

import dataclasses
import re

import numpy

NEAR = 2.0  # seconds on each side of a seam


@dataclasses.dataclass(frozen=True)
class Cue:
    """A segment or a subtitle: what was heard, and when, in seconds."""

    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Seam:
    """Where one piece ends and the next begins, in seconds. What is between is not sent."""

    end: float
    start: float


@dataclasses.dataclass(frozen=True)
class Score:
    """What a transcript is worth."""

    # For each word that was said, the errors at it: itself misheard or lost, and words too many after it.
    word_errors: list
    words_near: int
    errors_near: int
    seams: int
    start_errors: list

    @property
    def words(self):
        """How many words were said."""
        return len(self.word_errors)

    @property
    def errors(self):
        """How many errors there are."""
        return sum(self.word_errors)

    @property
    def error_rate(self):
        """Errors in a hundred words."""
        return 100 * self.errors / self.words

    @property
    def excess_per_seam(self):
        """Errors at a seam beyond those that as many words have elsewhere."""
        if not self.seams:
            return 0.0
        elsewhere = (self.errors - self.errors_near) / max(1, self.words - self.words_near)
        return (self.errors_near - elsewhere * self.words_near) / self.seams

    @property
    def start_p95(self):
        """The 95th percentile of how far from its sentence a cue begins, in seconds."""
        return float(numpy.percentile(self.start_errors, 95)) if self.start_errors else float("inf")

    @property
    def start_median(self):
        """The median of the same."""
        return float(numpy.median(self.start_errors)) if self.start_errors else float("inf")


def pool(scores):
    """Several transcripts as one: each word and each seam counts the same."""
    values = zip(*(dataclasses.astuple(score) for score in scores))
    return Score(*(sum(each, []) if isinstance(each[0], list) else sum(each) for each in values))


def chance(one, other):
    """How far the error rates of two transcripts of the same words may differ by chance: one standard deviation, in points.

    A recogniser mishears other words as soon as anything changes, such as where a piece begins. Each word at which only one
    of the two errs could as well have been the other's.
    """
    differing = sum((left - right) ** 2 for left, right in zip(one.word_errors, other.word_errors))
    return 100 * differing**0.5 / one.words


def score(sentences, cues, seams=()):
    """Compares what was heard with what was said.

    Only cues that begin with the first word of a sentence tell when it starts: where others begin, nobody said.
    """
    said, times, firsts = [], [], {}
    for sentence in sentences:
        words = normalised(sentence.text)
        firsts[len(said)] = sentence
        said += words
        times += _word_times(sentence, words)
    heard, beginnings = [], {}
    for cue in cues:
        words = normalised(cue.text)
        if words:
            beginnings[len(heard)] = cue
            heard += words
    word_errors, starts, last = [0] * len(said), [], 0
    for said_index, heard_index in align(said, heard):
        last = last if said_index is None else said_index
        if said_index is None or heard_index is None or said[said_index] != heard[heard_index]:
            word_errors[last] += 1
        if said_index in firsts and heard_index in beginnings:
            starts.append(abs(beginnings[heard_index].start - firsts[said_index].start))
    near = [errors for errors, time in zip(word_errors, times) if _is_near(time, seams)]
    return Score(word_errors, len(near), sum(near), len(seams), starts)


def normalised(text):
    """The words of a text, without what is only spelling."""
    return re.sub(r"[^a-z0-9 ]", "", re.sub(r"[-\u2013\u2014\s]", " ", text.lower().replace("\u2019", "'"))).split()


def align(said, heard):
    """Pairs of an index into what was said and one into what was heard, either None, with the fewest errors."""
    numbers = {word: number for number, word in enumerate({*said, *heard})}
    heard_numbers = numpy.array([numbers[word] for word in heard], numpy.int32)
    columns = numpy.arange(len(heard) + 1, dtype=numpy.int32)
    costs = numpy.empty((len(said) + 1, len(heard) + 1), numpy.int32)
    costs[0] = columns
    for row, word in enumerate(said, 1):
        above = costs[row - 1]
        best = above + 1
        best[1:] = numpy.minimum(best[1:], above[:-1] + (heard_numbers != numbers[word]))
        # Then those that come from the left, each one dearer than its neighbour.
        costs[row] = numpy.minimum.accumulate(best - columns) + columns
    pairs, row, column = [], len(said), len(heard)
    while row or column:
        cost = costs[row, column]
        differs = row and column and said[row - 1] != heard[column - 1]
        if row and column and cost == costs[row - 1, column - 1] + differs:
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif row and cost == costs[row - 1, column] + 1:
            row -= 1
            pairs.append((row, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def cues_of(text):
    """The cues of a file in SRT or WebVTT."""
    cues = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()):
        lines = block.split("\n")
        timed = [index for index, line in enumerate(lines) if "-->" in line]
        if timed:
            start, end = (_seconds(clock) for clock in lines[timed[0]].split("-->"))
            cues.append(Cue(" ".join(lines[timed[0] + 1 :]), start, end))
    return cues


def _seconds(clock):
    *hours, minutes, seconds = clock.split()[0].replace(",", ".").split(":")
    return (int(hours[0]) if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)


def _word_times(sentence, words):
    """The middle of each word, as if each letter took the same time."""
    lengths = numpy.array([len(word) + 1 for word in words], float)
    ends = numpy.cumsum(lengths)
    return list(sentence.start + (ends - lengths / 2) / ends[-1] * (sentence.end - sentence.start))


def _is_near(time, seams):
    return any(seam.end - NEAR <= time <= seam.start + NEAR for seam in seams)
