"""The form of a request, and the options in it."""

import dataclasses

from .recogniser import Asked
from .refusal import Refusal

MAX_FIELDS = 64
MAX_FIELD = 64 << 10  # bytes of a text field
STREAMED = ("json", "text")


@dataclasses.dataclass(frozen=True)
class Form:
    """The text fields of a form, each with all its values, and the bytes of its file."""

    fields: dict
    file: bytes | None

    def last(self, name, default=None):
        """Returns the last value of a field."""
        return self.fields.get(name, [default])[-1]

    def model(self):
        """Returns the name of the model, which a form has to give."""
        model = self.last("model")
        if not model:
            raise Refusal(400, "you must provide a model parameter", param="model")
        return model


@dataclasses.dataclass(frozen=True)
class Options:
    """What a form asks for."""

    format: str
    stream: bool
    segments: bool
    asked: Asked


@dataclasses.dataclass(frozen=True)
class Abilities:
    """What a model can do. `languages` is None if any is taken."""

    formats: tuple
    streams: bool = True
    tasks: tuple = ("transcribe", "translate")
    languages: tuple | None = None


def parse(content_type, body):
    """Parses a multipart form."""
    kind, _, boundary = content_type.partition("boundary=")
    if not kind.lower().startswith("multipart/form-data") or not boundary:
        raise Refusal(400, "the body must be multipart/form-data")
    mark = b"\r\n--" + boundary.split(";")[0].strip().strip('"').encode()
    body = b"\r\n" + body
    fields, file, count = {}, None, 0
    end = body.find(mark)
    while end >= 0:
        start = end + len(mark)
        if body.startswith(b"--", start):
            return Form(fields, file)
        end = body.find(mark, start)
        head, _, content = body[start : max(start, end)].partition(b"\r\n\r\n")
        name = _parameter(head.decode(errors="replace"), "name")
        if name == "file":
            file = content
        elif name:
            count += 1
            if count > MAX_FIELDS or len(content) > MAX_FIELD:
                raise Refusal(400, f"the form has more than {MAX_FIELDS} fields, or one of more than {MAX_FIELD} bytes")
            fields.setdefault(name, []).append(content.decode(errors="replace"))
    raise Refusal(400, "the form has no end")


def read_options(form, task, abilities):
    """Reads what a form asks of a model that has these abilities."""
    if task not in abilities.tasks:
        raise Refusal(400, "this model hears English only and translates nothing", param="model", code="unsupported_value")
    response_format = form.last("response_format", "json")
    if response_format not in abilities.formats:
        allowed = " or ".join(f"'{name}'" for name in abilities.formats)
        message = f"response_format '{response_format}' is not compatible with model '{form.model()}'. Use {allowed} instead."
        raise Refusal(400, message, param="response_format", code="unsupported_value")
    language = form.last("language") or None
    if language and abilities.languages is not None and language not in abilities.languages:
        raise Refusal(400, f"this model does not know the language '{language}'", param="language", code="unsupported_value")
    granularities = form.fields.get("timestamp_granularities[]", ["segment"])
    return Options(
        format=response_format,
        # The events of a stream have no subtitles: those come whole, and the gateway makes events of them.
        stream=form.last("stream") == "true" and abilities.streams and response_format in STREAMED,
        segments="segment" in granularities,
        asked=Asked(
            task=task,
            language=language,
            prompt=form.last("prompt") or None,
            temperature=_temperature(form.last("temperature")),
            words=response_format == "verbose_json" and "word" in granularities,
        ),
    )


def _temperature(text):
    if not text:
        return None
    try:
        temperature = float(text)
    except ValueError:
        temperature = -1.0
    if not 0.0 <= temperature <= 1.0:
        raise Refusal(400, "temperature must be a number from 0 to 1", param="temperature", code="invalid_value")
    # 0 asks for OpenAI's rule, which is the model's own: begin at 0 and rise where the text repeats itself.
    return temperature or None


def _parameter(head, name):
    for line in head.split("\r\n"):
        if line.lower().startswith("content-disposition:"):
            for item in line.split(";")[1:]:
                key, _, value = item.strip().partition("=")
                if key.lower() == name:
                    return value.strip('"')
    return None
