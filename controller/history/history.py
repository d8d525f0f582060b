"""History: the executions of a user, and figures of them."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol

import msgspec

from controller.errors import NotFound
from controller.json_codec import Reader
from controller.models.cursors import cursor_of
from controller.models.history import (
    NO_ERROR,
    NOTHING,
    ExecutionEntry,
    ExecutionFilter,
    ExecutionPage,
    ExecutionRows,
    ExecutionsQuery,
    LoggedExecution,
    Place,
    UsageAnswer,
    UsageBucket,
    UsageFigures,
    UsageQuery,
    UsedRow,
)
from controller.models.registered import FunctionRef, LanguageTitle, rfc3339
from controller.models.responses import AliasAnswer


class HistoryRows(Protocol):
    """The log and the statistics. Both methods raise StoreUnavailable while they are away."""

    def executions(
        self, owner: str, chosen: ExecutionFilter, after: Place | None, per_page: int
    ) -> ExecutionRows:
        """Return a page of a user's executions after a place. A page may be short although there are more."""

    def usage(self, owner: str, asked: UsageQuery) -> list[UsedRow]:
        """Return the figures of a user, the oldest first, with a row for each error code of a bucket."""


class _Payload(msgspec.Struct):
    """What a row keeps of a request."""

    params: msgspec.Raw = NOTHING


class _Failure(msgspec.Struct):
    """What a row keeps of an answer that is an error."""

    error: msgspec.Raw = NOTHING


class _Metrics(msgspec.Struct):
    """What a row keeps of what a run used."""

    cold: bool | None = None
    cpu_time: float | None = None


_PAYLOAD, _FAILURE = Reader(_Payload, ["params"]), Reader(_Failure, ["error"])
_METRICS = Reader(_Metrics, [])
NOT_RUN = _Metrics()


class History:
    """What each user ran.

    Args:
        rows: the log and the statistics.
        aliases: returns the aliases of a function that a user sees. Raises NotFound if there is none.
    """

    def __init__(
        self, rows: HistoryRows, aliases: Callable[[LanguageTitle, str], Sequence[AliasAnswer]]
    ) -> None:
        self._rows = rows
        self._aliases = aliases

    def executions(self, owner: str, asked: ExecutionsQuery) -> ExecutionPage:
        """Return a page of the owner's executions, the newest first.

        Raises:
            NotFound: the reference names an alias that is not there.
            StoreUnavailable: PostgreSQL is away.
        """
        ref = asked.function
        name, versions = (None, None) if ref is None else (ref.name, self._versions(ref, owner))
        chosen = ExecutionFilter(name, versions, asked.status, asked.since)
        found = self._rows.executions(owner, chosen, asked.after, asked.per_page)
        after = found.after
        cursor = None if after is None else cursor_of([after.created_at.isoformat(), after.id])
        return ExecutionPage([_entry(row) for row in found.rows], cursor)

    def usage(self, owner: str, asked: UsageQuery) -> UsageAnswer:
        """Return figures of the owner's executions. Raises StoreUnavailable while PostgreSQL is away."""
        rows = self._rows.usage(owner, asked)
        buckets = [
            UsageBucket(**_figures(list(some)), starts_at=rfc3339(starts_at))
            for starts_at, some in groupby(rows, key=lambda row: row.starts_at)
        ]
        total = UsageFigures(**_figures(rows))
        return UsageAnswer(rfc3339(asked.since), rfc3339(asked.until), asked.bucket, total, buckets)

    def _versions(self, ref: FunctionRef, owner: str) -> Sequence[int] | None:
        """Return the versions that a reference names now. None: all, and executions by id."""
        if not ref.selector:
            return None
        if ref.selector.isdecimal():
            return [int(ref.selector)]
        for one in self._aliases(ref.name, owner):
            if one.alias == ref.selector:
                canary = one.canary
                return [one.version] if canary is msgspec.UNSET else [one.version, canary.version]
        raise NotFound(f"there is no function {ref}")


def _entry(row: LoggedExecution) -> ExecutionEntry:
    failed = row.error_code is not None
    response = row.response_data.encode()
    used = NOT_RUN if row.cached else _used(row.runtime_metrics)
    return ExecutionEntry(
        http_request_id=row.http_request_id,
        request_id=row.session_id,
        language_title=None if row.name is None else str(row.name),
        version=row.version,
        status_code=row.status_code,
        code=row.error_code,
        cached=row.cached,
        cold=used.cold,
        duration_ms=round(row.duration_ms, 3),
        execution_time=row.execution_time_ms,
        cpu_time=used.cpu_time,
        created_at=rfc3339(row.place.created_at),
        params=_params(row.request_payload.encode()),
        result=NOTHING if failed else msgspec.Raw(response),
        error=_error(response) if failed else NOTHING,
    )


def _used(metrics: str | None) -> _Metrics:
    """Return what a run used. A runtime may say odd things."""
    try:
        return NOT_RUN if metrics is None else _METRICS.read(metrics.encode())
    except ValueError:
        return NOT_RUN


def _params(payload: bytes) -> msgspec.Raw:
    """Return the params of a row. In the place of what could not be masked, a text stands in the log."""
    try:
        return _PAYLOAD.read(payload).params
    except ValueError:
        return msgspec.Raw(payload)


def _error(response: bytes) -> msgspec.Raw:
    """Return the error of a row, as `_params` does."""
    try:
        return _FAILURE.read(response).error
    except ValueError:
        return msgspec.Raw(response)


def _figures(rows: Sequence[UsedRow]) -> dict[str, Any]:
    """Add rows up, for `UsageFigures`."""
    executions = sum(row.executions for row in rows)
    cached = sum(row.cache_hits for row in rows)
    errors: dict[str, int] = {}
    for row in rows:
        if row.error_code != NO_ERROR:
            errors[row.error_code] = errors.get(row.error_code, 0) + row.executions
    return {
        "executions": executions,
        "errors": errors,
        "cached": cached,
        "cached_share": round(cached / executions, 4) if executions else 0.0,
        "cpu_ms": round(sum(row.cpu_time_ms for row in rows), 3),
        "wall_ms": round(sum(row.duration_ms for row in rows), 3),
        "bytes_in": sum(row.bytes_in for row in rows),
        "bytes_out": sum(row.bytes_out for row in rows),
    }
