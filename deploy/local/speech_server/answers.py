"""The formats of an answer: JSON, text, subtitles, and the events of a stream."""

import json
import math

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"


def whole(heard, seconds, options):
    """Returns the content type and the text of a whole answer."""
    segments = list(heard.segments)
    text = "".join(segment.text for segment in segments).strip()
    if options.format == "json":
        return JSON, json.dumps({"text": text, "usage": usage(seconds)})
    if options.format == "text":
        return PLAIN, text + "\n"
    if options.format == "srt":
        numbered = enumerate(segments, 1)
        cues = (f"{number}\n{_range(segment, ',')}\n{segment.text.strip()}\n\n" for number, segment in numbered)
        return PLAIN, "".join(cues)
    if options.format == "vtt":
        cues = (f"{_range(segment, '.')}\n{segment.text.strip()}\n\n" for segment in segments)
        return PLAIN, "WEBVTT\n\n" + "".join(cues)
    answer = {"task": options.asked.task, "language": heard.language, "duration": seconds, "text": text}
    if options.segments:
        answer["segments"] = [segment.verbose(number) for number, segment in enumerate(segments)]
    if options.asked.words:
        answer["words"] = [word for segment in segments for word in segment.words]
    return JSON, json.dumps(answer | {"usage": usage(seconds)})


def events(segments, seconds):
    """Yields the events of a stream: the text in pieces, then the whole of it."""
    text = ""
    for segment in segments:
        for delta in _deltas(segment.text if text else segment.text.lstrip()):
            text += delta
            yield {"type": "transcript.text.delta", "delta": delta}
    yield {"type": "transcript.text.done", "text": text, "usage": usage(seconds)}


def usage(seconds):
    """Returns what a recording of this length counts for."""
    return {"type": "duration", "seconds": math.ceil(seconds)}


def _range(segment, point):
    return f"{_clock(segment.start, point)} --> {_clock(segment.end, point)}"


def _clock(seconds, point):
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _deltas(text):
    """Returns a text in pieces that begin where a word does, each with the space before it."""
    words = text.split(" ")
    return [delta for delta in (words[0], *(f" {word}" for word in words[1:])) if delta]
