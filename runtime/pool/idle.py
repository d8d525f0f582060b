"""Idle workers: found by their key at once, and known by who has been idle for longest."""

import time
from collections import OrderedDict, deque
from typing import Generic, NamedTuple, Protocol, TypeVar


class Key(NamedTuple):
    """Whose worker it is: of one tenant, one script, one set of options."""

    tenant: str
    script_hash: str
    options: str


class Poolable(Protocol):
    """What a pool asks of a worker."""

    loaded: bool
    """Whether it holds its script."""
    resident_bytes: int
    """Memory of its own after its last answer."""

    @property
    def alive(self) -> bool:
        """False once its process is known to have ended."""

    def suspend(self) -> None:
        """Stop its process until `resume`."""

    def resume(self) -> None:
        """Let it go on, stopped or not."""

    def kill(self) -> None:
        """End its process, without waiting."""

    def close(self) -> None:
        """End its process, wait for that, and give everything back."""


W = TypeVar("W", bound=Poolable)


class _Entry(NamedTuple):
    key: Key
    since: float
    bytes: int


class IdleWorkers(Generic[W]):
    """Every operation takes the same time, however many there are."""

    def __init__(self) -> None:
        self._by_age: OrderedDict[W, _Entry] = OrderedDict()  # the one idle for longest first
        self._by_key: dict[Key, deque[W]] = {}  # and so here
        self.resident_bytes = 0
        """What all of them take together."""

    def __len__(self) -> int:
        return len(self._by_age)

    def __contains__(self, worker: W) -> bool:
        return worker in self._by_age

    @property
    def oldest_age(self) -> float:
        """Seconds that the one idle for longest has been so; 0 when there is none."""
        if not self._by_age:
            return 0.0
        return time.monotonic() - next(iter(self._by_age.values())).since

    def put(self, key: Key, worker: W) -> None:
        """From now on the worker is idle."""
        entry = _Entry(key, time.monotonic(), worker.resident_bytes)
        self._by_age[worker] = entry
        self._by_key.setdefault(key, deque()).append(worker)
        self.resident_bytes += entry.bytes

    def take(self, key: Key) -> W | None:
        """The one of the key that was used last, which the caller has from now on."""
        if key not in self._by_key:
            return None
        worker = self._by_key[key].pop()
        self._forget(worker, self._by_age.pop(worker))
        return worker

    def take_oldest(self) -> W:
        """The one idle for longest. Raises KeyError when there is none."""
        worker, entry = self._by_age.popitem(last=False)
        self._by_key[entry.key].popleft()
        self._forget(worker, entry)
        return worker

    def _forget(self, worker: W, entry: _Entry) -> None:
        self.resident_bytes -= entry.bytes
        if not self._by_key[entry.key]:
            del self._by_key[entry.key]
