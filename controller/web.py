"""What every endpoint's Flask app has in common: marks of a request, and one shape of errors."""

import logging
from collections.abc import Callable
from contextvars import Token

from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from controller.errors import InvalidRequest, NotFound, ServiceError
from controller.logs import Trace, current_trace
from controller.request import RequestParser

log = logging.getLogger(__name__)


class Function(Flask):
    """One endpoint's app. The server calls `close` when its worker ends."""

    close: Callable[[], None]


class Json(DefaultJSONProvider):
    """Answers as the contract shows them: fields in its order."""

    sort_keys = False
    compact = True


def mark_requests(app: Flask, parser: RequestParser) -> None:
    """Gives every request its id, in its answer and in every log line."""

    @app.before_request
    def mark() -> None:
        g.trace = parser.trace(request.headers)
        g.trace_token = current_trace.set(g.trace)

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.trace.http_request_id
        if "admission" in g:
            response.headers.update(g.admission.headers())
        return response

    @app.teardown_request
    def unmark(_: BaseException | None) -> None:
        token: Token[Trace | None] | None = g.pop("trace_token", None)
        if token is not None:
            current_trace.reset(token)


def answer_errors(app: Flask) -> None:
    """The one boundary between what went wrong and what the client is told."""

    @app.errorhandler(ServiceError)
    def expected(error: ServiceError) -> Response:
        g.code, g.counted = error.code.lower(), error.counted
        response = jsonify(error.document())
        response.status_code = error.status
        response.headers.update(error.headers())
        return response

    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status == 404:
            return expected(NotFound("there is no such path"))
        if status >= 500:
            return unexpected(error)
        response = expected(InvalidRequest(error.name.lower(), status=status))
        response.headers.extend({name: value for name, value in error.get_headers() if name == "Allow"})
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("an internal error", exc_info=error)
        return expected(ServiceError("an internal error"))
