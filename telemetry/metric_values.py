"""Metric values without the library's lock, for processes in which one thread counts."""

from prometheus_client import values


class UnlockedValue(values.MutexValue):
    """A number that only the thread of the event loop changes.

    Greenlets need no lock: gevent switches between them only where one of them waits, and an addition does not wait.
    Scrapes are greenlets of the same thread. Work on gevent's threadpool must not count: it returns what is to be
    counted.
    """

    def inc(self, amount: float) -> None:
        """Add an amount."""
        self._value += amount


def use_unlocked_values() -> None:
    """Give metrics that are created from now on values without locks, unless processes share theirs in files."""
    if values.ValueClass is values.MutexValue:
        values.ValueClass = UnlockedValue
