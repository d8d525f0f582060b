"""How sessions begin: by a request to initialize, or behind executions of a version by name."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.models.registered import LanguageTitle, Script, Session, now
from controller.models.requests import InitializeRequest
from controller.models.stored import FunctionContent
from controller.registry.functions import Registered
from controller.runtimes.client import Prepared

#: What a version says nothing of, as at initialize.
ISOLATION, TIMEOUT_MS = "session", 30_000


@dataclass(frozen=True, slots=True)
class SessionBounds:
    """The limits of every session.

    Attributes:
        ttl: seconds from a session's creation to its expiry.
        timeout_ms: longest deadline of a script. A longer one is reduced to it.
    """

    ttl: int
    timeout_ms: int


def session_of_request(
    user_id: str, request: InitializeRequest, function: Registered, prepared: Prepared, bounds: SessionBounds
) -> Session:
    """Return the session that an initialize request begins. Its environment is that of `function`."""
    created_at = now()
    return Session(
        request_id=str(uuid.uuid4()),
        user_id=user_id,
        name=request.name,
        script_hash=function.script.hash,
        params_schema=function.params_schema,
        result_schema=function.result_schema,
        compile_options=request.compile_options,
        context=request.context,
        isolation=request.isolation,
        timeout_ms=min(request.timeout_ms, bounds.timeout_ms),
        retain_session=request.retain_session,
        compile_status=_compile_status(prepared),
        created_at=created_at,
        expires_at=created_at + timedelta(seconds=bounds.ttl),
        environment=function.environment,
    )


def session_of_version(
    request_id: str,
    user_id: str,
    name: LanguageTitle,
    content: FunctionContent,
    *,
    script: Script,
    prepared: Prepared,
    bounds: SessionBounds,
    expires_at: datetime,
) -> Session:
    """Return a session with a version's script, schemas and defaults."""
    registered, defaults = Registered.of(content, script), content.defaults
    return Session(
        request_id=request_id,
        user_id=user_id,
        name=name,
        script_hash=content.script_hash,
        compile_options=content.compile_options,
        context=defaults.get("context", {}),
        isolation=defaults.get("isolation", ISOLATION),
        timeout_ms=min(defaults.get("timeout_ms", TIMEOUT_MS), bounds.timeout_ms),
        retain_session=True,
        compile_status=_compile_status(prepared),
        created_at=now(),
        expires_at=expires_at,
        params_schema=registered.params_schema,
        result_schema=registered.result_schema,
        environment=content.environment,
    )


def _compile_status(prepared: Prepared) -> str | None:
    """Return the `compile_status` of a new session. None: its language is not compiled."""
    return None if prepared.artifact_cached is None else "compiled"
