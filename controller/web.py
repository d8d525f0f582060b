"""What every endpoint's Flask app has in common: JSON as the contract shows it, and one shape of errors."""

import logging
from collections.abc import Callable

from flask import Flask, Response, g, jsonify
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from controller.errors import InvalidRequest, NotFound, ServiceError
from controller.logs import mark

log = logging.getLogger(__name__)


class Function(Flask):
    """One endpoint's app. The server calls `close` when its worker ends.

    It hands on requests with more than `body_max_bytes` without their body, for us to refuse.
    """

    close: Callable[[], None]
    body_max_bytes: int


class Json(DefaultJSONProvider):
    """Answers as the contract shows them: fields in its order."""

    sort_keys = False
    compact = True


def answer_errors(app: Flask) -> None:
    """The one boundary between what went wrong and what the client is told."""

    @app.errorhandler(ServiceError)
    def expected(error: ServiceError) -> Response:
        g.code, g.counted = error.code.lower(), error.counted
        mark(error.marks())
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
