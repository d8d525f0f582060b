"""PostgresHistory: reads the log and the statistics for the users that they are about.

`memory_history` has the same methods without a server. Both methods raise StoreUnavailable while PostgreSQL is away.
"""

from collections.abc import Mapping
from typing import Any

from controller.database.postgres import Postgres
from controller.models.history import (
    ExecutionFilter,
    ExecutionRows,
    LoggedExecution,
    Place,
    UsageQuery,
    UsedRow,
)
from controller.models.registered import LanguageTitle

#: Most rows of a user that one page looks at: a filter that fits few rows costs no more.
SCANNED_MAX = 5000
#: Most bytes of the documents of a page, unless one row has more.
BYTES_MAX = 2 << 20
#: Comes after every id of a row.
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class PostgresHistory:
    """Executions and figures in PostgreSQL.

    Args:
        postgres: the database.
        scanned: most rows that one page looks at.
        most_bytes: most bytes of the documents of a page.
    """

    def __init__(self, postgres: Postgres, scanned: int = SCANNED_MAX, most_bytes: int = BYTES_MAX) -> None:
        self._postgres = postgres
        self._scanned = scanned
        self._most_bytes = most_bytes

    def executions(
        self, owner: str, chosen: ExecutionFilter, after: Place | None, per_page: int
    ) -> ExecutionRows:
        """Return a page of a user's executions after a place."""
        name = chosen.name
        found = self._postgres.query(
            "executions",
            owner=owner,
            language=None if name is None else name.language,
            title=None if name is None else name.title,
            versions=None if chosen.versions is None else list(chosen.versions),
            status=chosen.status,
            since=chosen.since or "-infinity",
            before="infinity" if after is None else after.created_at,
            before_id=LAST_ID if after is None else after.id,
            per_page=per_page,
            scanned=self._scanned,
            bytes=self._most_bytes,
        )
        rows = [_execution(row) for row in found if row["fits"]][:per_page]
        looked_up_to = next((_place(row) for row in found if row["fits"] is None), None)
        if sum(row["fits"] is not None for row in found) > len(rows):
            return ExecutionRows(rows, rows[-1].place)
        return ExecutionRows(rows, looked_up_to)

    def usage(self, owner: str, asked: UsageQuery) -> list[UsedRow]:
        """Return the figures of a user, the oldest first, with a row for each error code of a bucket."""
        rows = self._postgres.query(
            "usage", owner=owner, bucket=asked.bucket, since=asked.since, until=asked.until
        )
        return [UsedRow(**row) for row in rows]


def _place(row: Mapping[str, Any]) -> Place:
    return Place(row["created_at"], row["id"])


def _execution(row: Mapping[str, Any]) -> LoggedExecution:
    language, title = row["language"], row["title"]
    return LoggedExecution(
        place=_place(row),
        name=None if language is None or title is None else LanguageTitle(language, title),
        **{name: row[name] for name in _COLUMNS},
    )


_COLUMNS = tuple(name for name in LoggedExecution._fields if name not in ("place", "name"))
