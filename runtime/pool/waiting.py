"""The queue of requests that wait for a worker."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic

from gevent.event import AsyncResult

from runtime.pool.idle import Key, W


class Waiter(Generic[W]):
    """One waiting request.

    Attributes:
        key: What the worker must belong to.
        fresh: Whether only a new worker will do.
        granted: The result of the wait: an idle worker of the key, or None if the request may start one.
    """

    def __init__(self, key: Key, *, fresh: bool) -> None:
        self.key = key
        self.fresh = fresh
        self.granted: AsyncResult[W | None] = AsyncResult()


class WaitQueue(Generic[W]):
    """Waiting requests: first come, first served within a key; the keys take turns."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[Key, deque[Waiter[W]]] = OrderedDict()  # the key that is next comes first
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, waiter: Waiter[W]) -> None:
        """Add a request after the others of its key. A key without requests gets its turn last."""
        self._by_key.setdefault(waiter.key, deque()).append(waiter)
        self._length += 1

    def remove(self, waiter: Waiter[W]) -> bool:
        """Remove a request that is not served. Return False if it is no longer in the queue."""
        queue = self._by_key.get(waiter.key, ())
        if waiter not in queue:
            return False
        self._by_key[waiter.key].remove(waiter)
        self._shorten(waiter.key)
        return True

    def pop_next(self, has_room: Callable[[Key], bool]) -> Waiter[W] | None:
        """Remove and return the next request of a key for which `has_room` is true; None when there is none."""
        for key, queue in self._by_key.items():
            if has_room(key):
                waiter = queue.popleft()
                self._by_key.move_to_end(key)
                self._shorten(key)
                return waiter
        return None

    def _shorten(self, key: Key) -> None:
        self._length -= 1
        if not self._by_key[key]:
            del self._by_key[key]
