"""The writes to PostgreSQL: rows of the two logs, and rows of a session's begin or end.

Every write is idempotent, and the order of writes of different processes does not matter (see `queries.sql`). So
writes that were kept while PostgreSQL was away can be replayed, even more than once.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec


class Write(msgspec.Struct, frozen=True):
    """One write: either the parameters of a query, or one row of a bulk query.

    Parameters are JSON-serialisable, since a write may be kept in a file.
    """

    query: str
    parameters: Mapping[str, Any] = {}
    #: The row as a JSON object.
    row: str | None = None
    #: Trace of the call. It is not kept in a file.
    traceparent: str | None = None

    @property
    def size(self) -> int:
        """The approximate size in bytes."""
        if self.row is not None:
            return len(self.row)
        return sum(len(value) for value in self.parameters.values() if isinstance(value, str))


class RequestLog(Protocol):
    """Queues the rows of calls and of ended sessions."""

    def record(self, *writes: Write) -> None:
        """Queue rows that are written together."""

    def flush(self) -> None:
        """Write the queue. Raises StoreUnavailable."""


class LogTables(Protocol):
    """The database that receives queued rows."""

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Execute named statements, all or none. Raises StoreUnavailable, StoreRejected."""

    def available(self) -> bool:
        """Return whether the database answers now."""


#: Writes that are executed together, such as a script and its session, or the two rows of a call.
WriteUnit = tuple[Write, ...]


def encode(unit: WriteUnit) -> bytes:
    """Encode a unit for the spool."""
    return json.dumps([(write.query, dict(write.parameters), write.row) for write in unit]).encode()


def decode(data: bytes) -> WriteUnit:
    """Decode a unit from the spool. Raises ValueError if the data is not a unit."""
    return tuple(Write(query, parameters, row) for query, parameters, row in json.loads(data))
