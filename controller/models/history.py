"""What a user ran: requests for it, rows of the log and of the statistics, and the answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from controller.models.registered import FunctionRef, LanguageTitle
from controller.models.responses import Count, Moment

#: The error code of figures of executions without an error.
NO_ERROR = ""
NOTHING = Raw(b"null")


class Place(NamedTuple):
    """A row of the log: its time and its id. Lists go on after it."""

    created_at: datetime
    id: str


class ExecutionsQuery(NamedTuple):
    """A request for a page of the caller's executions. None: no such bound."""

    function: FunctionRef | None = None
    status: str | None = None
    since: datetime | None = None
    after: Place | None = None
    per_page: int = 20


class ExecutionFilter(NamedTuple):
    """The filters of a list of executions. None: any."""

    name: LanguageTitle | None = None
    #: The versions that executions by name ran.
    versions: Sequence[int] | None = None
    status: str | None = None
    since: datetime | None = None


class LoggedExecution(NamedTuple):
    """A row of the log. The documents are JSON texts, masked."""

    place: Place
    http_request_id: str
    session_id: str | None
    name: LanguageTitle | None
    version: int | None
    status_code: int
    error_code: str | None
    cached: bool
    duration_ms: float
    execution_time_ms: float | None
    request_payload: str
    response_data: str
    runtime_metrics: str | None


class ExecutionRows(NamedTuple):
    """A page of rows, the newest first, and the place to go on from. None: there are no more."""

    rows: Sequence[LoggedExecution]
    after: Place | None


class UsageQuery(NamedTuple):
    """A request for figures. `since` and `until` lie between two buckets."""

    bucket: Literal["hour", "day"]
    since: datetime
    until: datetime


class UsedRow(NamedTuple):
    """Figures of the executions of a bucket that ended with an error code, or with `NO_ERROR`."""

    starts_at: datetime
    error_code: str
    executions: int
    cache_hits: int
    duration_ms: float
    cpu_time_ms: float
    bytes_in: int
    bytes_out: int


class ExecutionEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """An execution of the caller's, as the log has it: secrets are masked."""

    http_request_id: str
    request_id: Annotated[str | None, Meta(description="The session. null: it was not found.")]
    language_title: Annotated[str | None, Meta(description="null: the session was not found.")]
    version: Annotated[int | None, Meta(description="Of the function. null: it ran by id.")]
    status_code: int
    code: Annotated[str | None, Meta(description="The error's code. null: there was no error.")]
    cached: bool
    cold: Annotated[bool | None, Meta(description="Whether its worker was new. null: nothing ran.")]
    duration_ms: Annotated[float, Meta(description="Of the whole call, in the controller.", ge=0)]
    execution_time: Annotated[
        float | None, Meta(description="Milliseconds of the original run, if it succeeded.")
    ]
    cpu_time: Annotated[float | None, Meta(description="CPU milliseconds of the run. null: nothing ran.")]
    created_at: Moment
    params: Raw
    result: Raw
    error: Raw


class ExecutionPage(Struct, frozen=True, forbid_unknown_fields=True):
    """One page of the caller's executions, the newest first."""

    executions: list[ExecutionEntry]
    cursor: Annotated[
        str | None,
        Meta(
            description="Names the next page. null: this is the last one. A page may be short, even empty, before it."
        ),
    ]


class UsageFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """Figures of executions."""

    executions: Count
    errors: Annotated[dict[str, int], Meta(description="The executions that failed, by error code.")]
    cached: Annotated[int, Meta(description="Executions that were answered without a run.", ge=0)]
    cached_share: Annotated[float, Meta(description="0 if nothing was executed.", ge=0, le=1)]
    cpu_ms: Annotated[float, Meta(description="CPU milliseconds of the runs.", ge=0)]
    wall_ms: Annotated[float, Meta(description="Milliseconds of the whole calls, in the controller.", ge=0)]
    bytes_in: Annotated[int, Meta(description="Sent to runtimes.", ge=0)]
    bytes_out: Annotated[int, Meta(description="Received from runtimes.", ge=0)]


class UsageBucket(UsageFigures, frozen=True, forbid_unknown_fields=True):
    """Figures of an hour or a day in UTC."""

    starts_at: Moment


class UsageAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the caller's executions used."""

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    bucket: Literal["hour", "day"]
    total: UsageFigures
    buckets: Annotated[
        list[UsageBucket], Meta(description="The oldest first. Those without an execution are left out.")
    ]
