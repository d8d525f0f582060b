"""The format of the function's log: one line per record on stderr, unbuffered, with the id of the current call.

    2026-11-22T09:30:00.123Z INFO orders 8d2f1c3a-… stored 3 rows

Line breaks in a message or a traceback are written as `\\n`, so that log collectors see one line per record. gunicorn
applies these settings before it loads the handler (`logconfig_dict`), with the level of LOG_LEVEL. LOG_FORMAT=ecs
writes JSON in the Elastic Common Schema instead, without the id. A function that needs another format calls
`logging.config.dictConfig` or `logging.basicConfig(force=True)`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from http_app import Adapted

#: The X-Call-Id of the current call, `-` outside a call. Each greenlet has a separate context.
CALL_ID: ContextVar[str] = ContextVar("call_id", default="-")
#: Most characters of an id. The gateway's ids are UUIDs, but a client may send anything.
_ID_MAX = 100

#: The formatters by LOG_FORMAT. `ecs` requires the package ecs-logging, which the function must install.
_FORMATTERS: dict[str, dict[str, Any]] = {
    "line": {"()": "log_format.LineFormatter"},
    "ecs": {
        "()": "ecs_logging.StdlibFormatter",
        "exclude_fields": ["log.original", "process.name", "process.thread"],
    },
}


class LineFormatter(logging.Formatter):
    """Formats a record as one line, even if it contains line breaks."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(call_id)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.call_id = CALL_ID.get()
        return "\\n".join(super().format(record).splitlines())


def settings(level: str, form: str) -> dict[str, Any]:
    """Return the argument of `logging.config.dictConfig`.

    Args:
        level: debug, info, warning or error.
        form: line or ecs.
    """
    level = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": _FORMATTERS[form]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level, "handlers": ["stderr"], "propagate": False}},
    }


class CallIdMiddleware(Adapted):
    """Sets CALL_ID for each call of an application."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]:
        CALL_ID.set(environ.get("HTTP_X_CALL_ID", "-")[:_ID_MAX])
        return self._application(environ, start_response)
