"""Connections to PostgreSQL that suit gevent. Driver errors become StoreUnavailable here and nowhere else."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from select import POLLIN
from time import perf_counter
from types import MappingProxyType
from typing import Any

import aiosql
import psycopg2
from gevent import monkey
from gevent.lock import BoundedSemaphore
from gevent.socket import timeout as socket_timeout
from gevent.socket import wait_read, wait_write
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback
from psycopg2.extras import RealDictCursor

from controller.errors import StoreRejected, StoreUnavailable
from telemetry.operation_timer import NO_TIMER, OperationTimer

#: Every query by its name in `queries.sql`.
QUERIES = aiosql.from_str(files("controller.database").joinpath("queries.sql").read_text(), "psycopg2")
NAMES = frozenset(QUERIES.available_queries)
#: Parameters that statements lack which an earlier release has left in the spool.
LATER: Mapping[str, Any] = MappingProxyType({"packages": None, "environment": None})
#: Longest text that the driver quotes, in characters.
QUOTED_MAX = 256
#: Asks the kernel without waiting. `select` takes no descriptor beyond 1023, and clients alone may be more.
_poll = monkey.get_original("select", "poll")


class Postgres:
    """A pool of connections.

    Args:
        url: `postgres://...`.
        size: how many connections at most; who finds none waits.
        timeout: seconds to wait for a connection, and for any answer of the server.
        timer: records the time of every transaction.
    """

    def __init__(self, url: str, size: int, timeout: float, timer: OperationTimer = NO_TIMER) -> None:
        self._timer = timer
        self._url = url
        self._timeout = timeout
        self._idle: list[connection] = []
        self._places = BoundedSemaphore(size)
        set_wait_callback(_cooperative_wait(timeout))

    @contextmanager
    def transaction(self, operation: str = "transaction") -> Iterator[connection]:
        """Lend a connection to the block. Commit at the end of the block, or roll back if it raises.

        Args:
            operation: the name for the timer.

        Raises:
            StoreUnavailable: there is no connection, or it broke.
            StoreRejected: the server refused a statement.
        """
        started = perf_counter()
        try:
            with self._connected() as opened:
                yield opened
        except (StoreUnavailable, StoreRejected):
            self._timer.failed(operation)
            raise
        finally:
            self._timer.took(operation, perf_counter() - started)

    @contextmanager
    def _connected(self) -> Iterator[connection]:
        if not self._places.acquire(timeout=self._timeout):
            raise StoreUnavailable("the store is busy")
        try:
            with _translated():
                opened = self._checkout()
                try:
                    yield opened
                    opened.commit()
                except BaseException:
                    # Not the block's own `with`: where the connection is gone it would put its error in the place of
                    # this one, and a greenlet that is killed in here would live on.
                    with suppress(psycopg2.Error, socket_timeout):
                        opened.rollback()
                    raise
                finally:
                    self._keep(opened)
        finally:
            self._places.release()

    def query(self, name: str, **parameters: Any) -> Any:
        """Return the result of a named query, one statement and one trip. Raises as `transaction` does."""
        with self.transaction(name) as opened, _single_trip(opened):
            found = getattr(QUERIES, name)(opened, **parameters)
            # aiosql asks for rows when they are read. By then another greenlet may use the connection.
            return list(found) if isinstance(found, Generator) else found

    def row(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the one row of a named query, in one trip. Its parameters may be long texts.

        Raises:
            StoreUnavailable, StoreRejected: see `write_together`.
        """
        with self.transaction(name) as opened, opened.cursor() as cursor, _single_trip(opened):
            cursor.execute(_bound(cursor, name, parameters))
            found: Any = cursor.fetchone()
        return dict(found)

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Execute named queries with their parameters in one transaction and one trip. They return nothing.

        Raises:
            StoreUnavailable: there is no connection, or it broke.
            StoreRejected: there is no such query, its parameters do not fit, or the server refused it.
        """
        with self.transaction() as opened, opened.cursor() as cursor, _single_trip(opened):
            cursor.execute(b"".join(_bound(cursor, name, parameters) for name, parameters in statements))

    def available(self) -> bool:
        """Return whether the server answers now."""
        try:
            self.query("ping")
        except StoreUnavailable:
            return False
        return True

    def close(self) -> None:
        """Close the unused connections."""
        while self._idle:
            self._idle.pop().close()

    def _checkout(self) -> connection:
        while self._idle:
            opened = self._idle.pop()
            if not _has_input(opened):
                return opened
            opened.close()
        return self._connect()

    def _connect(self) -> connection:
        opened: connection = psycopg2.connect(
            self._url,
            connect_timeout=max(1, round(self._timeout)),
            application_name="lambda-microservice",
            # `DollarQuoted` encodes.
            client_encoding="UTF8",
            cursor_factory=RealDictCursor,
        )
        return opened

    def _keep(self, opened: connection) -> None:
        if not opened.closed:
            self._idle.append(opened)


def _bound(cursor: Any, name: str, parameters: Mapping[str, Any]) -> bytes:
    """A statement with its parameters in it."""
    if name not in NAMES:
        raise StoreRejected(f"there is no query {name}")
    try:
        given = {key: _plain(value) for key, value in parameters.items()}
        bound: bytes = cursor.mogrify(getattr(QUERIES, name).sql, {**LATER, **given})
    except (KeyError, ValueError) as error:
        # A parameter is missing in what an earlier version left in the spool, or has a NUL.
        raise StoreRejected(f"the parameters of {name} do not fit: {error!r}") from error
    return bound


class DollarQuoted:
    """A long text as a literal of PostgreSQL that has no escapes: neither side goes through it for them.

    Args:
        text: without NUL.

    Raises:
        ValueError: it has one, or a lone surrogate.
    """

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        if b"\0" in self._text:
            raise ValueError("a text has a NUL")

    def __conform__(self, _: object) -> "DollarQuoted":
        """Return itself: the driver asks for this before it calls `getquoted`."""
        return self

    def getquoted(self) -> bytes:
        """Return the literal. Its tag ends the text where the text ends, and nowhere before."""
        number = 0
        while (quoted := self._text + b"$r%d$" % number).index(b"$r%d$" % number) != len(self._text):
            number += 1
        return b"$r%d$" % number + quoted


def _plain(value: Any) -> Any:
    """Return a parameter for the driver, which is slow to quote a long text."""
    return DollarQuoted(value) if isinstance(value, str) and len(value) > QUOTED_MAX else value


@contextmanager
def _single_trip(opened: connection) -> Iterator[None]:
    """The driver begins no transaction by itself: the server makes one of the statements that come together."""
    opened.autocommit = True
    try:
        yield
    finally:
        if not opened.closed:
            opened.autocommit = False


def _has_input(idle: connection) -> bool:
    """An idle connection has nothing to say, unless the server has closed it."""
    look = _poll()
    look.register(idle.fileno(), POLLIN)
    return bool(look.poll(0))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError, socket_timeout) as error:
        raise StoreUnavailable("the store is away") from error
    except psycopg2.Error as error:
        raise StoreRejected(str(error)) from error


def _cooperative_wait(timeout: float) -> Callable[[connection], None]:
    """Return psycopg2's wait callback, which lets other greenlets run while one waits."""

    def wait(waiting: connection) -> None:
        while (state := waiting.poll()) != POLL_OK:
            if state == POLL_READ:
                wait_read(waiting.fileno(), timeout=timeout)
            elif state == POLL_WRITE:
                wait_write(waiting.fileno(), timeout=timeout)

    return wait
