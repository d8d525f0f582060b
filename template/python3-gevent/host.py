"""Serves function/handler.py: its `app`, or its `handle(event, context)` through a small Flask application."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask, Response, request
from log_format import CallIdMiddleware
from werkzeug.datastructures import Headers

from function import handler

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ANSWER_KEYS = {"statusCode", "headers", "body"}
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Event:
    """One request. `headers` and `query` are werkzeug's multi-dicts; `body` is bytes."""

    body: bytes
    headers: object
    method: str
    query: object
    path: str


@dataclass(frozen=True, slots=True)
class Context:
    """The environment that the function runs in."""

    hostname: str


def event_application(handle):
    """Return a WSGI application that answers every path and method with the result of `handle`."""
    application = Flask(__name__, static_folder=None)
    # A dict keeps its order.
    application.json.sort_keys = False
    context = Context(hostname=os.environ.get("HOSTNAME", "localhost"))

    @application.route("/", defaults={"path": ""}, methods=METHODS)
    @application.route("/<path:path>", methods=METHODS)
    def answer(path):
        event = Event(request.get_data(), request.headers, request.method, request.args, request.path)
        return response(application, handle(event, context))

    return application


def response(application, result):
    """Turn the result of a handler into a response.

    A dict with no other keys than status code, headers and body is a complete response, and so is a tuple of body,
    status and optionally headers. Any other result is the body.
    """
    if isinstance(result, dict) and result and result.keys() <= ANSWER_KEYS:
        return answer_of(
            application, result.get("body"), result.get("statusCode", 200), result.get("headers")
        )
    if isinstance(result, tuple) and len(result) in {2, 3} and is_status(result[1]):
        return answer_of(application, *result)
    return body(application, result)


def is_status(value):
    """Return whether the second element of a tuple is an HTTP status."""
    return isinstance(value, int) and 100 <= value <= 599


def answer_of(application, value, status, headers=None):
    """Return a response. Headers are a dict, or pairs, in which a name may occur twice."""
    answer = body(application, value)
    answer.status_code = int(status)
    answer.headers.update(Headers(headers or ()))
    return answer


def body(application, value):
    """Return a response with a body: text and bytes unchanged, None as empty, an iterator in parts, else JSON."""
    if value is None:
        return Response(status=200)
    if isinstance(value, str):
        return Response(value, content_type=TEXT)
    if isinstance(value, (bytes, bytearray)):
        return Response(bytes(value), content_type=BINARY)
    if isinstance(value, Iterator):
        return stream(value)
    return application.json.response(value)


def stream(parts):
    """Return a response that sends each part, text or bytes, as soon as it is available.

    It waits for the first part: a handler that fails before that is answered with 500 like any other.
    """
    first = next(parts, b"")
    answer = Response(sent(first, parts), content_type=TEXT if isinstance(first, str) else BINARY)
    # A generator must be closed if the client disconnects before the end.
    if hasattr(parts, "close"):
        answer.call_on_close(parts.close)
    return answer


def sent(first, parts):
    """Yield all parts as bytes."""
    yield encoded(first)
    for part in parts:
        yield encoded(part)


def encoded(part):
    return part.encode() if isinstance(part, str) else bytes(memoryview(part))


def served():
    """Return the handler's WSGI application.

    Raises:
        ImportError: The handler has neither `app` nor `handle`.
    """
    if hasattr(handler, "app"):
        return handler.app
    if hasattr(handler, "handle"):
        return event_application(handler.handle)
    raise ImportError("function/handler.py has neither `app` nor `handle(event, context)`")


app = CallIdMiddleware(served())
