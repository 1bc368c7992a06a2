"""Runs a speech server and, in front of it, the gateway, until one of them ends or Ctrl-C ends both.

    VOXGATE_LOCAL_MODEL   a folder with a model, or its name at the hub that faster-whisper uses [base]
    VOXGATE_BIN           an installed gateway, instead of `cargo run --release`

deploy/local/run.sh calls it with a Python that has deploy/local/requirements.txt.
"""

import json
import os
import pathlib
import queue
import secrets
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
STOP_TIMEOUT = 45.0  # seconds: the gateway's server.shutdown_timeout, and some more
# Recordings stay on this machine: no other provider is offered, whatever the shell's variables say. What they say of this one
# would contradict the settings here.
NOT_OF_THE_GATEWAY = ("OPENAI_", "VOXGATE_PROVIDERS__", "VOXGATE_MODELS__", "VOXGATE_DEFAULT_MODEL", "VOXGATE_LOCAL_")
# The speech server has no use for the keys of others.
NOT_OF_THE_SERVER = ("OPENAI_", "VOXGATE_")


def main():
    events = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: events.put(("signal", number)))
    key = secrets.token_hex(32)
    server = _start_server(key)
    threading.Thread(target=_watch_server, args=(server, events), daemon=True).start()
    gateway = None
    kind, value = events.get()
    if kind == "ready":
        try:
            gateway = _start_gateway(key, value)
        except OSError as error:
            _stop(server, events)
            sys.exit(f"voxgate: the gateway cannot be started: {error}")
        threading.Thread(target=lambda: events.put(("gateway", gateway.wait())), daemon=True).start()
        kind, value = events.get()
    # The gateway first: its requests in flight need the server.
    status = _stop(gateway, events) if gateway else 0
    _stop(server, events)
    if kind == "server":
        _say(f"the speech server ended with status {_status(value)}" + (", and so the gateway does" if gateway else ""))
        status = _status(value) or 1
    elif kind == "gateway":
        _say(f"the gateway ended with status {_status(value)}, and so the speech server does")
    sys.exit(status)


def _start_server(key):
    variables = _variables_without(NOT_OF_THE_SERVER) | {
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "VOXGATE_LOCAL_KEY": key,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if "VOXGATE_LOCAL_MODEL" in os.environ:
        variables["VOXGATE_LOCAL_MODEL"] = os.environ["VOXGATE_LOCAL_MODEL"]
    command = (sys.executable, "-m", "speech_server")
    # In a session of its own, it does not see Ctrl-C: the gateway may still need it.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
    return subprocess.Popen(command, env=variables, text=True, **pipes)


def _watch_server(server, events):
    line = server.stdout.readline()
    if line:
        events.put(("ready", json.loads(line)))
    events.put(("server", server.wait()))


def _start_gateway(key, server):
    variables = _variables_without(NOT_OF_THE_GATEWAY) | {
        "VOXGATE_CONFIG": str(HERE / "voxgate.toml"),
        "VOXGATE_PROVIDERS__LOCAL__BASE_URL": server["address"],
        "VOXGATE_PROVIDERS__LOCAL__API_KEY": key,
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"))),
    }
    if server["languages"] == ["en"]:
        variables["VOXGATE_MODELS__FASTER-WHISPER__TASKS"] = "transcribe"
    binary = os.environ.get("VOXGATE_BIN")
    command = (binary, "serve") if binary else ("cargo", "run", "--release")
    # The end of this process ends it too, however that came.
    command = (sys.executable, "-I", str(HERE / "tied.py"), str(os.getpid()), *command)
    # In a session of its own, it gets one signal for one Ctrl-C: a second would have it drop requests in flight.
    return subprocess.Popen(command, env=variables, start_new_session=True)


def _variables_without(prefixes):
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(prefixes)}


def _stop(process, events):
    """Ends a process, and returns its status. A further signal has the gateway end at once."""
    if process.poll() is None:
        process.terminate()
    waiter = threading.Thread(target=lambda: (process.wait(), events.put(("stopped", process))), daemon=True)
    waiter.start()
    try:
        while (event := events.get(timeout=STOP_TIMEOUT)) != ("stopped", process):
            if event[0] == "signal" and process.poll() is None:
                process.terminate()
    except queue.Empty:
        process.kill()
    return _status(process.wait())


def _status(code):
    """Returns the exit status that a shell gives for a process."""
    return 128 - code if code < 0 else code


def _say(what):
    print(f"voxgate: {what}.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
