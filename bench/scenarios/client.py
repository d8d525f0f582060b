"""A client of our own, for what wrk cannot tell: a connection's share, first requests, thousands that wait."""

import json
from collections.abc import Callable
from time import perf_counter

from bench.load import Tally
from bench.service import Service


class Client:
    """Executes over one connection, one request at a time, and tells `tally` of each.

    Args:
        path: of the session.
        cooperative: let other greenlets work while this one waits.
    """

    def __init__(self, service: Service, path: str, tally: Tally, *, cooperative: bool = True) -> None:
        self._connection = service.connect(cooperative=cooperative)
        self._path = path
        self._tally = tally
        self.answers = 0

    def execute(self, number: int, path: str = "") -> None:
        """Ask for one more than the number."""
        body = b'{"params": {"n": %d}}' % number
        self._ask(path or self._path, body, "", lambda document: document.get("result") == number + 1)

    def initialize(self, headers: str, script: str) -> None:
        """Open a session."""
        body = json.dumps({"script_content": script}).encode()
        right = lambda document: document.get("status") == "initialized"  # noqa: E731
        self._ask("/api/v1/initialize", body, headers, right)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, path: str, body: bytes, headers: str, right: Callable[[dict[str, object]], bool]) -> None:
        started = perf_counter()
        try:
            answer = self._connection.post(path, body, headers)
        except OSError:
            self._tally.broken += 1
            return
        took = (perf_counter() - started) * 1000
        if answer.status != 200:
            self._tally.refused += 1
        elif not right(json.loads(answer.body)):
            self._tally.wrong += 1
        else:
            self.answers += 1
            self._tally.took.append(took)
