"""Records two and a half seconds with a real browser's MediaRecorder: python3 record.py OUT.webm

Chromium is given a page that records its built-in fake microphone and posts the recording back. Only a browser writes
WebM in just this way: no duration, segment and clusters of unknown size.
"""

import http.server
import subprocess
import sys
import tempfile
import threading

PAGE = b"""<!doctype html><script>
(async () => {
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(microphone, { mimeType: "audio/webm;codecs=opus", audioBitsPerSecond: 24000 });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => fetch("/recording", { method: "POST", body: new Blob(parts) });
  recorder.start(250);
  setTimeout(() => recorder.stop(), 2500);
})();
</script>"""

recording = []
received = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self):
        recording.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        received.set()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()

with tempfile.TemporaryDirectory() as profile:
    browser = subprocess.Popen(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_address[1]}/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    arrived = received.wait(timeout=60)
    browser.terminate()
    browser.wait(timeout=30)

if not arrived:
    sys.exit("record.py: the browser sent no recording within a minute")
with open(sys.argv[1], "wb") as out:
    out.write(recording[0])
