"""RedisBackend: the cache's store in Redis. Refusals and failures become CacheUnavailable.

All commands share one connection of the process, except a wait for an outcome. A waiting command would block the
others, so it gets a connection from redis-py's pool.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from math import ceil
from time import perf_counter
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError
from redis.retry import Retry

from controller.cache.backend import (
    PLACE_LEASE_MS,
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
from controller.cache.keys import counter_key
from controller.cache.redis_client import LuaScript, RedisClient
from controller.cache.redis_url import Argument
from controller.errors import CacheUnavailable
from telemetry.operation_timer import NO_TIMER, OperationTimer

log = logging.getLogger(__name__)

#: Longest blocking wait in seconds. After it, a lost server is noticed.
REPLY_WAIT = 30
TAKE = LuaScript("rate", "take")
BEGIN = LuaScript("rate", "count", "close_before", "begin")
FINISH = LuaScript("count", "close_before", "finish")
ABANDON = LuaScript("abandon")
DROP = LuaScript("drop")
CLAIM_KEY = LuaScript("claim_key")
SETTLE_KEY = LuaScript("settle_key")
PUT_SESSION = LuaScript("put_session")
SESSION = LuaScript("session")
COUNT_HITS = LuaScript("count", "count_hits")
END_SESSION = LuaScript("end_session")
STATUSES = {status.value.encode(): status for status in BeginStatus}
NO_WINDOW = Window("", 0, 0)


class RedisBackend:
    """A Redis server.

    Args:
        url: `redis://...`, see `controller.cache.redis_url`.
        timeout: seconds to wait for a connection and for a reply.
        timer: records the time of every trip, except waits for an outcome.
    """

    def __init__(self, url: str, timeout: float, timer: OperationTimer = NO_TIMER) -> None:
        self._timer = timer
        self._client = RedisClient(url, timeout, posted=[FINISH])
        self._patient = Redis.from_url(
            url,
            socket_timeout=REPLY_WAIT + timeout,
            socket_connect_timeout=timeout,
            # If the server closed the connection while it was idle, it is replaced once without an error.
            retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        )

    def opened(self) -> int:
        """Return how many connections were opened so far, without those of waits."""
        return self._client.opened

    def get(self, key: str) -> bytes | None:
        """See `KeyValueStore.get`."""
        return cast(bytes | None, self._call("get", "GET", key))

    def set(self, key: str, value: bytes, ttl: int) -> None:
        """See `KeyValueStore.set`."""
        self._call("set", "SET", key, value, "EX", ttl)

    def take(self, window: Window) -> Quota:
        """See `ExecutionStore.take`."""
        return _quota(self._run("take", TAKE, (window.key,), window.limit, window.milliseconds))

    def give_back(self, window: str, taken_at: str, places: int) -> None:
        """See `ExecutionStore.give_back`."""
        self._call("give_back", "LREM", window, -places, taken_at)

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
        key, limit, milliseconds = window or NO_WINDOW
        reply: bytes = self._run(
            "begin",
            BEGIN,
            (
                keys.session,
                keys.result,
                keys.flight,
                key,
                keys.previous_session,
                keys.previous_result,
                counter_key(keys.session),
            ),
            now.isoformat(),
            keys.token,
            keys.lease_ms,
            limit,
            milliseconds,
            int(keys.reuse),
            int(keys.once),
            int(alive),
            places,
            PLACE_LEASE_MS,
            int(keys.claims),
        )
        return _begin_reply(reply)

    def finish(self, keys: ExecutionKeys, end: Finish, now: datetime) -> str | None:
        """See `ExecutionStore.finish`."""
        state = self._run("finish", FINISH, *_finish(keys, end, now))
        return state.decode() if state else None

    def finish_later(self, keys: ExecutionKeys, end: Finish, now: datetime) -> None:
        """See `ExecutionStore.finish_later`."""
        started = perf_counter()

        def ended(reply: Any) -> None:
            if isinstance(reply, CacheUnavailable):
                self._timer.failed("finish")
                log.warning("an execution was answered, and the cache did not take its end: %s", reply)
                reply = None
            if keys.later is not None:
                keys.later.counted(by_store=reply is not None)

        try:
            # Other processes wait for the end of an execution that claims, and a refresh shows within a moment.
            later = keys.reuse and not keys.claims
            self._client.post(FINISH, *_finish(keys, end, now), ended=ended, later=later)
        except CacheUnavailable:
            self._timer.failed("finish")
            raise
        finally:
            self._timer.took("finish", perf_counter() - started)

    def abandon(self, keys: ExecutionKeys) -> bool:
        """See `ExecutionStore.abandon`."""
        return bool(self._run("abandon", ABANDON, (keys.flight,), keys.token))

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        """See `ExecutionStore.reply`."""
        key = _reply(token)
        wait = min(max(ceil(wait_ms / 1000), 1), REPLY_WAIT)
        try:
            # Takes the outcome and puts it back for other followers.
            return cast(bytes | None, self._patient.blmove(key, key, wait))
        except RedisError as error:
            raise CacheUnavailable(str(error)) from error

    def drop(self, index: str, most: int) -> int:
        """See `ExecutionStore.drop`."""
        return int(self._run("drop", DROP, (index,), most))

    def claim_key(self, key: str, body: str, token: str, lease_ms: int) -> KeyClaim:
        """See `ExecutionStore.claim_key`."""
        status, value, wait_ms = self._run("claim_key", CLAIM_KEY, (key,), body, token, lease_ms)
        return KeyClaim(status.decode(), value, wait_ms)

    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        """See `ExecutionStore.settle_key`."""
        self._run("settle_key", SETTLE_KEY, (key, _reply(token)), body, token, answer, ttl, REPLY_MS)

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        """See `SessionStore.put_session`."""
        self._run(
            "put_session",
            PUT_SESSION,
            (session, counter_key(session)),
            _milliseconds(expires_at),
            entry.record or "",
            entry.state,
            entry.count,
            entry.last_executed_at.isoformat() if entry.last_executed_at else "",
        )

    def count_hits(self, hits: Mapping[str, tuple[int, datetime]]) -> Collection[str]:
        """See `SessionStore.count_hits`."""
        keys = tuple(key for session in hits for key in (session, counter_key(session)))
        each = [field for number, last in hits.values() for field in (number, last.isoformat())]
        unknown: list[bytes] = self._run("count_hits", COUNT_HITS, keys, *each)
        return [session.decode() for session in unknown]

    def session(self, session: str) -> SessionEntry | None:
        """See `SessionStore.session`."""
        fields, counted = map(_fields, self._run("session", SESSION, (session, counter_key(session))))
        # A process of an older version counts in the session itself.
        count = int(fields.get("count", 0)) + int(counted.get("count", 0))
        last = max(fields.get("last", ""), counted.get("last", ""))
        return entry_of({**fields, "count": str(count), "last": last})

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        """See `SessionStore.end_session`."""
        self._run("end_session", END_SESSION, (session,), state, _milliseconds(expires_at))

    def ping(self) -> None:
        """See `KeyValueStore.ping`."""
        self._call("ping", "PING")

    def _call(self, operation: str, *command: Argument) -> Any:
        started = perf_counter()
        try:
            return self._client.call(*command)
        except CacheUnavailable:
            self._timer.failed(operation)
            raise
        finally:
            self._timer.took(operation, perf_counter() - started)

    def _run(self, operation: str, script: LuaScript, keys: tuple[str, ...], *arguments: Argument) -> Any:
        started = perf_counter()
        try:
            return self._client.run(script, keys, *arguments)
        except CacheUnavailable:
            self._timer.failed(operation)
            raise
        finally:
            self._timer.took(operation, perf_counter() - started)


def _milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def _finish(keys: ExecutionKeys, end: Finish, now: datetime) -> tuple[tuple[str, ...], *tuple[Argument, ...]]:
    """Return the keys and the arguments of the script."""
    names = (
        keys.session,
        keys.result,
        keys.flight,
        keys.results_index,
        _reply(keys.token),
        keys.previous_session,
        counter_key(keys.session),
    )
    return (
        names,
        now.isoformat(),
        keys.token,
        end.outcome,
        end.ttl,
        int(end.executed),
        end.closes,
        REPLY_MS,
        int(keys.reuse and keys.claims),
        int(keys.reuse and not keys.claims),
    )


def _fields(answer: list[bytes]) -> dict[str, str]:
    names = iter(answer)
    return {name.decode(): next(names).decode() for name in names}


def _begin_reply(reply: bytes) -> BeginReply:
    head, _, value = reply.partition(b"\n")
    status, has_value, wait_ms, *quota = head.split(b" ")
    return BeginReply(
        STATUSES[status],
        value if has_value == b"1" else None,
        int(wait_ms),
        _quota([int(number) for number in quota]) if quota else None,
    )


def _quota(answer: list[int]) -> Quota:
    places, remaining, reset_ms, taken_at = answer
    return Quota(bool(places), remaining, reset_ms, places, str(taken_at))


def _reply(token: str) -> str:
    return f"reply:{token}"
