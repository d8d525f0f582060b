"""The store in Redis. Driver errors become CacheUnavailable here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from typing import cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from controller.cache.backend import Lookup, SessionEntry, entry_fields, entry_of
from controller.errors import CacheUnavailable


class RedisBackend:
    """A Redis server.

    Args:
        url: `redis://...`.
        timeout: seconds to wait for a connection and for an answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # A connection that the server closed while it was idle is replaced once, unseen.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        )
        scripts = files("controller.cache")
        self._lookup = self._redis.register_script(scripts.joinpath("lookup.lua").read_text())
        self._finish = self._redis.register_script(scripts.joinpath("finish.lua").read_text())

    def get(self, key: str) -> bytes | None:
        with _translated():
            return cast(bytes | None, self._redis.get(key))

    def set(self, key: str, value: bytes, ttl: int) -> None:
        with _translated():
            self._redis.set(key, value, ex=ttl)

    def lookup(self, session: str, result: str | None, now: datetime) -> Lookup:
        keys = [session] if result is None else [session, result]
        with _translated():
            state, value = self._lookup(keys=keys, args=[now.isoformat()])
        return Lookup(state.decode() if state else None, value)

    def finish(self, session: str, result: str, value: bytes | None, ttl: int, now: datetime) -> None:
        with _translated():
            self._finish(
                keys=[session, result], args=[now.isoformat(), 0 if value is None else ttl, value or b""]
            )

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        with _translated(), self._redis.pipeline(transaction=True) as pipeline:
            if entry.record is not None:
                pipeline.hset(session, "record", entry.record)
            for name, value in entry_fields(entry).items():
                pipeline.hsetnx(session, name, value)
            pipeline.pexpireat(session, expires_at)
            pipeline.execute()

    def session(self, session: str) -> SessionEntry | None:
        with _translated():
            fields = cast(dict[bytes, bytes], self._redis.hgetall(session))
        return entry_of({name.decode(): value.decode() for name, value in fields.items()})

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        with _translated(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(session, "state", state)
            pipeline.pexpireat(session, expires_at)
            pipeline.execute()

    def ping(self) -> None:
        with _translated():
            self._redis.ping()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise CacheUnavailable(str(error)) from error
