"""Limits how many compilers of a runtime work at the same time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore

from runtime.errors import RateLimited
from runtime.languages.base import Host


class CompilerSlots:
    """One slot for each CPU, because a compiler uses all of one and up to 150 MB."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(os.cpu_count() or 1)

    @contextmanager
    def one(self, host: Host) -> Iterator[None]:
        """Hold a slot. Raises RateLimited if none comes free within the queue's timeout."""
        if not self._free.acquire(timeout=host.settings.queue_timeout / 1000):
            raise RateLimited("all compilers of this runtime are busy")
        try:
            yield
        finally:
            self._free.release()
