"""NearCopy: this process's copy of results and of live sessions in Redis, bounded, and empty when in doubt.

`controller.cache.tracking` drops what Redis says has changed, and says until when the copy is known to be right.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from controller.models.formats import FORMAT, PREVIOUS

#: Bytes of memory that an entry takes beside its result: keys, objects, places in dictionaries.
OVERHEAD = 512
#: Most sessions that are known to be active. The one that was noted longest ago is forgotten.
SESSIONS = 10_000
#: Key prefixes of what the copy holds, in the formats of all versions that may run.
PREFIXES = tuple(f"{version}{kind}:" for version in (FORMAT, PREVIOUS) for kind in ("result", "session"))


class KeptResult(NamedTuple):
    """A result, and until when it is kept, as `monotonic` tells the time."""

    value: bytes
    until: float


class Read(NamedTuple):
    """A trip that reads a session and a result, to be stored unless one of them has changed since."""

    session: str
    result: str
    tickets: tuple[object, object]
    #: When it began, as `monotonic` tells the time.
    sent: float


class NearCopy:
    """Results by their keys, and the keys of active sessions.

    A value that was read before an invalidation must not be stored after it. So a trip takes a ticket for each of its
    keys before it is sent, and an invalidation takes the ticket away.

    Args:
        most_bytes: of results and what they take in memory. 0: there is no copy.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        #: Whether there is a copy.
        self.enabled = most_bytes > 0
        self._is_open = False
        #: Until when the copy is right, as `monotonic` tells the time.
        self.right_until = 0.0
        #: When `look` is called the next time that the copy is asked, to keep it right.
        self.look_at = 0.0
        self.look: Callable[[float], None] = self._stay
        self._results: OrderedDict[str, KeptResult] = OrderedDict()
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._tickets: dict[str, object] = {}
        self.bytes = 0
        self.invalidations = 0
        self.breaks = 0

    def find(self, session: str, result: str) -> bytes | None:
        """Return the result, if it is here, the session is active, and the copy is right."""
        now = monotonic()
        if now >= self.look_at:
            self.look(now)
        if now >= self.right_until or session not in self._sessions:
            return None
        kept = self._results.get(result)
        if kept is None:
            return None
        if now >= kept.until:
            self._forget_result(result)
            return None
        self._results.move_to_end(result)
        return kept.value

    def reading(self, session: str, result: str) -> Read | None:
        """Begin a trip that reads both keys. None: the copy takes nothing at the moment."""
        if not self._is_open:
            return None
        ticket = object()
        tickets = self._tickets.setdefault(session, ticket), self._tickets.setdefault(result, ticket)
        return Read(session, result, tickets, monotonic())

    def read(self, read: Read, value: bytes | None = None, kept_ms: int = 0) -> None:
        """End a trip.

        Args:
            read: the trip.
            value: the result of an active session. None: there is nothing to store.
            kept_ms: milliseconds that the store keeps it. They began before the reply was sent.
        """
        session_ticket, result_ticket = read.tickets
        session_holds = self._tickets.pop(read.session, None) is session_ticket
        result_holds = self._tickets.pop(read.result, None) is result_ticket
        if value is None:
            return
        if session_holds:
            self._sessions[read.session] = None
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        size = len(value) + OVERHEAD
        if result_holds and kept_ms > 0 and size <= self._most_bytes:
            self._forget_result(read.result)
            self._results[read.result] = KeptResult(value, read.sent + kept_ms / 1000)
            self.bytes += size
            while self.bytes > self._most_bytes:
                self._forget_result(next(iter(self._results)))

    def forget(self, key: str) -> None:
        """Forget a session or a result, and let no trip under way store it."""
        self._tickets.pop(key, None)
        self._sessions.pop(key, None)
        self._forget_result(key)

    def invalidated(self, key: str) -> None:
        """Forget a key that Redis reports. A session or result of the previous format is the same one."""
        self.invalidations += 1
        self.forget(key if key.startswith(FORMAT) else FORMAT + key.removeprefix(PREVIOUS))

    def open(self) -> None:
        """Take copies from now on: Redis reports changes."""
        self._is_open = True

    def close(self) -> None:
        """Forget everything and take nothing: Redis does not report changes any more."""
        self.breaks += self._is_open
        self._is_open = False
        self.right_until = 0.0
        self.empty()

    def empty(self) -> None:
        """Forget everything, and let no trip under way store anything."""
        self._tickets.clear()
        self._results.clear()
        self._sessions.clear()
        self.bytes = 0

    def _stay(self, _now: float) -> None:
        """Look never again: there is nothing that keeps the copy right."""
        self.look_at = float("inf")

    def _forget_result(self, key: str) -> None:
        kept = self._results.pop(key, None)
        if kept is not None:
            self.bytes -= len(kept.value) + OVERHEAD
