"""The responses: these structs encode them and generate the schemas of the OpenAPI document.

The struct of errors is in `controller.errors`. The JSON text has the fields in their order, without those that are
`UNSET`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

#: A time as `controller.models.registered.rfc3339` writes it.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
Printed = Annotated[str, Meta(description="Present if the script printed something.")]
StoreState = Literal["ok", "error"]
#: `degraded`: only some instances of the runtime are healthy. `absent`: the deployment does not run it.
RuntimeState = Literal["ok", "degraded", "error", "absent"]
Runtimes = Annotated[
    dict[str, RuntimeState],
    Meta(
        description="State of each language's runtime; languages may be added.",
        extra_json_schema={"required": ["nodejs", "python", "rust", "typescript"]},
    ),
]


class InitializeAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """A session that is ready."""

    request_id: str
    status: Literal["initialized"]
    expires_at: Moment
    compile_status: Annotated[str, Meta(description="Compiled languages only.")] | UnsetType = UNSET
    artifact_cached: (
        Annotated[bool, Meta(description="Compiled languages only: whether an earlier artifact was used.")]
        | UnsetType
    ) = UNSET


class ExecuteAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """The result of a script."""

    request_id: str
    language_title: str
    execution_time: Annotated[float, Meta(description="Milliseconds of the original run.")]
    cached: bool
    result: Raw
    stdout: Printed | UnsetType = UNSET
    stderr: Printed | UnsetType = UNSET
    version: Annotated[int, Meta(description="By name only: the version of the function.")] | UnsetType = (
        UNSET
    )


class SessionAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """A session and its state."""

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


class FunctionPage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One page of the functions that a user sees."""

    total: Annotated[int, Meta(description="Absent from a page that a cursor names.", ge=0)] | UnsetType = (
        UNSET
    )
    page: Annotated[int, Meta(description="Absent from a page that a cursor names.", ge=1)] | UnsetType = (
        UNSET
    )
    per_page: int
    functions: list[FunctionSummary]
    cursor: Annotated[str | None, Meta(description="Names the next page. null: this is the last one.")]


class FunctionSchemas(Struct, frozen=True, forbid_unknown_fields=True):
    """JSON Schemas (draft 2020-12) of a function."""

    params: Annotated[dict[str, Any], Meta(description="Params that break it are refused.")] | UnsetType = (
        UNSET
    )
    result: dict[str, Any] | UnsetType = UNSET


class FunctionExample(Struct, frozen=True, forbid_unknown_fields=True):
    """Params and their result."""

    name: str | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    result: Any | UnsetType = UNSET


class FunctionDefaults(Struct, frozen=True, forbid_unknown_fields=True):
    """What executions by name take where the request says nothing."""

    timeout_ms: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    isolation: Literal["session", "execution"] | UnsetType = UNSET
    compile_options: dict[str, Any] | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET
    cache_ttl: Annotated[int, Meta(description="Seconds that a result is kept.", ge=0)] | UnsetType = UNSET


class FunctionDetail(FunctionSummary, frozen=True, forbid_unknown_fields=True):
    """A version of a registered function in detail."""

    version: Annotated[int, Meta(ge=1)]
    tags: list[str]
    schema: FunctionSchemas
    examples: list[FunctionExample]
    compile_options: dict[str, Any]
    newest: Annotated[int, Meta(description="The number of the newest version.", ge=1)]
    script_hash: str
    enforce_result: Annotated[bool, Meta(description="Whether results have to meet `schema.result`.")]
    defaults: FunctionDefaults
    packages: Annotated[list[str], Meta(description="Of the field, or those that the script declares.")]
    environment: Annotated[str | None, Meta(description="The digest of the environment. null: no packages.")]
    aliases: Annotated[list[str], Meta(description="The aliases that name this version.")]
    script_content: (
        Annotated[str, Meta(description="Dynamic functions only: the caller owns them.")] | UnsetType
    ) = UNSET


class FunctionVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """A version in the list of a function's versions."""

    version: Annotated[int, Meta(ge=1)]
    script_hash: str
    created_at: Moment
    aliases: Annotated[list[str], Meta(description="The aliases that name it.")]


class FunctionVersions(Struct, frozen=True, forbid_unknown_fields=True):
    """One page of a function's versions, the newest first."""

    versions: list[FunctionVersion]
    cursor: Annotated[str | None, Meta(description="Names the next page. null: this is the last one.")]


class Canary(Struct, frozen=True, forbid_unknown_fields=True):
    """The version that gets a share of an alias's calls."""

    version: Annotated[int, Meta(ge=1)]
    weight: Annotated[float, Meta(ge=0, le=1)]


class AliasAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """An alias of a function."""

    alias: str
    version: Annotated[int, Meta(ge=1)]
    canary: Canary | UnsetType = UNSET


class Aliases(Struct, frozen=True, forbid_unknown_fields=True):
    """The aliases of a function."""

    aliases: list[AliasAnswer]


class EnvironmentPackage(Struct, frozen=True, forbid_unknown_fields=True):
    """A package of an environment."""

    name: str
    version: str
    bytes: Annotated[int | None, Meta(description="Of its files. null: it was never built.")]
    licence: Annotated[
        str | None, Meta(description="As the package tells it. null: it does not, or was never built.")
    ]


class EnvironmentAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What packages were resolved to."""

    digest: str
    state: Annotated[
        Literal["absent", "building", "ready", "failed"],
        Meta(description="Where it is not `ready`, the next use builds it from its lock."),
    ]
    packages: list[EnvironmentPackage]
    lock: Annotated[str, Meta(description="Requirements with hashes, or a `package-lock.json`.")]
    bytes: Annotated[int, Meta(description="Of all files. 0: it was never built.", ge=0)]
    built_ms: Annotated[int | None, Meta(description="Milliseconds of the build. null: it was never built.")]


class Components(Struct, frozen=True, forbid_unknown_fields=True):
    """State of each component."""

    controller: StoreState
    redis: StoreState
    postgres: StoreState
    runtimes: Runtimes


class HealthAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """Health of the service."""

    status: Literal["ok", "degraded", "error"]
    version: str
    components: Components


class IsolationAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What confines scripts."""

    isolation: Annotated[
        Mapping[str, Mapping[str, bool] | None],
        Meta(description="By language, whether each layer is on. null: the runtime did not tell."),
    ]


KeyId = Annotated[str, Meta(examples=["8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11"])]
KeyName = Annotated[str, Meta(examples=["nightly report"])]
KeyScope = Annotated[
    str, Meta(description="Separated by spaces.", examples=["execute:python read:functions"])
]
KeyFunctions = Annotated[
    list[str] | None,
    Meta(
        description="References to the functions that the key may execute by name. null: it is not bound.",
        examples=[["python-report", "python-mail@prod"]],
    ),
]


class KeyAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """A new API key."""

    key_id: KeyId
    key: Annotated[
        str,
        Meta(
            description="Shown once.",
            examples=["lmk_" + "0" * 32 + "4l0dW7"],
            pattern="^lmk_[0-9A-Za-z]{38}$",
        ),
    ]
    name: KeyName
    scope: KeyScope
    functions: KeyFunctions
    expires_at: Moment


class KeyDescription(Struct, frozen=True, forbid_unknown_fields=True):
    """An API key in the list."""

    key_id: KeyId
    name: KeyName
    scope: KeyScope
    functions: KeyFunctions
    created_at: Moment
    expires_at: Moment
    last_used_at: Annotated[Moment | None, Meta(description="Up to two minutes old. null: never used.")]


class KeyList(Struct, frozen=True, forbid_unknown_fields=True):
    """The caller's API keys, the newest first."""

    keys: list[KeyDescription]
