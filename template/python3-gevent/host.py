"""Serves function/handler.py: its `app`, or its `handle(event, context)` behind a small Flask application."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from call_log import CallMarker
from flask import Flask, Response, request
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
    """Where the function runs."""

    hostname: str


def event_application(handle):
    """Returns the WSGI application that answers every path and method with what `handle` returns."""
    application = Flask(__name__, static_folder=None)
    # A dict goes out in the order it has.
    application.json.sort_keys = False
    context = Context(hostname=os.environ.get("HOSTNAME", "localhost"))

    @application.route("/", defaults={"path": ""}, methods=METHODS)
    @application.route("/<path:path>", methods=METHODS)
    def answer(path):
        event = Event(request.get_data(), request.headers, request.method, request.args, request.path)
        return response(application, handle(event, context))

    return application


def response(application, result):
    """Turns what a handler returned into a response.

    A dict that has nothing but status code, headers and body is an answer, and so is a tuple of body, status and
    perhaps headers. Everything else is the body.
    """
    if isinstance(result, dict) and result and result.keys() <= ANSWER_KEYS:
        return answer_of(
            application, result.get("body"), result.get("statusCode", 200), result.get("headers")
        )
    if isinstance(result, tuple) and len(result) in {2, 3} and is_status(result[1]):
        return answer_of(application, *result)
    return body(application, result)


def is_status(value):
    """Whether it is an HTTP status, and not just any second element."""
    return isinstance(value, int) and 100 <= value <= 599


def answer_of(application, value, status, headers=None):
    """The body with a status, and headers as a dict or as pairs, in which a name may come twice."""
    answer = body(application, value)
    answer.status_code = int(status)
    answer.headers.update(Headers(headers or ()))
    return answer


def body(application, value):
    """Text and bytes as they are, None as nothing, parts one after another, everything else as JSON."""
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
    """Text or bytes, each part sent as soon as it is there.

    The first one is waited for: a handler that fails before it is answered 500 like any other.
    """
    first = next(parts, b"")
    answer = Response(sent(first, parts), content_type=TEXT if isinstance(first, str) else BINARY)
    # A generator that the client does not hear out has an end of its own to come to.
    if hasattr(parts, "close"):
        answer.call_on_close(parts.close)
    return answer


def sent(first, parts):
    """All parts, as bytes."""
    yield encoded(first)
    for part in parts:
        yield encoded(part)


def encoded(part):
    return part.encode() if isinstance(part, str) else bytes(memoryview(part))


def served():
    """Returns the handler's WSGI application.

    Raises:
        ImportError: the handler has neither of the two things that can be served.
    """
    if hasattr(handler, "app"):
        return handler.app
    if hasattr(handler, "handle"):
        return event_application(handler.handle)
    raise ImportError("function/handler.py has neither `app` nor `handle(event, context)`")


app = CallMarker(served())
