"""Serves function/handler.py: its `app`, or its `handle(event, context)` behind a small Flask application."""

import os
from dataclasses import dataclass

from flask import Flask, Response, request

from function import handler

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ANSWER_KEYS = {"statusCode", "headers", "body"}


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
    context = Context(hostname=os.environ.get("HOSTNAME", "localhost"))

    @application.route("/", defaults={"path": ""}, methods=METHODS)
    @application.route("/<path:path>", methods=METHODS)
    def answer(path):
        event = Event(request.get_data(), request.headers, request.method, request.args, request.path)
        return response(application, handle(event, context))

    return application


def response(application, result):
    """Turns what a handler returned into a response.

    A dict that has nothing but status code, headers and body is an answer; any other one is JSON.
    """
    if isinstance(result, dict) and result and result.keys() <= ANSWER_KEYS:
        answer = body(application, result.get("body"))
        answer.status_code = int(result.get("statusCode", 200))
        answer.headers.update(result.get("headers") or {})
        return answer
    return body(application, result)


def body(application, value):
    """Text and bytes as they are, None as nothing, everything else as JSON."""
    if value is None:
        return Response(status=200)
    if isinstance(value, str):
        return Response(value, content_type="text/plain; charset=utf-8")
    if isinstance(value, (bytes, bytearray)):
        return Response(bytes(value), content_type="application/octet-stream")
    return application.json.response(value)


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


app = served()
