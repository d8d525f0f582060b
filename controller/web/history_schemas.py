"""The queries of executions and usage, as the contract defines them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from controller.errors import InvalidRequest
from controller.models.cursors import place_of_row
from controller.models.history import ExecutionsQuery, UsageQuery
from controller.models.registered import now
from controller.web import ids
from controller.web.loading import field_error, load
from controller.web.parameters import REF

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: By bucket: its length, the default range, and the longest one.
BUCKETS = {"hour": (HOUR, DAY, 31 * DAY), "day": (DAY, 30 * DAY, 366 * DAY)}


def _near(moment: datetime) -> None:
    """Refuse years with which nothing can be computed. Raises ValidationError."""
    if not 2000 <= moment.year < 2200:
        raise ValidationError("must be in a year from 2000 to 2199")


def _moment(text: str, data_key: str | None = None) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso", validate=_near, data_key=data_key, metadata={"description": text}
    )


class _Query(Schema):
    class Meta:
        """Ignores unknown parameters."""

        unknown = EXCLUDE


class ExecutionsSchema(_Query):
    """Query of the executions list."""

    function = fields.String(
        metadata={
            "description": "The function; after `@`, executions by name alone: of a version, or of those that an "
            "alias names now.",
            "pattern": REF["schema"]["pattern"],
            "examples": ["python-price", "python-price@2", "python-price@beta"],
        }
    )
    status = fields.String(validate=validate.OneOf(["ok", "error"]))
    since = _moment("The earliest time.")
    cursor = fields.String()
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class UsageSchema(_Query):
    """Query of the figures."""

    since = _moment("24 hours before `to`, or 30 days with daily buckets, if left out.", data_key="from")
    until = _moment("Now, if left out.", data_key="to")
    bucket = fields.String(load_default="hour", validate=validate.OneOf(list(BUCKETS)))


EXECUTIONS, USAGE = ExecutionsSchema(), UsageSchema()


def executions_query(query: Mapping[str, str]) -> ExecutionsQuery:
    """Parse the query of the executions list. Raises InvalidRequest."""
    loaded = load(EXECUTIONS, dict(query))
    ref, cursor = loaded.get("function"), loaded.get("cursor")
    try:
        function = None if ref is None else ids.function_ref(ref)
    except InvalidRequest as error:
        raise field_error("function", error.message) from error
    after = None if cursor is None else place_of_row(cursor)
    return ExecutionsQuery(function, loaded.get("status"), loaded.get("since"), after, loaded["per_page"])


def usage_query(query: Mapping[str, str]) -> UsageQuery:
    """Parse the query of the figures. The range is widened to whole buckets.

    Raises:
        InvalidRequest: a parameter is malformed, or the range is empty or too long.
    """
    loaded: dict[str, Any] = load(USAGE, dict(query))
    bucket = loaded["bucket"]
    length, default, longest = BUCKETS[bucket]
    last = loaded.get("until", now())
    until = _start(last, length)
    if until < last:
        until += length
    since = _start(loaded.get("since", until - default), length)
    if since >= until:
        raise field_error("from", "must be before to")
    # The widening may have added a bucket to a range that is as long as it may be.
    if until - since > longest + length:
        raise field_error(
            "from", f"must be at most {longest.days} days before to, with buckets by the {bucket}"
        )
    return UsageQuery(bucket, since, until)


def _start(moment: datetime, length: timedelta) -> datetime:
    """Return when the bucket of a moment begins, in UTC."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length
