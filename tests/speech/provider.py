"""A transcription provider that hears: a small English recogniser behind OpenAI's protocol, with OpenAI's limits.

    provider.py --key KEY [--port 0] [--max-bytes 26214400] [--max-seconds 1400] [--no-times]

prints its address, `http://127.0.0.1:PORT/v1`, and serves until it is ended. The same sound gives the same transcript.
The model `gpt-transcribe` gives no times: only `json` and `text`. With `--no-times` no model does. The server itself is that
of `make local`.
"""

import argparse

import recogniser  # knows where speech_server is
from speech_server import answers, forms, server

MAX_BYTES = 26_214_400
MAX_SECONDS = 1400
AT_ONCE = 2  # recordings that are heard at the same time; others wait

WITHOUT_TIMES = ("json", "text")
MODELS_WITHOUT_TIMES = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
# As OpenAI has it: this one ignores `stream`.
NEVER_STREAMS = ("whisper-1",)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--max-bytes", type=int, default=MAX_BYTES)
    arguments.add_argument("--max-seconds", type=float, default=MAX_SECONDS)
    arguments.add_argument("--no-times", action="store_true")
    provider = Provider(recogniser.Cached(), **vars(arguments.parse_args()))
    print(provider.address, flush=True)
    try:
        provider.serve_forever()
    except KeyboardInterrupt:
        pass


class Provider(server.SpeechServer):
    """The server, by any model's name, and what it was sent."""

    def __init__(self, hears, key, port=0, max_bytes=MAX_BYTES, max_seconds=MAX_SECONDS, no_times=False):
        limits = server.Limits(max_bytes, max_seconds, recordings_at_once=AT_ONCE, max_requests=8)
        super().__init__(hears, key, "whisper-1", limits, port)
        self.no_times = no_times
        # The samples of each recording that was taken, in the order of their arrival.
        self.received = []

    def abilities(self, model):
        has_times = not self.no_times and model not in MODELS_WITHOUT_TIMES
        formats = answers.FORMATS if has_times else WITHOUT_TIMES
        return forms.Abilities(formats, streams=model not in NEVER_STREAMS)

    def took(self, samples):
        self.received.append(samples)


if __name__ == "__main__":
    main()
