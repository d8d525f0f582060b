"""The front's end of a worker's channel."""

from typing import Any

from gevent import get_hub, socket

from runtime.frames import Channel
from runtime.json_codec import decode, encode

_READABLE = 1


class ProcessChannel(Channel):
    """Frames to and from a process, one answer to each question.

    It waits for the answer at once: a process is never so quick that looking for it first would not be in vain.
    """

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        super().__init__(sock, max_bytes)
        self._hub = get_hub()
        self._readable = self._hub.loop.io(sock.fileno(), _READABLE)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a frame and wait for one. Raises as `send` and `receive` do."""
        self.send_encoded(encode(question))
        return decode(self.receive_encoded())

    def close(self) -> None:
        """Wait no more, and close the socket."""
        self._readable.close()
        super().close()

    def _some(self) -> bytes:
        self._hub.wait(self._readable)
        return super()._some()
