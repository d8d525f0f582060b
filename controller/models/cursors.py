"""Cursors: opaque texts that name the next page of a list."""

import base64
import binascii
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from controller.errors import InvalidRequest
from controller.models.history import Place


def cursor_of(place: Any) -> str:
    """Return the cursor of the page after `place`, which is JSON."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Any:
    """Return the place that `cursor_of` wrote.

    Raises:
        InvalidRequest: it is not a cursor.
    """
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        return json.loads(text)
    except (ValueError, RecursionError, binascii.Error) as error:
        raise no_cursor() from error


def number_of(cursor: str | None, without: int) -> int:
    """Return the number that a cursor stands for, or `without` if there is none.

    Raises:
        InvalidRequest: it is not a cursor of a list of numbers.
    """
    place = without if cursor is None else place_of(cursor)
    if type(place) is not int or not 0 <= place <= without:
        raise no_cursor()
    return place


def names_of(cursor: str) -> tuple[str, str]:
    """Return the language and the title that a cursor stands for.

    Raises:
        InvalidRequest: it is not a cursor of a list of functions.
    """
    place = place_of(cursor)
    if not isinstance(place, list) or len(place) != 2:
        raise no_cursor()
    if not all(isinstance(one, str) and one.isascii() and "\0" not in one for one in place):
        raise no_cursor()
    return place[0], place[1]


def place_of_row(cursor: str) -> Place:
    """Return the row of the log that a cursor stands for.

    Raises:
        InvalidRequest: it is not a cursor of a list of executions.
    """
    try:
        moment, row = place_of(cursor)
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None or not 2000 <= created_at.year < 2200:
            raise no_cursor()
        return Place(created_at, str(UUID(row)))
    except (ValueError, TypeError, AttributeError) as error:
        raise no_cursor() from error


def no_cursor() -> InvalidRequest:
    """Return the error for a text that is not a cursor of the list."""
    problem = {"pointer": "/cursor", "message": "is not a cursor of this list"}
    return InvalidRequest("/cursor: is not a cursor of this list", details={"errors": [problem]})
