"""Where in a recording the pieces lie that a provider received."""

import dataclasses

import numpy

from recordings import RATE

FRAME = RATE // 100


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of a recording, in samples, and how alike the two sound: 1 is the same."""

    start: int
    end: int
    likeness: float


def locate_all(received, whole):
    """The pieces in the order of time."""
    levels = _levels(whole)
    return sorted((_locate(piece, whole, levels) for piece in received), key=lambda piece: piece.start)


def _locate(piece, whole, levels):
    """First by its loudness, then by its samples: the sound may have been through a lossy codec."""
    pattern = _levels(piece)
    rough = int(numpy.argmax(_correlate(pattern, levels))) * FRAME
    # The loudest second says more than the others.
    power = numpy.add.reduceat(piece.astype(numpy.float64) ** 2, numpy.arange(0, len(piece), RATE))
    first = min(int(numpy.argmax(power)) * RATE, max(0, len(piece) - RATE))
    sample = piece[first : first + RATE]
    reach = 2 * FRAME
    low = max(0, rough + first - reach)
    around = whole[low : rough + first + reach + len(sample)]
    if len(around) < len(sample):
        return Piece(rough, rough + len(piece), 0.0)
    likeness = _correlate(sample, around)
    best = int(numpy.argmax(likeness))
    start = low + best - first
    return Piece(start, start + len(piece), float(likeness[best]))


def _levels(sound):
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME).astype(numpy.float64)
    return 10 * numpy.log10(numpy.mean(frames**2, axis=1) + 1e-8)


def _correlate(pattern, series):
    """How alike a pattern is to each stretch of a series: the correlation coefficient."""
    pattern, series = pattern.astype(numpy.float64), series.astype(numpy.float64)
    count = len(pattern)
    if count > len(series):
        pattern, count = pattern[: len(series)], len(series)
    pattern = pattern - pattern.mean()
    size = 1 << (len(series) + count - 1).bit_length()
    spectrum = numpy.fft.rfft(series, size) * numpy.conj(numpy.fft.rfft(pattern, size))
    products = numpy.fft.irfft(spectrum, size)[: len(series) - count + 1]
    sums = numpy.cumsum(numpy.concatenate(([0.0], series)))
    squares = numpy.cumsum(numpy.concatenate(([0.0], series**2)))
    total = sums[count:] - sums[:-count]
    spread = squares[count:] - squares[:-count] - total**2 / count
    return products / numpy.sqrt(numpy.maximum(spread, 1e-9) * max(float(numpy.sum(pattern**2)), 1e-9))
