"""Our own log: one JSON line a record on stderr, in Elastic Common Schema, with the call's marks, masked.

docs/logs.md has the fields. Bodies, queries and headers are not logged; what else comes from outside is masked.
"""

import logging
from typing import Any, TextIO

from controller.observability.access_log import LINES, SERVICE
from controller.observability.correlation import log_context
from controller.observability.masking import Masker
from telemetry.ecs_logging import Formatter, send_everything_to

log = logging.getLogger(__name__)


class ContextFilter(logging.Filter):
    """Adds the current call's log context to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.update(log_context.get() or {})
        return True


class MaskingFormatter(Formatter):
    """Elastic Common Schema without secrets: in messages, tracebacks and extra fields."""

    def __init__(self, masker: Masker) -> None:
        super().__init__(SERVICE)
        self._masker = masker

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        masked: dict[str, Any] = self._masker.document(super().format_to_ecs(record))
        return masked


class LaterHandler(logging.StreamHandler[TextIO]):
    """Writes a record to stderr at once, after the lines of requests that were answered before."""

    def emit(self, record: logging.LogRecord) -> None:
        LINES.flush()
        super().emit(record)


def configure(level: str, masker: Masker) -> None:
    """Sends every logger's records to stderr, masked. `level`: debug, info, warning or error."""
    LINES.masker = masker
    handler = LaterHandler()
    handler.setFormatter(MaskingFormatter(masker))
    handler.addFilter(ContextFilter())
    send_everything_to(handler, level, log)
