"""The store in Redis. Driver errors become CacheUnavailable here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from math import ceil
from time import perf_counter
from typing import Any, cast

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from controller.cache.backend import (
    REPLY_MS,
    Attempt,
    Begun,
    Finish,
    KeyClaim,
    Quota,
    SessionEntry,
    Verdict,
    Window,
    entry_fields,
    entry_of,
)
from controller.errors import CacheUnavailable
from controller.store_clock import UNTIMED, StoreClock

CONNECTIONS = 32
"""For trips that are answered at once."""
REPLY_WAIT = 30
"""Seconds of one blocking wait, so that a connection whose server has vanished is noticed."""


class RedisBackend:
    """A Redis server.

    Args:
        url: `redis://...`.
        timeout: seconds to wait for a connection and for an answer.
        clock: is told of every trip, but for those that wait for an outcome.
    """

    def __init__(self, url: str, timeout: float, clock: StoreClock = UNTIMED) -> None:
        self._clock = clock
        # Opening hundreds at once, when a crowd comes, takes longer than waiting for one of a few.
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=timeout, **_timeouts(timeout, timeout)
        )
        self._redis = Redis(connection_pool=pool)
        self._patient = Redis.from_url(url, **_timeouts(timeout, REPLY_WAIT + timeout))
        self._take = self._script("rate", "take")
        self._begin = self._script("rate", "begin")
        self._finish = self._script("finish")
        self._abandon = self._script("abandon")
        self._drop = self._script("drop")
        self._claim_key = self._script("claim_key")
        self._settle_key = self._script("settle_key")

    def get(self, key: str) -> bytes | None:
        with self._trip("get"):
            return cast(bytes | None, self._redis.get(key))

    def set(self, key: str, value: bytes, ttl: int) -> None:
        with self._trip("set"):
            self._redis.set(key, value, ex=ttl)

    def take(self, window: Window) -> Quota:
        with self._trip("take"):
            return _quota(self._take(keys=[window.key], args=[window.limit, window.milliseconds]))

    def begin(self, attempt: Attempt, now: datetime, window: Window | None, *, alive: bool = False) -> Begun:
        key, limit, milliseconds = ("", 0, 0) if window is None else (*_parts(window),)
        with self._trip("begin"):
            verdict, value, wait_ms, quota = self._begin(
                keys=[attempt.session, attempt.result, attempt.flight, key],
                args=[
                    now.isoformat(),
                    attempt.token,
                    attempt.claim_ms,
                    limit,
                    milliseconds,
                    *map(int, (attempt.reuse, attempt.once, alive)),
                ],
            )
        return Begun(Verdict(verdict.decode()), value, wait_ms, _quota(quota) if quota else None)

    def finish(self, attempt: Attempt, end: Finish, now: datetime) -> str | None:
        keys = [attempt.session, attempt.result, attempt.flight, attempt.index, _reply(attempt.token)]
        arguments = [now.isoformat(), attempt.token, end.outcome, end.ttl, int(end.executed), end.closes]
        with self._trip("finish"):
            state = self._finish(keys=keys, args=[*arguments, REPLY_MS])
        return state.decode() if state else None

    def abandon(self, attempt: Attempt) -> bool:
        with self._trip("abandon"):
            return bool(self._abandon(keys=[attempt.flight], args=[attempt.token]))

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        key = _reply(token)
        wait = min(max(ceil(wait_ms / 1000), 1), REPLY_WAIT)
        with _translated():
            # Takes the outcome and puts it back, for the others who wait.
            return cast(bytes | None, self._patient.blmove(key, key, wait))

    def drop(self, index: str, most: int) -> int:
        with self._trip("drop"):
            return int(self._drop(keys=[index], args=[most]))

    def claim_key(self, key: str, body: str, token: str, claim_ms: int) -> KeyClaim:
        with self._trip("claim_key"):
            verdict, value, wait_ms = self._claim_key(keys=[key], args=[body, token, claim_ms])
        return KeyClaim(verdict.decode(), value, wait_ms)

    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        with self._trip("settle_key"):
            self._settle_key(keys=[key, _reply(token)], args=[body, token, answer, ttl, REPLY_MS])

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        with self._trip("put_session"), self._redis.pipeline(transaction=True) as pipeline:
            if entry.record is not None:
                pipeline.hset(session, "record", entry.record)
            for name, value in entry_fields(entry).items():
                pipeline.hsetnx(session, name, value)
            pipeline.pexpireat(session, expires_at)
            pipeline.execute()

    def session(self, session: str) -> SessionEntry | None:
        with self._trip("session"):
            fields = cast(dict[bytes, bytes], self._redis.hgetall(session))
        return entry_of({name.decode(): value.decode() for name, value in fields.items()})

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        with self._trip("end_session"), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(session, "state", state)
            pipeline.pexpireat(session, expires_at)
            pipeline.execute()

    def ping(self) -> None:
        with self._trip("ping"):
            self._redis.ping()

    @contextmanager
    def _trip(self, operation: str) -> Iterator[None]:
        started = perf_counter()
        try:
            with _translated():
                yield
        except CacheUnavailable:
            self._clock.failed(operation)
            raise
        finally:
            self._clock.took(operation, perf_counter() - started)

    def _script(self, *names: str) -> Any:
        """The script that the named files make up together."""
        folder = files("controller.cache")
        return self._redis.register_script(
            "".join(folder.joinpath(f"{name}.lua").read_text() for name in names)
        )


def _timeouts(connect: float, answer: float) -> dict[str, Any]:
    return {
        "socket_timeout": answer,
        "socket_connect_timeout": connect,
        # A connection that the server closed while it was idle is replaced once, unseen.
        "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
    }


def _parts(window: Window) -> tuple[str, int, int]:
    return window.key, window.limit, window.milliseconds


def _quota(answer: list[int]) -> Quota:
    allowed, remaining, reset_ms = answer
    return Quota(bool(allowed), remaining, reset_ms)


def _reply(token: str) -> str:
    return f"reply:{token}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise CacheUnavailable(str(error)) from error
