"""The DevTools protocol over a pair of pipes: commands, their answers, and events. Nothing but Chromium is needed."""

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
#: Bytes that are read in one go.
_CHUNK = 1 << 16


class DevToolsError(Exception):
    """The browser refused a command, or does not answer. The message is one line."""


class DevTools:
    """One connection. It belongs to one thread, and hears events while it waits.

    Args:
        writes: the file descriptor of the browser's input.
        reads: the file descriptor of its output.
        timeout: seconds that an answer may take.
    """

    def __init__(self, writes: int, reads: int, timeout: float = 60) -> None:
        self._writes = writes
        self._reads = reads
        self._timeout = timeout
        self._last = 0
        self._buffer = b""
        self._listeners: dict[str, Callable[[Event], None]] = {}

    def listen(self, session: str, heard: Callable[[Event], None]) -> None:
        """Hand the events of a session to a function."""
        self._listeners[session] = heard

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command and return its answer. Raises DevToolsError."""
        self._last += 1
        mine = self._last
        message: dict[str, Any] = {"id": mine, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        sent = json.dumps(message).encode() + b"\0"
        while sent:
            sent = sent[os.write(self._writes, sent) :]
        until = time.monotonic() + self._timeout
        while True:
            answer = self._receive(until, method)
            if answer.get("id") == mine:
                break
            self._heard(answer)
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self, until: float, method: str) -> Event:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reads], [], [], max(0.0, until - time.monotonic()))
            read = os.read(self._reads, _CHUNK) if ready else b""
            if not read:
                raise DevToolsError(f"{method}: the browser {'has ended' if ready else 'does not answer'}")
            self._buffer += read
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: Event = json.loads(text)
        return message

    def _heard(self, event: Event) -> None:
        if listener := self._listeners.get(event.get("sessionId", "")):
            listener(event)
