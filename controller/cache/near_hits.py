"""NearHits: begins executions without a trip to the store, where this process has a copy of the result.

Hits without a trip are counted in memory and told to the store in batches. Their places in a rate window are leased.
"""

import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import Event

from controller.cache.backend import Backend, BeginReply, BeginStatus, CountedLater, ExecutionKeys, Window
from controller.cache.leases import LIMIT_MIN, Leases
from controller.cache.near_copy import NearCopy
from controller.errors import CacheUnavailable
from controller.models.registered import now

log = logging.getLogger(__name__)

#: Seconds in which hits are gathered. A killed process loses the counts of this time.
GATHERING = 0.2
#: Sessions of one trip: the store does nothing else for its time.
SLICE = 64


class NearMeter(Protocol):
    """Records what the copy does."""

    def near_copy(self, hits: int, invalidations: int, breaks: int, held_bytes: int) -> None:
        """Count hits, reported changes and broken connections since the last call, and set the bytes of the copy."""


@dataclass(slots=True)
class _Hits:
    """Hits of one session that the store does not know yet, and the time of the last one."""

    hits: list[CountedLater]
    last: datetime


class NearHits:
    """Begins executions, in this process if it can.

    Args:
        backend: the store.
        copy: what this process knows of it.
        meter: records what the copy does. None: nothing is recorded.
    """

    def __init__(self, backend: Backend, copy: NearCopy, meter: NearMeter | None = None) -> None:
        self._backend = backend
        self._meter = meter
        self._leases = Leases()
        self._hits: dict[str, _Hits] = {}
        self._reported = [0, 0, 0]
        #: Hits without a trip.
        self.served = 0
        self._filled = Event()
        self._stopping = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.copy = copy

    def start(self) -> None:
        """Start to tell the store."""
        self._greenlet = gevent.spawn(self._tell_for_ever)

    def close(self) -> None:
        """Stop, tell the store the rest, and wait until it knows all."""
        if self._greenlet is not None:
            self._stopping.set()
            self._filled.set()
            self._greenlet.join()
        self.flush()
        with suppress(CacheUnavailable):
            # The store answers in order: then it knows all ends that were not waited for, too.
            self._backend.ping()

    def begin(self, keys: ExecutionKeys, window: Window | None, *, alive: bool) -> BeginReply:
        """Begin an execution, see `ExecutionStore.begin`. Raises CacheUnavailable."""
        quota = None if window is None or window.limit < LIMIT_MIN else self._leases.take(window)
        later = keys.later if keys.reuse and self.copy.enabled else None
        if later is not None and (quota is not None or window is None):
            value = self.copy.find(keys.session, keys.result)
            if value is not None:
                self._hit(keys.session, later)
                return BeginReply(BeginStatus.HIT, value, quota=quota)
        near = later is not None
        if quota is not None:
            return self._read(keys, None, alive=alive, near=near)._replace(quota=quota)
        return self._read(keys, window, alive=alive, near=near)

    def tell(self, session: str) -> None:
        """Tell the store the hits of one session. Raises CacheUnavailable."""
        self._count([session])

    def flush(self) -> None:
        """Tell the store all hits, and give back places that were not used. Never raises."""
        sessions = list(self._hits)
        for start in range(0, len(sessions), SLICE):
            try:
                self._count(sessions[start : start + SLICE])
            except CacheUnavailable as error:
                log.warning("the cache is away: hits are counted in PostgreSQL alone: %s", error)
        with suppress(CacheUnavailable):
            for unused in self._leases.ended():
                self._backend.give_back(*unused)
        if self._meter is not None:
            figures = [self.served, self.copy.invalidations, self.copy.breaks]
            hits, invalidations, breaks = (
                new - old for new, old in zip(figures, self._reported, strict=True)
            )
            self._reported = figures
            self._meter.near_copy(hits, invalidations, breaks, self.copy.bytes)

    def _read(self, keys: ExecutionKeys, window: Window | None, *, alive: bool, near: bool) -> BeginReply:
        """Make the trip, and keep a copy of the result."""
        sent = monotonic()
        reply = BeginReply(BeginStatus.AWAY)
        places = 1 if window is None or window.limit < LIMIT_MIN else self._leases.wanted(window)
        read = self.copy.reading(keys.session, keys.result) if near else None
        try:
            reply = self._backend.begin(keys, now(), window, alive=alive, places=places)
            return reply
        finally:
            if window is not None and places > 1:
                self._leases.came(window, sent, reply.quota)
                self._fill()
            if read is not None:
                # Treated as alive: Redis does not know its session, so it would not report an end.
                is_hit = reply.status is BeginStatus.HIT and not alive
                self.copy.read(read, reply.value if is_hit else None, reply.wait_ms)

    def _hit(self, session: str, later: CountedLater) -> None:
        later.counting()
        known = self._hits.get(session)
        if known is None:
            self._hits[session] = _Hits([later], now())
        else:
            known.hits.append(later)
            known.last = now()
        self.served += 1
        self._fill()

    def _fill(self) -> None:
        if not self._filled.is_set():
            self._filled.set()

    def _tell_for_ever(self) -> None:
        while not self._stopping.is_set():
            self._filled.wait()
            self._stopping.wait(GATHERING)
            self._filled.clear()
            self.flush()
            if self._leases:
                self._filled.set()

    def _count(self, sessions: Iterable[str]) -> None:
        told = {session: self._hits.pop(session) for session in sessions if session in self._hits}
        if not told:
            return
        unknown: Collection[str] = told
        try:
            unknown = self._backend.count_hits(
                {session: (len(one.hits), one.last) for session, one in told.items()}
            )
        finally:
            for session, one in told.items():
                for later in one.hits:
                    later.counted(by_store=session not in unknown)
