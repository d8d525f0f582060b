"""The runtime's log: one JSON object per line on stderr, in Elastic Common Schema. Scripts never write there.

No data from outside is logged, so nothing has to be masked. Of an exception the type and the stack are logged, not
the message, which may contain the parameters of a script. docs/logs.md lists the fields.
"""

import logging
from traceback import format_tb
from typing import Any

from telemetry.ecs_logging import Formatter, send_everything_to

LOG = logging.getLogger("runtime")


def service_name(language: str) -> str:
    """Return the service name of a language's runtime, for logs and traces."""
    return f"lambda-runtime-{language}"


class RuntimeFormatter(Formatter):
    """Formats records without the messages of exceptions, except the text of an operating system error."""

    def __init__(self, language: str) -> None:
        super().__init__(service_name(language))

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a record."""
        fields: dict[str, Any] = super().format_to_ecs(record)
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"].pop("message", None)
            fields["error"]["stack_trace"] = "".join(_stack_trace_lines(error))
            if isinstance(error, OSError) and error.strerror:
                fields["error"]["message"] = error.strerror
        return fields


def _stack_trace_lines(error: BaseException) -> list[str]:
    """Return the stack of an exception and of its cause, without their messages."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [
        *(_stack_trace_lines(before) if before else ()),
        *format_tb(error.__traceback__),
        f"{type(error).__name__}\n",
    ]


def configure(level: str, language: str) -> None:
    """Send the records of all loggers to stderr, from `level` up (debug, info, warning or error)."""
    handler = logging.StreamHandler()
    handler.setFormatter(RuntimeFormatter(language))
    send_everything_to(handler, level, LOG)
