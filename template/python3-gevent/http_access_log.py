"""The access log, by gunicorn's own settings: `accesslog`, `access_log_format`, `logger_class`."""

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from gunicorn.glogging import Logger
from http_message import Refused, Request
from http_response import Response

#: What is said of a request that nobody has understood.
_UNKNOWN = {"REQUEST_METHOD": "-", "RAW_URI": "-", "PATH_INFO": "-", "SERVER_PROTOCOL": "-"}


class _Told(NamedTuple):
    """An answer as gunicorn's loggers want it."""

    status: str
    headers: list[tuple[str, str]]
    sent: int


class AccessLog:
    """One line for each request. `log` is gunicorn's logger."""

    def __init__(self, log: Any) -> None:
        self._log = log

    @classmethod
    def of(cls, log: Any) -> Self | None:
        """None where nobody would read it, so that it costs nothing."""
        if type(log).access is not Logger.access:
            return cls(log)  # a logger with purposes of its own: counting, say
        lines: logging.Logger = log.access_log
        return cls(log) if lines.isEnabledFor(logging.INFO) and lines.hasHandlers() else None

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        """A request that an application has seen; `seconds` from being handed to it to the answer's last byte."""
        environ = request.environ
        headers = [(key[5:].replace("_", "-"), value) for key, value in environ.items() if key[:5] == "HTTP_"]
        told = _Told(response.status or "500", response.headers, response.sent)
        self._log.access(told, headers, environ, timedelta(seconds=seconds))

    def refused(self, refused: Refused) -> None:
        """One that none has seen."""
        status = HTTPStatus(refused.status)
        told = _Told(f"{status.value} {status.phrase}", [], 0)
        self._log.access(told, [], _UNKNOWN, timedelta())
