"""Log lines in Elastic Common Schema: one JSON object per line, from every logger of the process."""

import logging
from typing import Any

import ecs_logging
from gevent import get_hub

#: Fields of the library that are useless here: a copy of the message, and threads, which are greenlets.
EXCLUDED = ("log.original", "process.name", "process.thread")


class Formatter(ecs_logging.StdlibFormatter):
    """Formats records in Elastic Common Schema, with the service's name. Subclasses remove sensitive data."""

    def __init__(self, service: str) -> None:
        super().__init__(exclude_fields=EXCLUDED, extra={"service.name": service})


def send_everything_to(handler: logging.Handler, level: str, failures: logging.Logger) -> None:
    """Make `handler` the only log handler of the process, also for warnings, gunicorn and failed greenlets.

    Args:
        handler: The handler.
        level: debug, info, warning or error.
        failures: The logger for greenlets that ended with an exception.
    """
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # gunicorn's handler would write the messages of exceptions, which may contain data of users.
    server = logging.getLogger("gunicorn.error")
    server.handlers, server.propagate = [], True

    def record(context: object, kind: Any, error: Any, traceback: Any) -> None:
        failures.error("a greenlet failed", exc_info=(kind, error, traceback))

    # gevent would print several lines to stderr, without the handler.
    get_hub().print_exception = record  # type: ignore[method-assign,assignment]
