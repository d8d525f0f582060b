"""Idle workers, by key and by the time since they became idle."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar


class Key(NamedTuple):
    """What a worker belongs to: one tenant, one script, one set of options, and one environment or none."""

    tenant: str
    script_hash: str
    options: str
    environment: str = ""


class Poolable(Protocol):
    """What a pool requires of a worker."""

    #: Whether it holds its script.
    loaded: bool
    #: Memory that no file backs, after its last answer.
    resident_bytes: int

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as is known."""

    def suspend(self) -> None:
        """Stop its process until `resume`."""

    def resume(self) -> None:
        """Continue its process. Does nothing if it is not suspended."""

    def kill(self) -> None:
        """Kill its process. Does not wait."""

    def close(self) -> None:
        """Kill its process, wait for its end, and release its resources."""


W = TypeVar("W", bound=Poolable)


class _Entry(NamedTuple):
    key: Key
    since: float
    bytes: int


class IdleWorkers(Generic[W]):
    """The idle workers of a pool. Each operation takes constant time, unless it says otherwise.

    Attributes:
        resident_bytes: Memory of all of them together.
    """

    def __init__(self) -> None:
        # Both have the worker that has been idle for longest first.
        self._by_age: OrderedDict[W, _Entry] = OrderedDict()
        self._by_key: dict[Key, deque[W]] = {}
        self.resident_bytes = 0

    def __len__(self) -> int:
        return len(self._by_age)

    def __contains__(self, worker: W) -> bool:
        return worker in self._by_age

    def has(self, key: Key) -> bool:
        """Return whether there is a worker of the key."""
        return key in self._by_key

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest one became idle; 0 when there is none."""
        if not self._by_age:
            return 0.0
        return time.monotonic() - next(iter(self._by_age.values())).since

    def put(self, key: Key, worker: W) -> None:
        """Add a worker that has become idle."""
        entry = _Entry(key, time.monotonic(), worker.resident_bytes)
        self._by_age[worker] = entry
        self._by_key.setdefault(key, deque()).append(worker)
        self.resident_bytes += entry.bytes

    def take(self, key: Key) -> W | None:
        """Remove and return the worker of the key that was used last; None when there is none."""
        if key not in self._by_key:
            return None
        worker = self._by_key[key].pop()
        self._forget(worker, self._by_age.pop(worker))
        return worker

    def take_oldest(self) -> W:
        """Remove and return the worker that has been idle for longest.

        Raises:
            KeyError: There is no idle worker.
        """
        worker, entry = self._by_age.popitem(last=False)
        self._by_key[entry.key].popleft()
        self._forget(worker, entry)
        return worker

    def take_oldest_of(self, wanted: Callable[[Key], bool]) -> W | None:
        """Remove and return the one idle for longest of those with a wanted key. Takes time for each idle worker."""
        found = next((worker for worker, entry in self._by_age.items() if wanted(entry.key)), None)
        if found is not None:
            self._remove(found)
        return found

    def take_dead(self) -> list[W]:
        """Remove and return the workers whose processes have ended. Takes time for each idle worker."""
        dead = [worker for worker in self._by_age if not worker.alive]
        for worker in dead:
            self._remove(worker)
        return dead

    def _remove(self, worker: W) -> None:
        entry = self._by_age.pop(worker)
        self._by_key[entry.key].remove(worker)
        self._forget(worker, entry)

    def _forget(self, worker: W, entry: _Entry) -> None:
        self.resident_bytes -= entry.bytes
        if not self._by_key[entry.key]:
            del self._by_key[entry.key]
