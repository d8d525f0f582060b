"""What is written to PostgreSQL: rows of the two logs, and the rows of a session that is begun or ended.

Every record may be written twice and leaves what writing it once would leave; and the order between the records of
different processes makes no difference in the end (see `queries.sql`). So what was kept while PostgreSQL was away can
be replayed, and replayed again.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec


class Record(msgspec.Struct, frozen=True):
    """A statement's share: either the parameters of a query, or one row of a query that writes many.

    Parameters are what JSON can hold: a record may have to wait in a file.
    """

    query: str
    parameters: Mapping[str, Any] = {}
    #: The row as a JSON object.
    row: str | None = None
    #: Of the call it tells of; it is forgotten where the record has to wait in a file.
    traceparent: str | None = None

    @property
    def size(self) -> int:
        """About its bytes."""
        if self.row is not None:
            return len(self.row)
        return sum(len(value) for value in self.parameters.values() if isinstance(value, str))


class RequestLog(Protocol):
    """Where the rows of calls and of ended sessions are written."""

    def record(self, *records: Record) -> None:
        """Queue rows that are written together."""

    def flush(self) -> None:
        """Write what is queued. Raises StoreUnavailable."""


class LogTables(Protocol):
    """Where queued rows are written to."""

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Execute named statements, all or none. Raises StoreUnavailable, StoreRejected."""

    def available(self) -> bool:
        """Return whether it answers now."""


#: Records that are written together: a session's script before the session, a call's two rows.
Group = tuple[Record, ...]


def packed(group: Group) -> bytes:
    """A group as it waits in a file."""
    return json.dumps([(record.query, dict(record.parameters), record.row) for record in group]).encode()


def unpacked(data: bytes) -> Group:
    """A group from its file; raises ValueError for what is none."""
    return tuple(Record(query, parameters, row) for query, parameters, row in json.loads(data))
