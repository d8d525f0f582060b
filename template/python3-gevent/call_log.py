"""The function's log: each record one line on stderr, at once, with the id of the call it was written in.

    2026-11-22T09:30:00.123Z INFO orders 8d2f1c3a-… stored 3 rows

Line breaks in a message or a traceback are written as `\\n`, so that a record stays one line for whoever collects
them. gunicorn sets this up before it loads the handler (`logconfig_dict`), and LOG_LEVEL says from which level on.
LOG_FORMAT=ecs writes JSON in the Elastic Common Schema instead, without the id. A function that wants another format
says so by `logging.config.dictConfig` or `logging.basicConfig(force=True)`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from http_app import Adapted

#: The X-Call-Id of the call under way, `-` outside of one. Each greenlet has a context of its own.
CALL_ID: ContextVar[str] = ContextVar("call_id", default="-")
#: Ids are UUIDs where the gateway makes them, but a client may send anything.
_ID_MAX = 100

#: The formatters by LOG_FORMAT. That of ecs is in the package ecs-logging, which the function has to bring.
_FORMATTERS: dict[str, dict[str, Any]] = {
    "line": {"()": "call_log.LineFormatter"},
    "ecs": {
        "()": "ecs_logging.StdlibFormatter",
        "exclude_fields": ["log.original", "process.name", "process.thread"],
    },
}


class LineFormatter(logging.Formatter):
    """One line, however many the record has."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(call_id)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.call_id = CALL_ID.get()
        return "\\n".join(super().format(record).splitlines())


def settings(level: str, form: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes. `level`: debug, info, warning or error. `form`: line or ecs."""
    level = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": _FORMATTERS[form]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level, "handlers": ["stderr"], "propagate": False}},
    }


class CallMarker(Adapted):
    """An application that says which call is under way."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]:
        CALL_ID.set(environ.get("HTTP_X_CALL_ID", "-")[:_ID_MAX])
        return self._application(environ, start_response)
