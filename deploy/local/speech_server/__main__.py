"""Starts the server, prints a line of JSON that says where it is and what it can do, and serves until standard input ends.

The key and the model come in variables: arguments can be seen by every user of the machine.
"""

import json
import os
import sys

from . import models
from .recogniser import Recogniser
from .server import SpeechServer

NAME = "faster-whisper"  # what the model is called in requests, and in deploy/local/voxgate.toml


def main():
    # Libraries print; what they print is not for whoever reads the line.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        folder = models.find(os.environ.get("VOXGATE_LOCAL_MODEL") or models.DEFAULT)
        hears = Recogniser(folder, threads=_processors())
        languages = hears.languages
    except (models.ModelMissing, RuntimeError, ValueError) as error:
        sys.exit(f"voxgate: {error}")
    server = SpeechServer(hears, os.environ["VOXGATE_LOCAL_KEY"], NAME).start()
    print(json.dumps({"address": server.address, "languages": languages}), file=output, flush=True)
    # The end of whoever started this ends it too, however that came.
    sys.stdin.buffer.read()


def _processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


if __name__ == "__main__":
    main()
