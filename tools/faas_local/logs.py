"""What functions write, line by line: kept in a file, and told to those who follow."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gevent.queue import Empty, Full, Queue

from tools.faas_local.deployment import NAMESPACE

#: Bytes of a file, after which a new one is begun; the one before is kept.
FILE_BYTES = 16 << 20
#: Lines that wait for a slow reader; one that lags further behind is let go.
BACKLOG = 10_000
#: Seconds without a line after which an empty one shows whether the reader is still there.
HEARTBEAT = 5.0


@dataclass(frozen=True)
class Query:
    """What of a log is asked for.

    Args:
        since: leave out what was written before.
        tail: at most so many lines of what is there; all when 0 or less.
        instance: of one process only.
        follow: go on with what comes.
    """

    since: datetime | None = None
    tail: int = 0
    instance: str = ""
    follow: bool = False

    def takes(self, message: dict[str, str]) -> bool:
        if self.instance and message["instance"] != self.instance:
            return False
        return self.since is None or datetime.fromisoformat(message["timestamp"]) >= self.since


class Log:
    """One function's log.

    Args:
        path: of the file; need not exist.
        name: of the function.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._followers: set[Queue[str | None]] = set()
        self._removed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)

    def write(self, instance: str, text: str) -> None:
        """One line, of any length. After the function's removal its last lines are nobody's."""
        if self._removed:
            return
        message = {
            "name": self._name,
            "namespace": NAMESPACE,
            "instance": instance,
            "timestamp": datetime.now(UTC).isoformat(),
            "text": text,
        }
        line = json.dumps(message) + "\n"
        if self._path.stat().st_size > FILE_BYTES:
            self._path.rename(self._before)
        with self._path.open("a") as file:
            file.write(line)
        for follower in list(self._followers):
            self._tell(follower, line)

    def read(self, query: Query) -> Iterator[str]:
        """Lines of JSON with an end each. Following, it ends with the function's log, or with its reader."""
        queue: Queue[str | None] = Queue(BACKLOG)
        self._followers.add(queue)
        try:
            yield from deque(self._kept(query), query.tail if query.tail > 0 else None)
            if query.follow:
                yield from _followed(queue, query)
        finally:
            self._followers.discard(queue)

    def end(self) -> None:
        """Nothing more is written: whoever follows is told so."""
        for follower in list(self._followers):
            self._tell(follower, None)

    def remove(self) -> None:
        """The function is gone, and so is what it wrote."""
        self._removed = True
        self.end()
        for path in (self._path, self._before):
            path.unlink(missing_ok=True)

    @property
    def _before(self) -> Path:
        return self._path.with_suffix(".log.1")

    def _kept(self, query: Query) -> list[str]:
        kept: list[str] = []
        for path in (self._before, self._path):
            if path.is_file():
                with path.open() as lines:
                    kept += [line for line in lines if query.takes(json.loads(line))]
        return kept

    def _tell(self, follower: "Queue[str | None]", line: str | None) -> None:
        try:
            follower.put_nowait(line)
        except Full:
            self._followers.discard(follower)
            follower.get_nowait()
            follower.put_nowait(None)


def _followed(queue: "Queue[str | None]", query: Query) -> Iterator[str]:
    while True:
        try:
            line = queue.get(timeout=HEARTBEAT)
        except Empty:
            yield "\n"
            continue
        if line is None:
            return
        if query.takes(json.loads(line)):
            yield line
