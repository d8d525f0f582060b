"""The service's log: one JSON line per record on stderr, in Elastic Common Schema, with the call's ids.

docs/logs.md describes the fields. Bodies, queries and headers are not logged. Other text from clients is masked.
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
        """Add the fields, and keep every record."""
        record.__dict__.update(log_context.get() or {})
        return True


class MaskingFormatter(Formatter):
    """Formats records in Elastic Common Schema, with secrets masked in messages, tracebacks and extra fields."""

    def __init__(self, masker: Masker) -> None:
        super().__init__(SERVICE)
        self._masker = masker

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a record, masked."""
        masked: dict[str, Any] = self._masker.document(super().format_to_ecs(record))
        return masked


class LaterHandler(logging.StreamHandler[TextIO]):
    """Writes a record to stderr immediately, after the access lines of earlier requests."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write collected access lines, then the record."""
        LINES.flush()
        super().emit(record)


def configure(level: str, access: str, masker: Masker) -> None:
    """Send the records of every logger to stderr, masked.

    Args:
        level: the lowest level: debug, info, warning or error.
        access: which requests have an access line: all or errors.
        masker: removes secrets.
    """
    LINES.masker, LINES.errors_only = masker, access == "errors"
    handler = LaterHandler()
    handler.setFormatter(MaskingFormatter(masker))
    handler.addFilter(ContextFilter())
    send_everything_to(handler, level, log)
