"""MemoryBackend: the cache's store in this process's memory, for a single process and for tests."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from weakref import WeakValueDictionary

import gevent
from gevent.event import AsyncResult

from controller.cache.backend import (
    REPLY_MS,
    BeginReply,
    BeginStatus,
    ExecutionKeys,
    Finish,
    KeyClaim,
    Quota,
    SessionEntry,
    Window,
    entry_of,
)
from controller.cache.sliding_windows import Windows

Fields = dict[str, str]


class MemoryBackend:
    """Keeps values in dictionaries. An expired value is removed when it is read."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[datetime, bytes]] = {}
        self._hashes: dict[str, tuple[datetime, Fields]] = {}
        self._indexes: dict[str, dict[str, None]] = {}
        self._windows = Windows()
        self._waiting: WeakValueDictionary[str, AsyncResult[bytes]] = WeakValueDictionary()

    def get(self, key: str) -> bytes | None:
        """See `KeyValueStore.get`."""
        expires_at, value = self._values.get(key, (None, None))
        if expires_at is not None and expires_at <= datetime.now(UTC):
            del self._values[key]
            return None
        return value

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """See `KeyValueStore.set`."""
        self._values[key] = datetime.now(UTC) + timedelta(seconds=ttl), value

    def take(self, window: Window) -> Quota:
        """See `ExecutionStore.take`."""
        return self._windows.take(window)

    def give_back(self, window: str, taken_at: str, places: int) -> None:
        """See `ExecutionStore.give_back`."""
        self._windows.give_back(window, taken_at, places)

    def begin(
        self,
        keys: ExecutionKeys,
        now: datetime,
        window: Window | None,
        *,
        alive: bool = False,
        places: int = 1,
    ) -> BeginReply:
        """See `ExecutionStore.begin`."""
        quota = None if window is None else self._windows.take(window, places)
        if quota is not None and not quota.allowed:
            return BeginReply(BeginStatus.LIMITED, quota=quota)
        session, flight = self._hash(keys.session), self._hash(keys.flight)
        state = session.get("state")
        if state != "active" and (state is not None or not alive):
            return BeginReply(BeginStatus.SESSION, None if state is None else state.encode(), quota=quota)
        if not keys.reuse:
            flight.update({"stale": "1"} if flight else {})
            return BeginReply(BeginStatus.RUN, quota=quota)
        result = self.get(keys.result)
        if result is not None:
            _count(session, 1, now)
            session.update({"state": "closed"} if session and keys.once else {})
            kept = self._values[keys.result][0] - datetime.now(UTC)
            return BeginReply(BeginStatus.HIT, result, int(kept.total_seconds() * 1000), quota)
        if flight:
            flight.update({} if keys.of_own_process(flight["token"]) else {"awaited": "1"})
            wait_ms = _milliseconds_until(self._hashes[keys.flight][0])
            return BeginReply(BeginStatus.FOLLOWER, flight["token"].encode(), wait_ms, quota)
        if keys.claims:
            self._put_hash(keys.flight, {"token": keys.token}, keys.lease_ms)
        return BeginReply(BeginStatus.LEAD, quota=quota)

    def finish(self, keys: ExecutionKeys, end: Finish, now: datetime) -> str | None:
        """See `ExecutionStore.finish`."""
        session, flight = self._hash(keys.session), self._hash(keys.flight)
        state = session.get("state")
        if end.executed and not (state == "closed" and end.closes == "first"):
            _count(session, 1, now)
        if state == "active" and end.closes != "no":
            session["state"] = "closed"
        mine = flight.get("token") == keys.token
        if mine:
            del self._hashes[keys.flight]
            self._tell(keys.token, end.outcome, flight)
        superseded = keys.reuse and not keys.claims and self.get(keys.result) is not None
        if end.ttl and not (mine and "stale" in flight) and not superseded:
            self.set(keys.result, end.outcome, end.ttl)
            self._indexes.setdefault(keys.results_index, {})[keys.result] = None
        return state

    def finish_later(self, keys: ExecutionKeys, end: Finish, now: datetime) -> None:
        """See `ExecutionStore.finish_later`."""
        state = self.finish(keys, end, now)
        if keys.later is not None:
            keys.later.counted(by_store=state is not None)

    def abandon(self, keys: ExecutionKeys) -> bool:
        """See `ExecutionStore.abandon`."""
        flight = self._hash(keys.flight)
        if flight.get("token") != keys.token:
            return True
        if "awaited" in flight:
            return False
        del self._hashes[keys.flight]
        return True

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        """See `ExecutionStore.reply`."""
        told = self.get(_reply(token))
        if told is None:
            waiting = self._waiting.setdefault(token, AsyncResult())
            try:
                return waiting.get(timeout=wait_ms / 1000)
            except gevent.Timeout:
                return None
        return told

    def drop(self, index: str, most: int) -> int:
        """See `ExecutionStore.drop`."""
        results = list(self._indexes.get(index, ()))[:most]
        for result in results:
            self._values.pop(result, None)
            del self._indexes[index][result]
        return len(results)

    def claim_key(self, key: str, body: str, token: str, lease_ms: int) -> KeyClaim:
        """See `ExecutionStore.claim_key`."""
        held = self._hash(key)
        if not held:
            if lease_ms:
                self._put_hash(key, {"body": body, "token": token}, lease_ms)
            return KeyClaim("new")
        if held["body"] != body:
            return KeyClaim("conflict")
        if "answer" in held:
            return KeyClaim("answered", held["answer"].encode())
        held["awaited"] = "1"
        return KeyClaim("running", held["token"].encode(), _milliseconds_until(self._hashes[key][0]))

    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        """See `ExecutionStore.settle_key`."""
        held = self._hash(key)
        if "answer" in held or held.get("token", token) != token:
            return
        self._hashes.pop(key, None)
        if answer:
            self._put_hash(key, {"body": body, "answer": answer.decode()}, ttl * 1000)
        self._tell(token, answer, held)

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        """See `SessionStore.put_session`."""
        fields = {"state": entry.state, "count": str(entry.count)}
        if entry.last_executed_at is not None:
            fields["last"] = entry.last_executed_at.isoformat()
        self._hashes[session] = expires_at, {**fields, **self._hash(session)}
        if entry.record is not None:
            self._hashes[session][1]["record"] = entry.record

    def count_hits(self, hits: Mapping[str, tuple[int, datetime]]) -> Collection[str]:
        """See `SessionStore.count_hits`."""
        for session, (number, last) in hits.items():
            _count(self._hash(session), number, last)
        return [session for session in hits if not self._hash(session)]

    def session(self, session: str) -> SessionEntry | None:
        """See `SessionStore.session`."""
        return entry_of(self._hash(session))

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        """See `SessionStore.end_session`."""
        self._hashes[session] = expires_at, {**self._hash(session), "state": state}

    def ping(self) -> None:
        """Memory always answers."""

    def _hash(self, key: str) -> Fields:
        expires_at, fields = self._hashes.get(key, (None, {}))
        if expires_at is not None and expires_at <= datetime.now(UTC):
            del self._hashes[key]
            return {}
        return fields

    def _put_hash(self, key: str, fields: Fields, lives_ms: int) -> None:
        self._hashes[key] = datetime.now(UTC) + timedelta(milliseconds=lives_ms), fields

    def _tell(self, token: str, outcome: bytes, held: Fields) -> None:
        if "awaited" in held:
            self.set(_reply(token), outcome, REPLY_MS / 1000)
            if (waiting := self._waiting.get(token)) is not None:
                waiting.set(outcome)


def _reply(token: str) -> str:
    return f"reply:{token}"


def _milliseconds_until(moment: datetime) -> int:
    return ceil((moment - datetime.now(UTC)) / timedelta(milliseconds=1))


def _count(session: Fields, executions: int, now: datetime) -> None:
    if session:
        session["count"] = str(int(session.get("count", "0")) + executions)
        session["last"] = now.isoformat()
