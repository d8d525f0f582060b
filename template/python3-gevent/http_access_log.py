"""The access log, with gunicorn's settings: `accesslog`, `access_log_format`, `logger_class`."""

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from gunicorn.glogging import Logger
from http_message import Refused, Request
from http_response import Response

#: The fields of a request that could not be parsed.
_UNKNOWN = {"REQUEST_METHOD": "-", "RAW_URI": "-", "PATH_INFO": "-", "SERVER_PROTOCOL": "-"}


class _LoggedResponse(NamedTuple):
    """A response with the attributes that gunicorn's loggers read."""

    status: str
    headers: list[tuple[str, str]]
    sent: int


class AccessLog:
    """Writes one line per request. `log` is gunicorn's logger."""

    def __init__(self, log: Any) -> None:
        self._log = log

    @classmethod
    def of(cls, log: Any) -> Self | None:
        """Return the access log, or None if it is disabled, so that it costs nothing."""
        if type(log).access is not Logger.access:
            return cls(log)  # a custom logger, which may count requests for instance
        lines: logging.Logger = log.access_log
        return cls(log) if lines.isEnabledFor(logging.INFO) and lines.hasHandlers() else None

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        """Log a request that the application answered.

        Args:
            request: The request.
            response: Its response.
            seconds: Time from the call of the application to the last byte of the response.
        """
        environ = request.environ
        headers = [(key[5:].replace("_", "-"), value) for key, value in environ.items() if key[:5] == "HTTP_"]
        logged = _LoggedResponse(response.status or "500", response.headers, response.sent)
        self._log.access(logged, headers, environ, timedelta(seconds=seconds))

    def refused(self, refused: Refused) -> None:
        """Log a request that was refused before it reached the application."""
        status = HTTPStatus(refused.status)
        logged = _LoggedResponse(f"{status.value} {status.phrase}", [], 0)
        self._log.access(logged, [], _UNKNOWN, timedelta())
