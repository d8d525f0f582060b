"""What clients are answered, field by field: these structs encode the responses and make the document's schemas.

Errors have their struct in `controller.errors`. The JSON text has the fields in their order, without those that are
`UNSET`.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

#: A time as `controller.models.registered.rfc3339` writes it.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
Printed = Annotated[str, Meta(description="Where the script printed something.")]
StoreState = Literal["ok", "error"]
#: `degraded`: some instances of the runtime are healthy; `absent`: it was not started, on purpose.
RuntimeState = Literal["ok", "degraded", "error", "absent"]
Runtimes = Annotated[
    dict[str, RuntimeState],
    Meta(
        description="State of each language's runtime; languages may be added.",
        extra_json_schema={"required": ["nodejs", "python", "rust"]},
    ),
]


class InitializeAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """A session that is ready."""

    request_id: str
    status: Literal["initialized"]
    expires_at: Moment
    compile_status: Annotated[str, Meta(description="Compiled languages only.")] | UnsetType = UNSET
    artifact_cached: (
        Annotated[bool, Meta(description="Compiled languages only: nothing was compiled anew.")] | UnsetType
    ) = UNSET


class ExecuteAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the script gave."""

    request_id: str
    language_title: str
    execution_time: Annotated[float, Meta(description="Milliseconds of the original run.")]
    cached: bool
    result: Raw
    stdout: Printed | UnsetType = UNSET
    stderr: Printed | UnsetType = UNSET


class SessionAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """A session and how it fares."""

    request_id: str
    language_title: str
    status: Literal["active", "expired", "closed"]
    created_at: Moment
    expires_at: Moment
    execution_count: Count
    last_executed_at: Moment | None
    compile_status: str | None


class FunctionSummary(Struct, frozen=True, forbid_unknown_fields=True):
    """A registered function in the list."""

    language: str
    title: str
    language_title: str
    description: str
    type: Literal["predefined", "dynamic"]
    user_id: str | None
    created_at: Moment
    updated_at: Moment


class FunctionPage(Struct, frozen=True, forbid_unknown_fields=True):
    """One page of the functions a user sees."""

    total: Count
    page: int
    per_page: int
    functions: list[FunctionSummary]


class FunctionSchemas(Struct, frozen=True, forbid_unknown_fields=True):
    """JSON Schemas (draft 2020-12) of a function."""

    params: Annotated[dict[str, Any], Meta(description="Params that break it are refused.")] | UnsetType = (
        UNSET
    )
    result: dict[str, Any] | UnsetType = UNSET


class FunctionExample(Struct, frozen=True, forbid_unknown_fields=True):
    """Params, and what they give."""

    params: dict[str, Any]
    result: Any


class FunctionDetail(FunctionSummary, frozen=True, forbid_unknown_fields=True):
    """All there is to know of a function."""

    version: Annotated[int, Meta(ge=1)]
    tags: list[str]
    schema: FunctionSchemas
    examples: list[FunctionExample]
    compile_options: dict[str, Any]
    script_content: (
        Annotated[str, Meta(description="Dynamic functions only, which are one's own.")] | UnsetType
    ) = UNSET


class Components(Struct, frozen=True, forbid_unknown_fields=True):
    """State of each part."""

    controller: StoreState
    redis: StoreState
    postgres: StoreState
    runtimes: Runtimes


class HealthAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the service can serve."""

    status: Literal["ok", "degraded", "error"]
    version: str
    components: Components
