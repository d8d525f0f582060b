"""FunctionMemory: what references to functions name, remembered for less than a second.

So a moved alias is known to every process within a second, whichever process moved it, and an execution by name asks
PostgreSQL nothing. While PostgreSQL is away, what is remembered goes on to hold.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol
from weakref import WeakValueDictionary

import gevent
from gevent.greenlet import Greenlet
from gevent.lock import BoundedSemaphore

from controller.errors import ServiceError, StoreUnavailable
from controller.models.registered import LanguageTitle
from controller.models.stored import FunctionTargets, StoredFunction

#: Seconds after which what is remembered is read again, while requests go on with it.
FRESH = 0.4
#: Seconds after which requests wait for what is read.
LIFE = 0.8
#: Most functions that are remembered.
FUNCTIONS = 10_000

#: The owner, None for a caller who sees predefined functions only, and the name.
FunctionKey = tuple[str | None, LanguageTitle]


class VersionRows(Protocol):
    """The part of `FunctionRows` that is remembered."""

    def function_targets(self, name: LanguageTitle, owner: str | None) -> FunctionTargets | None:
        """Return what references to a function may name."""

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        """Return a version and its script."""


class KeyedLocks:
    """A lock for each key, for as long as someone holds it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, BoundedSemaphore] = WeakValueDictionary()

    def of(self, key: Hashable) -> BoundedSemaphore:
        """Return the lock of a key, to be held by `with`."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = BoundedSemaphore(1)
        return lock


@dataclass(slots=True)
class Remembered:
    """A function.

    Attributes:
        read_at: when its reading began, by the monotonic clock.
        versions: those of its versions that were asked for.
    """

    targets: FunctionTargets
    read_at: float
    versions: dict[int, StoredFunction] = field(default_factory=dict)


class FunctionMemory:
    """Remembers functions.

    Args:
        rows: the permanent store.
        clock: seconds that go on evenly.
    """

    def __init__(self, rows: VersionRows, clock: Callable[[], float] = monotonic) -> None:
        self._rows = rows
        self._clock = clock
        self._known: OrderedDict[FunctionKey, Remembered] = OrderedDict()
        self._readings: dict[FunctionKey, Greenlet[[FunctionKey], Remembered | ServiceError | None]] = {}
        self._locks = KeyedLocks()

    def function(self, key: FunctionKey, before_wait: Callable[[], object]) -> Remembered | None:
        """Return a function as it was less than a second ago. None: there is none.

        Args:
            key: the function.
            before_wait: called before a wait for the store.

        Raises:
            StoreUnavailable: the function is not remembered, and the store is away.
        """
        asked_at = self._clock()
        known = self._known.get(key)
        age = LIFE if known is None else asked_at - known.read_at
        if age < FRESH:
            return known
        if age >= LIFE:
            before_wait()
        reading = self._reading(key)
        if age < LIFE:
            return known
        read = reading.get()
        if isinstance(read, Remembered) and asked_at - read.read_at >= LIFE:
            # The store took so long that this reading is from before the request by more than that.
            read = self._reading(key).get()
        if isinstance(read, ServiceError):
            raise read
        return read

    def version(self, known: Remembered, version: int) -> StoredFunction | None:
        """Return a version of a remembered function. None: it is not there. Raises StoreUnavailable."""
        if version not in known.versions:
            with self._locks.of((known.targets.function_id, version)):
                if version not in known.versions:
                    found = self._rows.function_version(known.targets.function_id, version)
                    if found is None:
                        return None
                    known.versions[version] = found[0]
        return known.versions[version]

    def forget(self, key: FunctionKey) -> None:
        """Forget a function that this process has changed."""
        self._known.pop(key, None)
        # What is being read now may be from before the change.
        self._readings.pop(key, None)

    def _reading(self, key: FunctionKey) -> "Greenlet[[FunctionKey], Remembered | ServiceError | None]":
        """Return the reading of a function that is under way, or a new one."""
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = gevent.spawn(self._read, key)
        return reading

    def _read(self, key: FunctionKey) -> Remembered | ServiceError | None:
        """Read a function, in a greenlet that all who wait for it share. An error is returned, not raised."""
        started, (owner, name) = self._clock(), key
        try:
            targets = self._rows.function_targets(name, owner)
        except StoreUnavailable as error:
            known = self._known.get(key)
            if known is None:
                return StoreUnavailable(error.message)
            known.read_at = self._clock()
            return known
        finally:
            current = self._readings.get(key) is gevent.getcurrent()
            if current:
                del self._readings[key]
        if targets is None:
            self._known.pop(key, None)
            return None
        read = Remembered(targets, started)
        known = self._known.get(key)
        if known is not None and _same_versions(known.targets, targets):
            read.versions = known.versions
        if current:
            self._known[key] = read
            self._known.move_to_end(key)
            if len(self._known) > FUNCTIONS:
                self._known.popitem(last=False)
        return read


def _same_versions(before: FunctionTargets, after: FunctionTargets) -> bool:
    return (before.function_id, before.updated_at) == (after.function_id, after.updated_at)
