"""A server that speaks OpenAI's transcription protocol and hears with faster-whisper, on this machine alone.

    server.py        the HTTP server, its routes and its limits
    client_stream.py a client's connection, with bounds for its head, its size and its time
    forms.py         the form of a request, and the options in it
    answers.py       the formats of an answer
    recogniser.py    the model, and the decoding of recordings
    models.py        where the model comes from
    refusal.py       an error in OpenAI's shape

`python -m speech_server` starts it; deploy/local/run.py does that for `make local`. tests/speech has a subclass with OpenAI's
own limits.
"""
