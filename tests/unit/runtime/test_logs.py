"""The runtime's log lines: the place of a failure, without any data of the request."""

import io
import json
import logging
from typing import Any

from runtime.logs import RuntimeFormatter


def logged(error: Exception) -> dict[str, Any]:
    """Return the log line of a failure."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(RuntimeFormatter("python"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.error("internal error", exc_info=error)
    assert "hunter2" not in written.getvalue()
    line: dict[str, Any] = json.loads(written.getvalue())
    return line


def raised(message: str) -> Exception:
    def inner() -> None:
        try:
            raise KeyError(message)
        except KeyError as error:
            raise ValueError(message) from error

    try:
        inner()
    except ValueError as error:
        return error
    raise AssertionError


def test_the_messages_of_an_exception_and_its_cause_are_not_logged() -> None:
    failure = logged(raised("hunter2"))["error"]

    assert failure["type"] == "ValueError"
    assert "message" not in failure
    assert failure["stack_trace"].count("in inner") == 2
    assert [line for line in failure["stack_trace"].splitlines() if line[0] != " "] == [
        "KeyError",
        "ValueError",
    ]


def test_the_text_of_an_operating_system_error_is_logged() -> None:
    failure = logged(OSError(28, "No space left on device", "/hunter2"))["error"]

    assert failure["message"] == "No space left on device"


def test_a_record_has_the_name_of_the_service() -> None:
    assert logged(ValueError())["service"] == {"name": "lambda-runtime-python"}
