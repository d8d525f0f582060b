"""MemoryHistory: the double of `PostgresHistory` on the rows of `MemoryTables`. One contract suite holds both."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from controller.database.memory import MemoryTables
from controller.models.history import (
    NO_ERROR,
    ExecutionFilter,
    ExecutionRows,
    LoggedExecution,
    Place,
    UsageQuery,
    UsedRow,
)
from controller.models.registered import LanguageTitle


class MemoryHistory:
    """Executions and figures of the rows in memory. A page looks at all of them."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def executions(
        self, owner: str, chosen: ExecutionFilter, after: Place | None, per_page: int
    ) -> ExecutionRows:
        """See `HistoryRows.executions`."""
        found = [
            one
            for one in sorted(map(_execution, self._own(owner)), key=lambda one: one.place, reverse=True)
            if _chosen(one, chosen) and (after is None or one.place < after)
        ]
        page = found[:per_page]
        return ExecutionRows(page, page[-1].place if len(found) > per_page else None)

    def usage(self, owner: str, asked: UsageQuery) -> list[UsedRow]:
        """See `HistoryRows.usage`."""

        def key(row: Mapping[str, Any]) -> tuple[datetime, str]:
            moment = datetime.fromisoformat(row["created_at"])
            hour = 0 if asked.bucket == "day" else moment.hour
            return moment.replace(hour=hour, minute=0, second=0, microsecond=0), row.get(
                "error_code", NO_ERROR
            )

        own = sorted(self._own(owner), key=key)
        return [
            _used(starts_at, code, list(rows))
            for (starts_at, code), rows in groupby(own, key=key)
            if asked.since <= starts_at < asked.until
        ]

    def _own(self, owner: str) -> Iterator[Mapping[str, Any]]:
        for row in self._tables.requests():
            if row["user_id"] == owner and row["endpoint"] == "execute":
                yield row


def _chosen(one: LoggedExecution, chosen: ExecutionFilter) -> bool:
    status = "ok" if one.error_code is None else "error"
    return (
        chosen.name in (None, one.name)
        and (chosen.versions is None or one.version in chosen.versions)
        and chosen.status in (None, status)
        and (chosen.since is None or one.place.created_at >= chosen.since)
    )


def _execution(row: Mapping[str, Any]) -> LoggedExecution:
    rare = ("session_id", "version", "error_code", "execution_time_ms", "runtime_metrics")
    optional: dict[str, Any] = {name: row.get(name) for name in rare}
    given = ("http_request_id", "status_code", "cached", "duration_ms", "request_payload", "response_data")
    return LoggedExecution(
        place=Place(datetime.fromisoformat(row["created_at"]), row["id"]),
        name=LanguageTitle(row["language"], row["title"]) if "language" in row else None,
        **optional,
        **{name: row[name] for name in given},
    )


def _used(starts_at: datetime, code: str, rows: list[Mapping[str, Any]]) -> UsedRow:
    figures = [json.loads(row.get("runtime_metrics", "{}")) if not row["cached"] else {} for row in rows]
    return UsedRow(
        starts_at=starts_at,
        error_code=code,
        executions=len(rows),
        cache_hits=sum(row["cached"] for row in rows),
        duration_ms=sum(row["duration_ms"] for row in rows),
        cpu_time_ms=sum(one.get("cpu_time", 0) for one in figures),
        bytes_in=sum(one.get("bytes_in", 0) for one in figures),
        bytes_out=sum(one.get("bytes_out", 0) for one in figures),
    )
