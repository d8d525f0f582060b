"""Generates the contract as OpenAPI 3.1 from the schemas of requests and the structs of responses."""

from functools import cache
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from msgspec.json import schema_components

from controller import VERSION
from controller.errors import ErrorAnswer
from controller.models.responses import FunctionDetail
from controller.web.openapi.examples import example_of
from controller.web.parameters import REQUEST_ID_HEADER
from controller.web.route import Failures, Route
from controller.web.routes import ROUTES

DESCRIPTION = """Registers scripts in Node.js, TypeScript, Python or Rust, and runs them.

The order of checks: path and method (404, 405), body size and type (413, 415), token (401), rate (429), body (400),
owner (404), scope (403), If-Match (412), params (400), idempotency (409), state (409). Behind the OpenFaaS gateway
the same handlers answer at `/function/<name>/...`."""

SCHEMAS = "#/components/schemas/"
#: Error codes by status: those of every route, then those that a token and a body add.
ANY_CALL: Failures = {404: ("NOT_FOUND",), 405: ("INVALID_REQUEST",), 500: ("INTERNAL_ERROR",)}
WITH_TOKEN: Failures = {
    400: ("INVALID_REQUEST",),
    401: ("UNAUTHORIZED",),
    403: ("FORBIDDEN",),
    429: ("RATE_LIMITED",),
    503: ("STORE_UNAVAILABLE",),
}
WITH_BODY: Failures = {
    413: ("INVALID_REQUEST",),
    415: ("INVALID_REQUEST",),
    503: ("RUNTIME_UNAVAILABLE", "STORE_UNAVAILABLE"),
    504: ("TIMEOUT",),
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    spec = APISpec(
        title="lambda-microservice",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": DESCRIPTION},
        servers=[{"url": "/"}],
        plugins=[MarshmallowPlugin()],
    )
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    spec.components.security_scheme("token", bearer | {"description": "A JSON Web Token, or an API key."})
    for name, schema in _answers().items():
        spec.components.schema(name, schema)
    for status, codes in sorted({failure for route in ROUTES for failure in _failures(route).items()}):
        spec.components.response(_response_name(status, codes), _failure(status, codes))
    for route in ROUTES:
        spec.path(route.paths[0], operations={route.method.lower(): _described(route)})
    written: dict[str, Any] = spec.to_dict()
    return written


def _answers() -> dict[str, Any]:
    """Return the schemas of all responses, by name."""
    written = [route.answer for route in ROUTES if isinstance(route.answer, type)]
    _, schemas = schema_components([ErrorAnswer, *written], ref_template=f"{SCHEMAS}{{name}}")
    return schemas


def _failures(route: Route) -> Failures:
    token = {} if route.permission is None else WITH_TOKEN
    body = {} if route.body is None else WITH_BODY
    return {**ANY_CALL, **token, **body, **route.failures}


def _described(route: Route) -> dict[str, Any]:
    failures = sorted(_failures(route).items())
    described: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.function.prefixes[0].rpartition("/")[2] or "service"],
        "summary": route.description,
        "parameters": [*map(_filled_in, route.parameters), REQUEST_ID_HEADER],
        "responses": {str(route.status): _success(route, route.status)}
        | {str(status): _response_name(status, codes) for status, codes in failures},
    }
    if route.created:
        described["responses"]["201"] = _success(route, 201)
    if route.body is not None:
        content = {"application/json": {"schema": route.body} | _example(example_of(route.name).body)}
        described["requestBody"] = {"required": True, "content": content}
    if route.permission is not None:
        described["description"] = f"Needs {route.permission.scopes}."
        described["security"] = [{"token": []}]
    return described


def _filled_in(parameter: dict[str, Any]) -> dict[str, Any]:
    """Add the example with which a page to try calls fills in a parameter that is required."""
    if not parameter.get("required"):
        return parameter
    return {**parameter, "example": parameter["schema"]["examples"][0]}


def _success(route: Route, status: int) -> dict[str, Any]:
    answer = route.answer
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": _headers()}
    if isinstance(answer, str):
        response["content"] = {
            answer: {"schema": {"type": "object"} if "json" in answer else {"type": "string"}}
        }
    elif answer is not None:
        schema = {"schema": {"$ref": f"{SCHEMAS}{answer.__name__}"}}
        response["content"] = {"application/json": schema | _example(example_of(route.name).answer)}
    if answer is FunctionDetail:
        response["headers"]["ETag"] = {
            "description": "The number of the version shown, in double quotes.",
            "required": True,
            "schema": {"type": "string", "examples": ['"1"']},
        }
    return response


def _example(document: dict[str, Any] | None) -> dict[str, Any]:
    return {} if document is None else {"example": document}


def _response_name(status: int, codes: tuple[str, ...]) -> str:
    return "-".join((str(status), *codes))


def _failure(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    code = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    schema = {"allOf": [{"$ref": f"{SCHEMAS}{ErrorAnswer.__name__}"}, code]}
    extra = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}.get(status, ())
    return {
        "description": " or ".join(codes),
        "headers": _headers(*extra),
        "content": {"application/json": {"schema": schema}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"required": True, "schema": {"type": "string"}} for name in ("X-Request-ID", *names)}
