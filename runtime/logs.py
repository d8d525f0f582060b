"""The runtime's own log: one JSON object a line on stderr, Elastic Common Schema. Scripts never write there.

Nothing that comes from outside is written, so that there is nothing to mask: of an exception its kind and where it
came from, not its message, which may hold what a script was sent. docs/logs.md has the fields.
"""

import logging
from traceback import format_tb
from typing import Any

import ecs_logging
from gevent import get_hub

LOG = logging.getLogger("runtime")
_EXCLUDED = ("log.original", "process.name", "process.thread")


class Formatter(ecs_logging.StdlibFormatter):
    """Elastic Common Schema without the messages of exceptions, but for what the system says of its errors."""

    def __init__(self, language: str) -> None:
        super().__init__(exclude_fields=_EXCLUDED, extra={"service.name": f"lambda-runtime-{language}"})

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = super().format_to_ecs(record)
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"].pop("message", None)
            fields["error"]["stack_trace"] = "".join(_places(error))
            if isinstance(error, OSError) and error.strerror:
                fields["error"]["message"] = error.strerror
        return fields


def _places(error: BaseException) -> list[str]:
    """Where an exception came from, and the one before it, in lines of ours."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [
        *(_places(before) if before else ()),
        *format_tb(error.__traceback__),
        f"{type(error).__name__}\n",
    ]


def configure(level: str, language: str) -> None:
    """Send every logger's records to stderr from `level` (debug, info, warning, error) up."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(language))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # The server's lines have a handler of their own, which writes all there is of an exception.
    server = logging.getLogger("gunicorn.error")
    server.handlers, server.propagate = [], True
    get_hub().print_exception = _log_exception  # type: ignore[method-assign,assignment]


def _log_exception(context: object, kind: Any, error: Any, traceback: Any) -> None:
    """What ends a greenlet that nobody waits for: gevent would print it in many lines, and all there is of it."""
    LOG.error("a greenlet failed", exc_info=(kind, error, traceback))
