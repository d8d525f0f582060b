"""The contract as OpenAPI 3.1, made of the schemas that read requests and the structs that write responses."""

from functools import cache
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from msgspec.json import schema_components

from controller import VERSION
from controller.errors import ErrorAnswer
from controller.web.openapi.operations import OPERATIONS, REQUEST_ID_HEADER, Operation

DESCRIPTION = """Registers scripts in Node.js, Python or Rust, and runs them.

The order of checks: path and method (404, 405), body size and type (413, 415), token (401), rate (429), body (400),
owner (404), scope (403), idempotency (409). Behind the OpenFaaS gateway the same handlers answer at
`/function/<name>/...`."""

SCHEMAS = "#/components/schemas/"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    spec = APISpec(
        title="lambda-microservice",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": DESCRIPTION},
        servers=[{"url": "/"}],
        plugins=[MarshmallowPlugin()],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    for name, schema in _answers().items():
        spec.components.schema(name, schema)
    failures = {failure for operation in OPERATIONS for failure in operation.failures.items()}
    for status, codes in sorted(failures):
        spec.components.response(_response_name(status, codes), _failure(status, codes))
    for operation in OPERATIONS:
        spec.path(operation.path, operations={operation.method: _described(operation)})
    written: dict[str, Any] = spec.to_dict()
    return written


def _answers() -> dict[str, Any]:
    """The schemas of all responses, by name."""
    written = [one.answer for one in OPERATIONS if isinstance(one.answer, type)]
    _, schemas = schema_components([ErrorAnswer, *written], ref_template=f"{SCHEMAS}{{name}}")
    return schemas


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*operation.parameters, REQUEST_ID_HEADER],
        "responses": {str(operation.status): _success(operation)}
        | {
            str(status): _response_name(status, codes) for status, codes in sorted(operation.failures.items())
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.token:
        described["security"] = [{"token": []}]
    return described


def _success(operation: Operation) -> dict[str, Any]:
    answer = operation.answer
    response: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase, "headers": _headers()}
    if isinstance(answer, str):
        response["content"] = {
            answer: {"schema": {"type": "object"} if "json" in answer else {"type": "string"}}
        }
    elif answer is not None:
        response["content"] = {"application/json": {"schema": {"$ref": f"{SCHEMAS}{answer.__name__}"}}}
    return response


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
