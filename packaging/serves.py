"""Starts an installed gateway in an empty folder, asks whether it is ready, and stops it: `serves.py COMMAND…`.

The gateway has no key, so it serves from its sandbox, and no settings but free ports. SIGTERM has to end it with status 0; a
command that starts the gateway has to pass the signal on.
"""

import http.client
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

TIMEOUT = 60  # seconds


def main():
    command = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="voxgate-package-") as folder:
        variables = {
            "HOME": folder,
            "PATH": os.environ["PATH"],
            "VOXGATE_BIND": "127.0.0.1:0",
            "VOXGATE_OPS_BIND": "127.0.0.1:0",
            "VOXGATE_LOG__FORMAT": "json",
        }
        outputs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=folder, env=variables, **outputs)
        log, address = [], queue.SimpleQueue()
        threading.Thread(target=_read, args=(process.stderr, log, address), daemon=True).start()
        try:
            listening = address.get(timeout=TIMEOUT)
            if listening is None:
                sys.exit(f"{command} did not start:\n{''.join(log)}")
            connection = http.client.HTTPConnection(listening, timeout=TIMEOUT)
            connection.request("GET", "/health/ready")
            status = connection.getresponse().status
            connection.close()
            if status != 200:
                sys.exit(f"{command}: /health/ready is {status}")
            if not (pathlib.Path(folder) / "voxgate-data").is_dir():
                sys.exit(f"{command}: the gateway does not run in the folder where it was started")
            process.terminate()
            if process.wait(TIMEOUT) != 0 or not any('"stopped"' in line for line in log):
                sys.exit(f"{command} ended with {process.returncode}:\n{''.join(log)}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _read(lines, log, address):
    for line in lines:
        log.append(line)
        if '"listening"' in line:
            address.put(json.loads(line)["address"])
    address.put(None)


if __name__ == "__main__":
    main()
