"""Log lines in Elastic Common Schema: one JSON object a line, from every logger of the process."""

import logging
from typing import Any

import ecs_logging
from gevent import get_hub

#: Fields that the library adds and that say nothing here: the message once more, and threads that are greenlets.
EXCLUDED = ("log.original", "process.name", "process.thread")


class Formatter(ecs_logging.StdlibFormatter):
    """Elastic Common Schema with the service's name. Subclasses decide what of a record may be written."""

    def __init__(self, service: str) -> None:
        super().__init__(exclude_fields=EXCLUDED, extra={"service.name": service})


def send_everything_to(handler: logging.Handler, level: str, failures: logging.Logger) -> None:
    """Make `handler` the only one of the process, for warnings, gunicorn's lines and failed greenlets too.

    Args:
        level: debug, info, warning or error.
        failures: the logger that records greenlets that ended with an exception.
    """
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # gunicorn's own handler writes everything that an exception holds.
    server = logging.getLogger("gunicorn.error")
    server.handlers, server.propagate = [], True

    def record(context: object, kind: Any, error: Any, traceback: Any) -> None:
        failures.error("a greenlet failed", exc_info=(kind, error, traceback))

    # gevent would print it in many lines, past the handler.
    get_hub().print_exception = record  # type: ignore[method-assign,assignment]
