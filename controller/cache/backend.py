"""Backend: the operations of the cache's store. Each is one trip."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

#: Milliseconds that an outcome is kept for followers in other processes.
REPLY_MS = 10_000
#: Milliseconds in which a leased place of a window is used.
PLACE_LEASE_MS = 200


class Window(NamedTuple):
    """A rate limit: at most `limit` requests with this key in any `milliseconds`."""

    key: str
    limit: int
    milliseconds: int


class Quota(NamedTuple):
    """The rest of a window. `reset_ms`: milliseconds until the next slot is free."""

    allowed: bool
    remaining: int
    reset_ms: int
    #: Slots that were taken. More than one: the others are leased, see `controller.cache.leases`.
    places: int = 1
    #: The time at which the window has them, as the store writes it.
    taken_at: str = ""


class CountedLater(Protocol):
    """The record of an execution that is answered before the store has counted it."""

    def counting(self) -> None:
        """The store will be asked to count it."""

    def counted(self, *, by_store: bool) -> None:
        """The store has answered, or is away. Called once after `counting`; must not wait or raise.

        Args:
            by_store: whether the store has counted it. False, too, if that is unknown.
        """


class ExecutionKeys(NamedTuple):
    """One execution: its keys in the store, its token and its options."""

    session: str
    result: str
    #: Key of the flight: equal executions with the same deadline share it.
    flight: str
    #: Key of the index of results of one owner and script.
    results_index: str
    #: Unique token of this execution: `<process>/<number>`.
    token: str
    #: Lease: milliseconds that followers wait for a leader that does not answer.
    lease_ms: int
    #: Whether a cached result, or the result of a running leader, may be used.
    reuse: bool
    #: Whether the session ends with its first success.
    once: bool
    #: Told when the store has counted the execution, which does not wait for it: a copy in this process may be the
    #: answer, and other processes may lag behind. None: the execution waits for the store.
    later: CountedLater | None = None
    #: Whether other processes are to follow this execution.
    claims: bool = True
    #: The session's key in the previous format, for processes of an older version. Empty: there are none.
    previous_session: str = ""
    #: The result's key in the previous format.
    previous_result: str = ""

    def of_own_process(self, token: str) -> bool:
        """Return whether a token is from this process."""
        return token.partition("/")[0] == self.token.partition("/")[0]


class BeginStatus(StrEnum):
    """How an execution starts: the store's reply to `begin`."""

    #: The rate limit is reached.
    LIMITED = "limited"
    #: The store has no live session. The value is its state; None: unknown.
    SESSION = "session"
    #: Run alone: the result is not shared.
    RUN = "run"
    #: The value is the cached result. The execution has been counted.
    HIT = "hit"
    #: Follow another execution. The value is its token.
    FOLLOWER = "follower"
    #: Run, and share the result with followers.
    LEAD = "lead"
    #: The store cannot be reached.
    AWAY = "away"


class BeginReply(NamedTuple):
    """The reply to `begin`."""

    status: BeginStatus
    value: bytes | None = None
    #: For a follower: milliseconds until the leader's lease ends. For a hit: milliseconds that the result is kept.
    wait_ms: int = 0
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of an execution."""

    outcome: bytes
    #: Seconds to keep the outcome as a result. 0: do not keep it.
    ttl: int
    #: Whether to count the execution.
    executed: bool
    #: Whether the session ends with this success. `first`: it ran itself; `shared`: it followed a leader.
    closes: Literal["no", "first", "shared"] = "no"


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """The state of an idempotency key."""

    status: Literal["new", "conflict", "answered", "running"]
    #: The kept answer, or the token of the running request.
    value: bytes | None = None
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session in the store. If only its end is known, it has a state and no record."""

    state: str
    record: str | None
    count: int
    last_executed_at: datetime | None


class ExecutionStore(Protocol):
    """Leaders, followers, results, rate limits and idempotency keys.

    Every method of the three stores raises CacheUnavailable when the store cannot be reached.
    """

    def take(self, window: Window) -> Quota:
        """Take a slot in the window, if one is free. `begin` does the same in its trip."""

    def give_back(self, window: str, taken_at: str, places: int) -> None:
        """Free leased places of a window that were not used. `window`: its key."""

    def begin(
        self,
        keys: ExecutionKeys,
        now: datetime,
        window: Window | None,
        *,
        alive: bool = False,
        places: int = 1,
    ) -> BeginReply:
        """Begin an execution. One that does not claim leads without followers in other processes.

        Args:
            keys: the keys of the execution.
            now: the time of the execution, if it is counted.
            window: the rate limit to charge. None: there is none.
            alive: treat a session that the store does not know as active.
            places: slots wanted in the window. More than one is granted only if the limit allows leases.
        """

    def finish(self, keys: ExecutionKeys, end: Finish, now: datetime) -> str | None:
        """End an execution: count it if the session is known, keep its result, end its flight.

        The result of one that does not claim is not kept if there is another by now: it may be newer.

        Returns:
            The session's state before this end.
        """

    def finish_later(self, keys: ExecutionKeys, end: Finish, now: datetime) -> None:
        """End an execution as `finish` does, before any later operation, without waiting for it.

        `keys.later` is told of the reply. A failure is logged and counted. Raises CacheUnavailable only if the store
        is known to be away: then `keys.later` is not told.
        """

    def abandon(self, keys: ExecutionKeys) -> bool:
        """Give up a flight, unless another process waits for it. Return whether it was given up."""

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        """Wait for the outcome of the execution with this token. None: it did not come in time."""

    def drop(self, index: str, most: int) -> int:
        """Remove up to `most` results of an index. Return how many."""

    def claim_key(self, key: str, body: str, token: str, lease_ms: int) -> KeyClaim:
        """Claim an idempotency key for `lease_ms`, if it is new. With 0 the key is only read."""

    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        """Keep the answer of the claim's holder. An empty answer frees the key."""


class SessionStore(Protocol):
    """Sessions with exact counters. The `session` arguments are keys."""

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        """Keep a session until `expires_at`. A stored state, count and time take precedence over the entry's."""

    def count_hits(self, hits: Mapping[str, tuple[int, datetime]]) -> Collection[str]:
        """Count executions of sessions: of each, how many, and the time of the last one.

        Returns:
            The sessions that the store does not know. Their executions are not counted.
        """

    def session(self, session: str) -> SessionEntry | None:
        """Return a session, if the store knows it."""

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        """Mark a session as ended until `expires_at`, even if the store does not know it."""


class KeyValueStore(Protocol):
    """Bytes with a time to live."""

    def get(self, key: str) -> bytes | None:
        """Return the value, unless it has expired."""

    def set(self, key: str, value: bytes, ttl: int) -> None:
        """Keep `value` for `ttl` seconds."""

    def ping(self) -> None:
        """Wait for any answer of the store."""


class Backend(ExecutionStore, SessionStore, KeyValueStore, Protocol):
    """The store of `CacheManager`."""


def entry_of(fields: Mapping[str, str]) -> SessionEntry | None:
    """Return the entry from the stored fields. None: there is no entry."""
    if "state" not in fields:
        return None
    last = fields.get("last")
    return SessionEntry(
        state=fields["state"],
        record=fields.get("record"),
        count=int(fields.get("count", 0)),
        last_executed_at=datetime.fromisoformat(last) if last else None,
    )
