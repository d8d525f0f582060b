"""The writes of scripts, artifacts, functions and sessions to PostgreSQL."""

import base64
import json
from collections.abc import Sequence

from controller.models.registered import ArtifactKey, Script, Session
from controller.models.stored import NewSession
from controller.request_log.writes import Write


def script_writes(script: Script) -> list[Write]:
    """Return the write of a script."""
    return [Write("put_script", {"script_hash": script.hash, "script_content": script.content})]


def artifact_writes(key: ArtifactKey, artifact: bytes) -> list[Write]:
    """Return the write of a compiled artifact."""
    return [
        Write(
            "put_artifact",
            {
                "script_hash": key.script_hash,
                "language": key.language,
                "compile_options": key.compile_options,
                "artifact": base64.b64encode(artifact).decode(),
            },
        )
    ]


def function_writes(session: Session, packages: Sequence[str] = ()) -> list[Write]:
    """Return the write that registers a function under the name and the owner of `session`.

    Args:
        session: the session.
        packages: the field `packages` of the function.
    """
    return [
        Write(
            "put_function",
            {
                "user_id": session.user_id,
                "language": session.name.language,
                "title": session.name.title,
                "script_hash": session.script_hash,
                "compile_options": json.dumps(dict(session.compile_options)),
                "updated_at": session.created_at.isoformat(),
                "packages": list(packages),
                "environment": session.environment,
            },
        )
    ]


def session_writes(session: Session) -> list[Write]:
    """Return the write of a session."""
    return [Write("put_session", {**session.columns(), "status": session.status})]


def session_mark_writes(request_id: str, result_schema: str | None, *, by_name: bool) -> list[Write]:
    """Return the write of what few sessions have, after that of the session.

    Args:
        request_id: the session.
        result_schema: the JSON Schema that its results have to meet.
        by_name: whether the session is behind executions by name.
    """
    parameters = {"request_id": request_id, "by_name": by_name, "result_schema": result_schema}
    return [Write("mark_session", parameters)] if by_name or result_schema is not None else []


def initialization_writes(new: NewSession, *, by_name: bool = False) -> list[Write]:
    """Return all writes of a new session, in the order of their references.

    Args:
        new: the session.
        by_name: whether it is behind executions by name.
    """
    session = new.session
    rows = script_writes(new.script)
    if new.artifact is not None:
        rows += artifact_writes(session.artifact_key, new.artifact)
    if new.registers:
        rows += function_writes(session, new.packages)
    marks = session_mark_writes(session.request_id, session.result_schema, by_name=by_name)
    return rows + session_writes(session) + marks


def session_end_writes(session: Session, status: str) -> list[Write]:
    """Return the write that ends a session as `closed` or `deleted`."""
    return [Write("end_session", {"request_id": session.request_id, "status": status})]
