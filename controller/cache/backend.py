"""What the cache needs of a store: few operations, each one trip."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

#: How long an outcome waits for those in other processes who were told to wait for it.
REPLY_MS = 10_000


class Window(NamedTuple):
    """A limit of requests: at most `limit` in any `milliseconds`, for whoever has the key."""

    key: str
    limit: int
    milliseconds: int


class Quota(NamedTuple):
    """What is left of a window. `reset_ms`: until the next place is free."""

    allowed: bool
    remaining: int
    reset_ms: int


class Attempt(NamedTuple):
    """One execution: the names of what it reads and writes, and who makes it."""

    session: str
    result: str
    #: Shared by those who would run the same with the same deadline.
    flight: str
    #: Names the results of one owner and script.
    catalog: str
    #: `<process>/<number>`, of this execution alone.
    token: str
    #: How long the others wait for a run that is never heard of again.
    claim_ms: int
    #: Whether a kept result, or a running twin's, will do.
    reuse: bool
    #: Whether the session ends with its first success.
    once: bool
    #: The session's key in the format before, which an older process may use; empty: none does any more.
    previous_session: str = ""
    #: The same of the result.
    previous_result: str = ""

    def of_own_process(self, token: str) -> bool:
        return token.partition("/")[0] == self.token.partition("/")[0]


class Verdict(StrEnum):
    """What an execution is told at its start."""

    LIMITED = "limited"
    #: The session does not live here: the value is its state, None: not known.
    SESSION = "session"
    #: Run, for oneself.
    RUN = "run"
    #: The value is the kept result. It has been counted.
    HIT = "hit"
    #: Another one runs: the value is its token.
    TWIN = "twin"
    #: Run, for all who come meanwhile.
    LEAD = "lead"
    #: The store cannot be reached.
    AWAY = "away"


class Begun(NamedTuple):
    """The answer to `begin`."""

    verdict: Verdict
    value: bytes | None = None
    #: Of a twin: until its claim ends.
    wait_ms: int = 0
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """An execution's end."""

    outcome: bytes
    #: Seconds to keep the outcome as a result; 0: it is none, or not wanted.
    ttl: int
    #: Whether to count it.
    executed: bool
    #: Whether the session ends with this success, which is its own, or a twin's that it waited for.
    closes: Literal["no", "first", "shared"] = "no"


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """What is known of an idempotency key."""

    verdict: Literal["new", "conflict", "answered", "running"]
    #: The answer, or the token of who runs.
    value: bytes | None = None
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """What the store holds of a session. A session that ended unseen has a state and no record."""

    state: str
    record: str | None
    count: int
    last_executed_at: datetime | None


class ExecutionStore(Protocol):
    """Which execution runs, which follows, how it ended, and who may begin one.

    Every method of the three stores raises CacheUnavailable when the store cannot be reached.
    """

    def take(self, window: Window) -> Quota:
        """Take a place in the window, if one is free. `begin` does the same on its way."""

    def begin(self, attempt: Attempt, now: datetime, window: Window | None, *, alive: bool = False) -> Begun:
        """Begin an execution. `alive`: the session lives, should the store not know it."""

    def finish(self, attempt: Attempt, end: Finish, now: datetime) -> str | None:
        """End an execution: count it if the session is known, keep its result, end its flight.

        Returns:
            The session's state before.
        """

    def abandon(self, attempt: Attempt) -> bool:
        """Give a flight up, unless another process waits for it. Returns whether it did."""

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        """Wait for the outcome of the execution with this token. None: it did not come in time."""

    def drop(self, index: str, most: int) -> int:
        """Remove up to `most` results that an index names. Returns how many."""

    def claim_key(self, key: str, body: str, token: str, claim_ms: int) -> KeyClaim:
        """Claim an idempotency key, if it is new. With `claim_ms` 0 it only looks."""

    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        """Keep the answer of the claim's holder. An empty answer frees the key."""


class SessionStore(Protocol):
    """Sessions with exact counters."""

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        """Keep a session until `expires_at`. A state, count and time already there win over the entry's."""

    def session(self, session: str) -> SessionEntry | None:
        """Return what is kept of a session."""

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        """Mark a session, known or not, as ended until `expires_at`."""


class KeyValueStore(Protocol):
    """Bytes with a time to live."""

    def get(self, key: str) -> bytes | None:
        """Return what was set, unless it has expired."""

    def set(self, key: str, value: bytes, ttl: int) -> None:
        """Keep `value` for `ttl` seconds."""

    def ping(self) -> None:
        """Return when the store answers."""


class Backend(ExecutionStore, SessionStore, KeyValueStore, Protocol):
    """All that `CacheManager` asks of a store."""


def entry_fields(entry: SessionEntry) -> Mapping[str, str]:
    """The parts of an entry that yield to what the store already has."""
    fields = {"state": entry.state, "count": str(entry.count)}
    if entry.last_executed_at is not None:
        fields["last"] = entry.last_executed_at.isoformat()
    return fields


def entry_of(fields: Mapping[str, str]) -> SessionEntry | None:
    """An entry from the fields a store kept."""
    if "state" not in fields:
        return None
    last = fields.get("last")
    return SessionEntry(
        state=fields["state"],
        record=fields.get("record"),
        count=int(fields.get("count", 0)),
        last_executed_at=datetime.fromisoformat(last) if last else None,
    )
