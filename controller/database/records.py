"""What is written to PostgreSQL: rows of the two logs, and the rows of a session that is begun or ended."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.errors import ServiceError
from controller.logs import Trace
from controller.models import ArtifactKey, LanguageTitle, Run, Script, Session, now


@dataclass(frozen=True, slots=True)
class Record:
    """A statement's share: either the parameters of a query, or one row of a query that writes many."""

    query: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    row: str | None = None
    """The row as a JSON object."""


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
    duration_ms: float = 0.0
    error: ServiceError | None = None

    def records(self) -> list[Record]:
        """The rows of this call: one of `request_logs`, and one of `error_logs` where it failed."""
        call = {
            "id": str(uuid.uuid4()),
            "created_at": now().isoformat(),
            "endpoint": self.endpoint,
            "http_request_id": self.trace.http_request_id,
            "call_id": _text(self.trace.call_id),
            "session_id": self.session_id,
            "user_id": self.user_id,
            "language": self.name.language if self.name else None,
            "title": self.name.title if self.name else None,
        }
        records = [Record("write_requests", row=json.dumps(call | self._outcome()))]
        if self.error is not None:
            records.append(Record("write_errors", row=json.dumps(call | _failure(self.error))))
        return records

    def _outcome(self) -> dict[str, Any]:
        error, run = self.error, self.run
        usage = run.usage if run else error.usage if error else None
        return {
            "traceparent": _text(self.trace.traceparent),
            "script_hash": self.script_hash,
            "request_payload": json.dumps(self.payload),
            "response_data": json.dumps(error.document() if error else run.result if run else None),
            "status": "error" if error else "ok",
            "status_code": error.status if error else 200,
            "error_code": error.code if error else None,
            "cached": self.cached,
            "executed": self.executed,
            "duration_ms": self.duration_ms,
            "execution_time_ms": run.execution_time if run else None,
            "runtime_metrics": json.dumps(dict(usage)) if usage else None,
        }


def _failure(error: ServiceError) -> dict[str, Any]:
    return {
        "status_code": error.status,
        "error_code": error.code,
        "message": _text(error.message),
        "details": json.dumps(error.details),
    }


def _text(text: str | None) -> str | None:
    """PostgreSQL's text has neither NUL nor lone surrogates."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def script_records(script: Script) -> list[Record]:
    """The row of a script."""
    return [Record("put_script", {"script_hash": script.hash, "script_content": script.content})]


def artifact_records(key: ArtifactKey, artifact: bytes) -> list[Record]:
    """The row of a compiled artifact."""
    return [
        Record(
            "put_artifact",
            {
                "script_hash": key.script_hash,
                "language": key.language,
                "compile_options": key.compile_options,
                "artifact": artifact,
            },
        )
    ]


def function_records(session: Session) -> list[Record]:
    """The rows of a function that is registered, under the name and the owner of `session`."""
    return [
        Record(
            "put_function",
            {
                "user_id": session.user_id,
                "language": session.name.language,
                "title": session.name.title,
                "script_hash": session.script_hash,
                "compile_options": json.dumps(dict(session.compile_options)),
            },
        )
    ]


def session_records(session: Session) -> list[Record]:
    """The row of a session."""
    return [
        Record(
            "put_session",
            {
                "request_id": session.request_id,
                "user_id": session.user_id,
                "language": session.name.language,
                "title": session.name.title,
                "script_hash": session.script_hash,
                "compile_options": json.dumps(dict(session.compile_options)),
                "context": json.dumps(dict(session.context)),
                "isolation": session.isolation,
                "timeout_ms": session.timeout_ms,
                "retain_session": session.retain_session,
                "compile_status": session.compile_status,
                "params_schema": session.params_schema,
                "status": session.status,
                "created_at": session.created_at,
                "expires_at": session.expires_at,
            },
        )
    ]


def session_end_records(session: Session, status: str) -> list[Record]:
    """The end of a session: `closed` or `deleted`."""
    return [Record("end_session", {"request_id": session.request_id, "status": status})]
