"""The answers of the service. Made of its OpenAPI document by datamodel-code-generator: do not edit."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field


class InitializeAnswer(Struct, kw_only=True):
    """A session that is ready."""

    request_id: str
    status: Literal["initialized"]
    expires_at: str
    compile_status: str | UnsetType = UNSET
    artifact_cached: bool | UnsetType = UNSET


class ExecuteAnswer(Struct, kw_only=True):
    """The result of a script."""

    request_id: str
    language_title: str
    execution_time: float
    cached: bool
    result: Any
    stdout: str | UnsetType = UNSET
    stderr: str | UnsetType = UNSET
    version: int | UnsetType = UNSET


class SessionAnswer(Struct, kw_only=True):
    """A session and its state."""

    request_id: str
    language_title: str
    status: Literal["active", "closed", "expired"]
    created_at: str
    expires_at: str
    execution_count: int
    last_executed_at: str | None
    compile_status: str | None


class FunctionSummary(Struct, kw_only=True):
    """A registered function in the list."""

    language: str
    title: str
    language_title: str
    description: str
    type: Literal["dynamic", "predefined"]
    user_id: str | None
    created_at: str
    updated_at: str


class FunctionSchemas(Struct, kw_only=True):
    """JSON Schemas (draft 2020-12) of a function."""

    params: dict[str, Any] | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET


class FunctionExample(Struct, kw_only=True):
    """Params and their result."""

    name: str | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    result: Any | UnsetType = UNSET


class FunctionDefaults(Struct, kw_only=True):
    """What executions by name take where the request says nothing."""

    timeout_ms: int | UnsetType = UNSET
    isolation: Literal["execution", "session"] | UnsetType = UNSET
    compile_options: dict[str, Any] | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET
    cache_ttl: int | UnsetType = UNSET


class FunctionVersion(Struct, kw_only=True):
    """A version in the list of a function's versions."""

    version: int
    script_hash: str
    created_at: str
    aliases: list[str]


class Canary(Struct, kw_only=True):
    """The version that gets a share of an alias's calls."""

    version: int
    weight: float


class KeyAnswer(Struct, kw_only=True):
    """A new API key."""

    key_id: str
    key: str
    name: str
    scope: str
    functions: list[str] | None
    expires_at: str


class KeyDescription(Struct, kw_only=True):
    """An API key in the list."""

    key_id: str
    name: str
    scope: str
    functions: list[str] | None
    created_at: str
    expires_at: str
    last_used_at: str | None


class EnvironmentPackage(Struct, kw_only=True):
    """A package of an environment."""

    name: str
    version: str
    bytes: int | None
    licence: str | None


class UsageFigures(Struct, kw_only=True):
    """Figures of executions."""

    executions: int
    errors: dict[str, int]
    cached: int
    cached_share: float
    cpu_ms: float
    wall_ms: float
    bytes_in: int
    bytes_out: int


class UsageBucket(Struct, kw_only=True):
    """Figures of an hour or a day in UTC."""

    executions: int
    errors: dict[str, int]
    cached: int
    cached_share: float
    cpu_ms: float
    wall_ms: float
    bytes_in: int
    bytes_out: int
    starts_at: str


class ExecutionEntry(Struct, kw_only=True):
    """An execution of the caller's, as the log has it: secrets are masked."""

    http_request_id: str
    request_id: str | None
    language_title: str | None
    version: int | None
    status_code: int
    code: str | None
    cached: bool
    cold: bool | None
    duration_ms: float
    execution_time: float | None
    cpu_time: float | None
    created_at: str
    params: Any
    result: Any
    error: Any


class IsolationAnswer(Struct, kw_only=True):
    """What confines scripts."""

    isolation: dict[str, dict[str, bool] | None]


class Components(Struct, kw_only=True):
    """State of each component."""

    controller: Literal["error", "ok"]
    redis: Literal["error", "ok"]
    postgres: Literal["error", "ok"]
    runtimes: dict[str, Literal["absent", "degraded", "error", "ok"]]


class FunctionPage(Struct, kw_only=True):
    """One page of the functions that a user sees."""

    per_page: int
    functions: list[FunctionSummary]
    cursor: str | None
    total: int | UnsetType = UNSET
    page: int | UnsetType = UNSET


class FunctionDetail(Struct, kw_only=True):
    """A version of a registered function in detail."""

    language: str
    title: str
    language_title: str
    description: str
    type: Literal["dynamic", "predefined"]
    user_id: str | None
    created_at: str
    updated_at: str
    version: int
    tags: list[str]
    schema: FunctionSchemas
    examples: list[FunctionExample]
    compile_options: dict[str, Any]
    newest: int
    script_hash: str
    enforce_result: bool
    defaults: FunctionDefaults
    packages: list[str]
    environment: str | None
    aliases: list[str]
    script_content: str | UnsetType = UNSET


class FunctionVersions(Struct, kw_only=True):
    """One page of a function's versions, the newest first."""

    versions: list[FunctionVersion]
    cursor: str | None


class AliasAnswer(Struct, kw_only=True):
    """An alias of a function."""

    alias: str
    version: int
    canary: Canary | UnsetType = UNSET


class KeyList(Struct, kw_only=True):
    """The caller's API keys, the newest first."""

    keys: list[KeyDescription]


class EnvironmentAnswer(Struct, kw_only=True):
    """What packages were resolved to."""

    digest: str
    state: Literal["absent", "building", "failed", "ready"]
    packages: list[EnvironmentPackage]
    lock: str
    bytes: int
    built_ms: int | None


class UsageAnswer(Struct, kw_only=True):
    """What the caller's executions used."""

    from_: str = field(name="from")
    to: str
    bucket: Literal["day", "hour"]
    total: UsageFigures
    buckets: list[UsageBucket]


class ExecutionPage(Struct, kw_only=True):
    """One page of the caller's executions, the newest first."""

    executions: list[ExecutionEntry]
    cursor: str | None


class HealthAnswer(Struct, kw_only=True):
    """Health of the service."""

    status: Literal["degraded", "error", "ok"]
    version: str
    components: Components


class Aliases(Struct, kw_only=True):
    """The aliases of a function."""

    aliases: list[AliasAnswer]
