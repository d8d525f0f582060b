"""Output of a script: read continuously, kept within a bound, and returned per run."""

import os

import gevent
from gevent.os import nb_read

_CHUNK = 64 * 1024
#: Most bytes that `take` reads itself: more than a pipe of the default size holds.
_MAX_DRAIN = 1024 * 1024


class Output:
    """One output stream of a worker: the reading end of a pipe.

    A greenlet drains the pipe, so that the worker never blocks on a full one. Of the bytes between two calls of
    `take` it keeps the head and the tail, together at most `max_bytes`.

    Args:
        descriptor: The reading end, non-blocking. `close` closes it.
        max_bytes: Most bytes to keep.

    Attributes:
        descriptor: The reading end.
        total_bytes: All bytes that have arrived since `discard`.
    """

    def __init__(self, descriptor: int, max_bytes: int) -> None:
        self.descriptor = descriptor
        self._half = max_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self.total_bytes = 0
        self._greenlet = gevent.spawn(self._drain)

    def discard(self) -> None:
        """Forget everything that has arrived so far."""
        if self.total_bytes:
            self._forget()
            self.total_bytes = 0

    def take(self) -> str:
        r"""Return the text since the last call, including what is still in the pipe. Does not wait.

        Bytes that are not UTF-8 are escaped as in `\xff`.
        """
        self._read_what_is_there()
        if not self._head:
            return ""
        text = self._text()
        self._forget()
        return text

    def close(self) -> None:
        """Stop reading and close the descriptor."""
        self._greenlet.kill()
        os.close(self.descriptor)

    def _forget(self) -> None:
        self._head, self._tail, self._dropped = bytearray(), bytearray(), 0

    def _drain(self) -> None:
        while chunk := nb_read(self.descriptor, _CHUNK):
            self._keep(chunk)

    def _read_what_is_there(self) -> None:
        for _ in range(_MAX_DRAIN // _CHUNK):
            try:
                chunk = os.read(self.descriptor, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                return
            self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        self.total_bytes += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def _text(self) -> str:
        if not self._dropped:
            return (self._head + self._tail).decode("utf-8", "backslashreplace")
        head, tail = _without_partial_end(self._head), _without_partial_start(self._tail)
        dropped = self._dropped + len(self._head) - len(head) + len(self._tail) - len(tail)
        return (
            head.decode("utf-8", "backslashreplace")
            + f"\n... {dropped} bytes left out ...\n"
            + tail.decode("utf-8", "backslashreplace")
        )


def _without_partial_start(data: bytearray) -> bytearray:
    """Remove the last bytes of a character that was cut in two."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]


def _without_partial_end(data: bytearray) -> bytearray:
    """Remove the first bytes of a character that was cut in two."""
    for back in range(1, min(3, len(data)) + 1):
        lead = data[-back]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return data[:-back] if back < length else data
    return data
