"""What is written to PostgreSQL: rows of the two logs, and the rows of a session that is begun or ended.

Every record may be written twice and leaves what writing it once would leave; and the order between the records of
different processes makes no difference in the end (see `queries.sql`). So what was kept while PostgreSQL was away can
be replayed, and replayed again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from controller.errors import ServiceError
from controller.json_codec import dumps
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, now
from controller.observability.correlation import Trace
from controller.observability.masking import Masker
from controller.request_log.rows import ErrorRow, RequestRow, Row, legal, ordered_id


class Record(msgspec.Struct, frozen=True):
    """A statement's share: either the parameters of a query, or one row of a query that writes many.

    Parameters are what JSON can hold: a record may have to wait in a file.
    """

    query: str
    parameters: Mapping[str, Any] = {}
    row: str | None = None
    """The row as a JSON object."""
    traceparent: str | None = None
    """Of the call it tells of; it is forgotten where the record has to wait in a file."""

    @property
    def size(self) -> int:
        """About its bytes."""
        if self.row is not None:
            return len(self.row)
        return sum(len(value) for value in self.parameters.values() if isinstance(value, str))


Group = tuple[Record, ...]
"""Records that are written together: a session's script before the session, a call's two rows."""


def packed(group: Group) -> bytes:
    """A group as it waits in a file."""
    return json.dumps([(record.query, dict(record.parameters), record.row) for record in group]).encode()


def unpacked(data: bytes) -> Group:
    """A group from its file; raises ValueError for what is none."""
    return tuple(Record(query, parameters, row) for query, parameters, row in json.loads(data))


@dataclass(slots=True)
class Entry:
    """One answered call, as `request_logs` and `error_logs` keep it. Filled in as the call goes along."""

    endpoint: str
    trace: Trace
    user_id: str
    name: LanguageTitle | None = None
    session_id: str | None = None
    script_hash: str | None = None
    payload: Any = None
    run: Run | None = None
    cached: bool = False
    executed: bool = False
    """Whether it counts in the session's `execution_count`."""
    counted: bool = True
    """Whether Redis has counted it."""
    replayed: bool = False
    """Whether it answers what an earlier one was answered."""
    duration_ms: float = 0.0
    remote_ms: float = 0.0
    """What of it the runtimes took."""
    coalesced: bool = False
    """Whether it waited for another one's run."""
    language: str | None = None
    """Of the runtime it concerns, once that is known to exist."""
    error: ServiceError | None = None
    lookup: str | None = None
    """Where the answer came from: hit, coalesced, miss or refresh."""

    def marks(self) -> dict[str, Any]:
        """What the line of the call says of it."""
        marks = {
            "faas.name": str(self.name) if self.name else None,
            "faas.coldstart": self.run.usage.get("cold") if self.run else None,
            "labels.session_id": self.session_id,
            "labels.language": self.language,
            "labels.cache": "replay" if self.replayed else self.lookup,
            **(self.error.marks() if self.error else {}),
        }
        return {name: value for name, value in marks.items() if value is not None}

    def records(self, masker: Masker) -> list[Record]:
        """The rows of this call, without secrets: one of `request_logs`, and one of `error_logs` where it failed."""
        row = self._request_row(masker)
        records = [Record("write_requests", row=row.written(), traceparent=self.trace.traceparent)]
        if self.error is not None:
            records.append(Record("write_errors", row=_error_row(row, self.error, masker).written()))
        return records

    def _request_row(self, masker: Masker) -> RequestRow:
        trace, name, run, error = self.trace, self.name, self.run, self.error
        response = error.document() if error else run.result if run else None
        payload, answered = masker.json(self.payload, response)
        usage = run.usage if run else error.usage if error else None
        return RequestRow(
            id=ordered_id(),
            created_at=now(),
            endpoint=self.endpoint,
            http_request_id=trace.http_request_id,
            call_id=_text(trace.call_id, masker),
            traceparent=_text(trace.traceparent, masker),
            session_id=legal(self.session_id) if self.session_id else None,
            user_id=legal(self.user_id),
            language=name.language if name else None,
            title=name.title if name else None,
            script_hash=self.script_hash,
            request_payload=payload,
            response_data=answered,
            status="error" if error else "ok",
            status_code=error.status if error else 200,
            error_code=error.code if error else None,
            cached=self.cached,
            executed=self.executed,
            counted=self.counted,
            duration_ms=self.duration_ms,
            execution_time_ms=run.execution_time if run else None,
            runtime_metrics=dumps(usage).decode() if usage else None,
        )


def _error_row(row: RequestRow, error: ServiceError, masker: Masker) -> ErrorRow:
    common = {name: getattr(row, name) for name in Row.__struct_fields__}
    (details,) = masker.json(error.details)
    return ErrorRow(**common, message=masker.text(legal(error.message)), details=details)


def _text(text: str | None, masker: Masker) -> str | None:
    """What a client chose, without secrets."""
    return None if text is None else masker.text(legal(text))
