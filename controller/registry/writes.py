"""The writes of scripts, artifacts, functions and sessions to PostgreSQL."""

import base64
import json

from controller.models.registered import ArtifactKey, Script, Session
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


def function_writes(session: Session) -> list[Write]:
    """Return the write that registers a function under the name and the owner of `session`."""
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
            },
        )
    ]


def session_writes(session: Session) -> list[Write]:
    """Return the write of a session."""
    return [
        Write(
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
                "created_at": session.created_at.isoformat(),
                "expires_at": session.expires_at.isoformat(),
            },
        )
    ]


def initialization_writes(
    session: Session, script: Script, artifact: bytes | None, *, registers: bool
) -> list[Write]:
    """Return all writes of a new session, in the order of their references.

    Args:
        session: the session.
        script: its script.
        artifact: its compiled artifact, if the language has artifacts.
        registers: whether its function is registered as well.
    """
    rows = script_writes(script)
    if artifact is not None:
        rows += artifact_writes(session.artifact_key, artifact)
    if registers:
        rows += function_writes(session)
    return rows + session_writes(session)


def session_end_writes(session: Session, status: str) -> list[Write]:
    """Return the write that ends a session as `closed` or `deleted`."""
    return [Write("end_session", {"request_id": session.request_id, "status": status})]
