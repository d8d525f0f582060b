"""The runtime's own log: one JSON object a line on stderr, Elastic Common Schema. Scripts never write there.

Nothing that comes from outside is written, so that there is nothing to mask: of an exception its kind and where it
came from, not its message, which may hold what a script was sent. docs/logs.md has the fields.
"""

import logging
from traceback import format_tb
from typing import Any

from telemetry.ecs_logging import Formatter, send_everything_to

LOG = logging.getLogger("runtime")


def service_name(language: str) -> str:
    """Return the name of a language's runtime in logs and traces."""
    return f"lambda-runtime-{language}"


class RuntimeFormatter(Formatter):
    """Elastic Common Schema without the messages of exceptions, but for what the system says of its errors."""

    def __init__(self, language: str) -> None:
        super().__init__(service_name(language))

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
    handler.setFormatter(RuntimeFormatter(language))
    send_everything_to(handler, level, LOG)
