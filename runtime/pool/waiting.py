"""The line of requests that wait for a worker."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic

from gevent.event import AsyncResult

from runtime.pool.idle import Key, W


class Waiter(Generic[W]):
    """One request in the line. Granted is a worker of its key, or None: the right to start one.

    With `fresh` a worker that has served before will not do.
    """

    def __init__(self, key: Key, *, fresh: bool) -> None:
        self.key = key
        self.fresh = fresh
        self.granted: AsyncResult[W | None] = AsyncResult()


class Line(Generic[W]):
    """First come, first served within a key; the keys take turns."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[Key, deque[Waiter[W]]] = OrderedDict()  # whose turn is next first
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def join(self, waiter: Waiter[W]) -> None:
        """Stand at the end of the key's line; a key that had none is last."""
        self._by_key.setdefault(waiter.key, deque()).append(waiter)
        self._length += 1

    def leave(self, waiter: Waiter[W]) -> bool:
        """Go without being served. Returns False for one that was called before."""
        queue = self._by_key.get(waiter.key, ())
        if waiter not in queue:
            return False
        self._by_key[waiter.key].remove(waiter)
        self._step(waiter.key)
        return True

    def call(self, may_go: Callable[[Key], bool]) -> Waiter[W] | None:
        """The next one whose key may go, if any; keys that may not are passed over."""
        for key, queue in self._by_key.items():
            if may_go(key):
                waiter = queue.popleft()
                self._by_key.move_to_end(key)
                self._step(key)
                return waiter
        return None

    def _step(self, key: Key) -> None:
        self._length -= 1
        if not self._by_key[key]:
            del self._by_key[key]
