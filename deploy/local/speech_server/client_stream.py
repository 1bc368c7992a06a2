"""A client's connection, with bounds for its head, its size and its time."""

import re
import select
import socket
import time

MAX_HEAD = 32 << 10  # bytes of a request's head, of the lines between chunks, and of the trailers
KEEP_ALIVE = 120.0  # seconds for a next request of a client that has the key: longer than the gateway keeps a connection
HEAD_TIMEOUT = 10.0  # of a client that has not shown the key, from its first moment
IDLE_TIMEOUT = 30.0  # seconds in which a client sends nothing of its body, or reads nothing of its answer
BODY_TIMEOUT = 300.0
BLOCK = 1 << 16
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class HeadTooLarge(Exception):
    """The head of a request, or the lines that frame its body, are larger than allowed."""


class Malformed(Exception):
    """The framing of the body is not HTTP/1.1."""


class ClientStream:
    """What `http.server` reads a request from and writes the answer to. Every wait ends."""

    closed = False

    def __init__(self, connection):
        self._connection = connection
        self._buffer = b""
        self._deadline, self._idle, self._lines = None, HEAD_TIMEOUT, 0
        self.is_known = False  # whether the client has shown the key
        self.begin_head()

    def begin_head(self):
        """Waits for the next request. Its time begins with its first byte, and that of a client's first request at once."""
        if self.is_known:
            self._deadline, self._idle, self._lines = None, KEEP_ALIVE, MAX_HEAD
        else:
            self._deadline, self._idle, self._lines = time.monotonic() + HEAD_TIMEOUT, HEAD_TIMEOUT, MAX_HEAD

    def begin_body(self):
        """Reads a body, whose time begins now."""
        self._deadline, self._idle, self._lines = time.monotonic() + BODY_TIMEOUT, IDLE_TIMEOUT, MAX_HEAD

    def readline(self, _limit=-1):
        """Reads to the end of a line, or of the connection."""
        while b"\n" not in self._buffer and len(self._buffer) < self._lines and self._fill():
            if self._deadline is None:
                self._deadline, self._idle = time.monotonic() + HEAD_TIMEOUT, HEAD_TIMEOUT
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        self._lines -= end
        if self._lines <= 0:
            raise HeadTooLarge
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def body(self, headers):
        """Yields the parts of a body, as the headers frame it."""
        encodings, lengths = (headers.get_all(name, []) for name in ("Transfer-Encoding", "Content-Length"))
        if not encodings:
            length = lengths[0] if lengths else "0"
            if len(lengths) > 1 or not length.isascii() or not length.isdigit() or len(length) > 12:
                raise Malformed
            yield from self._exactly(int(length))
            return
        # Another reader might take a body that is framed in two ways, or in one of its own, for another.
        if lengths or [encoding.strip().lower() for encoding in encodings] != ["chunked"]:
            raise Malformed
        while size := self._chunk_size():
            yield from self._exactly(size)
            self.readline()
        while self.readline().strip():
            pass

    def discard(self, timeout, limit):
        """Reads on while the client sends: if the connection closed now, the client might not see the answer."""
        self._connection.shutdown(socket.SHUT_WR)
        self._deadline, self._idle = time.monotonic() + timeout, timeout
        while limit > 0 and (part := self._receive()):
            limit -= len(part)

    def is_left(self):
        """Returns whether the client has closed the connection."""
        if self._buffer or not select.select([self._connection], [], [], 0)[0]:
            return False
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def write(self, data):
        """Sends all of the data."""
        self._connection.settimeout(IDLE_TIMEOUT)
        self._connection.sendall(data)
        return len(data)

    def flush(self):
        """Does nothing: what is written is sent."""

    def close(self):
        """Marks the stream as closed; the server closes the connection."""
        self.closed = True

    def _exactly(self, size):
        while size:
            if not self._buffer and not self._fill():
                raise ConnectionError("the body ended early")
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(part)
            yield part

    def _chunk_size(self):
        line = self.readline()
        if not line:
            raise ConnectionError("the body ended early")
        size = line.split(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise Malformed
        # Lines between chunks are no reason to refuse a long body.
        self._lines = MAX_HEAD
        return int(size, 16)

    def _fill(self):
        part = self._receive()
        self._buffer += part
        return bool(part)

    def _receive(self):
        wait = self._idle
        if self._deadline is not None:
            wait = min(wait, self._deadline - time.monotonic())
            if wait <= 0:
                raise TimeoutError("the client is too slow")
        self._connection.settimeout(wait)
        return self._connection.recv(BLOCK)
