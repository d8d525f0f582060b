"""Every call of the public contract: what it takes, what it answers, and how it may fail."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema
from msgspec import Struct

from controller.models import responses
from controller.observability.correlation import REQUEST_ID
from controller.web.parsing import LANGUAGE_TITLE, LANGUAGE_TITLE_MAX
from controller.web.request_schemas import ExecuteSchema, FunctionsSchema, InitializeSchema

Failures = dict[int, tuple[str, ...]]
ANY_CALL: Failures = {
    400: ("INVALID_REQUEST",),
    401: ("UNAUTHORIZED",),
    403: ("FORBIDDEN",),
    404: ("NOT_FOUND",),
    405: ("INVALID_REQUEST",),
    429: ("RATE_LIMITED",),
    500: ("INTERNAL_ERROR",),
    503: ("STORE_UNAVAILABLE",),
}
CALL_WITH_BODY: Failures = ANY_CALL | {
    413: ("INVALID_REQUEST",),
    415: ("INVALID_REQUEST",),
    503: ("RUNTIME_UNAVAILABLE", "STORE_UNAVAILABLE"),
    504: ("TIMEOUT",),
}
UNREGISTERED: Failures = {404: ("NOT_FOUND",), 405: ("INVALID_REQUEST",), 500: ("INTERNAL_ERROR",)}


def _parameter(place: str, name: str, pattern: str, text: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^(?:{pattern})$"}
    return {"in": place, "name": name, "required": required, "description": text, "schema": schema}


SESSION = _parameter("path", "request_id", REQUEST_ID.pattern, "The session.", required=True)
NAME = _parameter("path", "language_title", LANGUAGE_TITLE.pattern, "The function.", required=True)
NAME_HEADER = NAME | {"in": "header", "name": "Language-Title"}
for _name in (NAME, NAME_HEADER):
    _name["schema"] = _name["schema"] | {"maxLength": LANGUAGE_TITLE_MAX}
CACHE_CONTROL = {
    "in": "header",
    "name": "X-Cache-Control",
    "description": "`no-cache` runs anew and refreshes the stored result; `max-age=N` stores for N seconds.",
    "schema": {"type": "string", "examples": ["no-cache", "max-age=60"]},
}
IDEMPOTENCY_KEY = _parameter(
    "header",
    "Idempotency-Key",
    REQUEST_ID.pattern,
    "A repeat within 24 hours answers what the first one was answered.",
)
REQUEST_ID_HEADER = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Echoed with the answer; one that is not 1-64 of `A-Za-z0-9._-` is replaced.",
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    name: str
    summary: str
    failures: Failures
    answer: type[Struct] | str | None
    """Struct of the answer; a media type when it is no JSON of ours; None: there is no body."""
    parameters: tuple[Any, ...] = ()
    body: type[Schema] | None = None
    token: bool = True
    status: int = 200


OPERATIONS = (
    Operation(
        "/api/v1/initialize",
        "post",
        "initialize",
        "Begins a session, and registers the script when one is given. Needs `execute:all` or `execute:<language>`.",
        CALL_WITH_BODY | {400: ("INVALID_REQUEST", "INITIALIZATION_ERROR")},
        responses.InitializeAnswer,
        (NAME_HEADER,),
        InitializeSchema,
    ),
    Operation(
        "/api/v1/execute/{request_id}",
        "post",
        "execute",
        "Runs the session's script, or answers with a kept result. Needs `execute:all` or `execute:<language>`.",
        CALL_WITH_BODY
        | {
            400: ("INVALID_REQUEST", "INVALID_PARAMS"),
            409: ("IDEMPOTENCY_CONFLICT",),
            500: ("RUNTIME_ERROR", "INTERNAL_ERROR"),
        },
        responses.ExecuteAnswer,
        (SESSION, CACHE_CONTROL, IDEMPOTENCY_KEY),
        ExecuteSchema,
    ),
    Operation(
        "/api/v1/sessions/{request_id}",
        "get",
        "describe_session",
        "A session's state. Needs `execute:all` or `execute:<language>`.",
        ANY_CALL,
        responses.SessionAnswer,
        (SESSION,),
    ),
    Operation(
        "/api/v1/sessions/{request_id}",
        "delete",
        "end_session",
        "Ends a session; its running executions are let finish. Needs `execute:all` or `execute:<language>`.",
        ANY_CALL,
        None,
        (SESSION,),
        status=204,
    ),
    Operation(
        "/api/v1/functions",
        "get",
        "list_functions",
        "One's own functions, and the predefined ones. Needs `read:functions`.",
        ANY_CALL,
        responses.FunctionPage,
        ({"in": "query", "schema": FunctionsSchema},),
    ),
    Operation(
        "/api/v1/functions/{language_title}",
        "get",
        "describe_function",
        "A function. Needs `read:functions`.",
        ANY_CALL,
        responses.FunctionDetail,
        (NAME,),
    ),
    Operation(
        "/api/v1/functions/{language_title}",
        "delete",
        "delete_function",
        "Ends one's own function; sessions that began with it go on. Needs `execute:all` or `execute:<language>`.",
        ANY_CALL,
        None,
        (NAME,),
        status=204,
    ),
    Operation(
        "/health",
        "get",
        "health",
        "Whether the service can serve.",
        UNREGISTERED,
        responses.HealthAnswer,
        token=False,
    ),
    Operation(
        "/metrics", "get", "metrics", "Metrics for Prometheus.", UNREGISTERED, "text/plain", token=False
    ),
    Operation(
        "/openapi.json", "get", "openapi", "This document.", UNREGISTERED, "application/json", token=False
    ),
    Operation(
        "/docs", "get", "docs", "This document, to read and try.", UNREGISTERED, "text/html", token=False
    ),
)
