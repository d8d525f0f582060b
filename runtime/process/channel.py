"""The front's end of the channel to a worker."""

from typing import Any

from gevent import get_hub, socket
from gevent.hub import Waiter

from runtime.frames import Channel
from runtime.json_codec import decode, encode

_READABLE = 1


class ProcessChannel(Channel):
    """Exchanges frames with a process: one answer to each question.

    It waits for the socket before it reads: no process answers fast enough for an immediate read to succeed. Its
    watcher goes on between two questions, which saves a system call for each.

    Attributes:
        waiting: What the process has said, since the last question, that its answer waits for; or None.
    """

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        super().__init__(sock, max_bytes)
        self._hub = get_hub()
        self._readable: Any = self._hub.loop.io(sock.fileno(), _READABLE, ref=False)
        self._waiter: Waiter[None] | None = None
        self.waiting: object = None

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a question and return the answer.

        Raises:
            FrameError: see `send` and `receive`.
        """
        self.waiting = None
        self.send_encoded(encode(question))
        answer = decode(self.receive_encoded())
        while "waiting" in answer:
            self.waiting = answer["waiting"]
            answer = decode(self.receive_encoded())
        return answer

    def close(self) -> None:
        """Stop watching the socket and close it."""
        self._readable.stop()
        self._readable.close()
        super().close()

    def _receive_some(self) -> bytes:
        if not self._readable.active:
            self._readable.start(self._arrived)
        waiter = self._waiter = Waiter(self._hub)
        try:
            waiter.get()
        finally:
            self._waiter = None
        return super()._receive_some()

    def _arrived(self) -> None:
        if self._waiter is None:
            self._readable.stop()  # the process has ended, or says what it was not asked
        else:
            self._waiter.switch(None)
