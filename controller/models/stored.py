"""The rows of sessions and functions in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from controller.models.registered import LanguageTitle, Script, Session

#: Named queries with their parameters.
Statements = Iterable[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session with its counts.

    Attributes:
        execution_count: executions that have a row.
        uncounted: those of them that Redis did not count because it was away.
    """

    session: Session
    execution_count: int
    uncounted: int
    last_executed_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StoredSession":
        """Read a row of `sessions`."""
        counts = row["execution_count"], row["uncounted"], row["last_executed_at"]
        return cls(Session.from_record(row), *counts)


@dataclass(frozen=True, slots=True)
class FunctionContent:
    """All that a version of a function consists of. Any difference makes another version."""

    script_hash: str
    compile_options: Mapping[str, Any]
    description: str = ""
    tags: Sequence[str] = field(default_factory=list)
    #: `params` and `result`, each a JSON Schema, if it is there.
    schema: Mapping[str, Any] = field(default_factory=dict)
    #: Whether results have to meet `schema.result`.
    enforce_result: bool = False
    examples: Sequence[Any] = field(default_factory=list)
    #: `timeout_ms`, `isolation`, `compile_options`, `context`, `cache_ttl` of executions by name, as far as set.
    defaults: Mapping[str, Any] = field(default_factory=dict)
    #: The field `packages`. What the script itself declares is not in it.
    packages: Sequence[str] = field(default_factory=list)
    #: The digest of what the packages were resolved to. None: there are none.
    environment: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "FunctionContent":
        """Read a row of `functions` or `function_versions`."""
        return cls(**{name: row[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class StoredFunction:
    """A version of a registered function. If `user_id` is None it is predefined and every user sees it."""

    name: LanguageTitle
    user_id: str | None
    version: int
    #: The number of the newest version.
    newest: int
    content: FunctionContent
    #: When the function was first and last registered.
    created_at: datetime
    updated_at: datetime

    @property
    def type(self) -> str:
        """The type in the contract: `predefined` or `dynamic`."""
        return "predefined" if self.user_id is None else "dynamic"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StoredFunction":
        """Read a row of `functions`, or of the query `function_version`."""
        return cls(
            name=LanguageTitle(row["language"], row["title"]),
            user_id=row["user_id"],
            version=row["version"],
            newest=row.get("newest", row["version"]),
            content=FunctionContent.of(row),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )


class Alias(NamedTuple):
    """The version that an alias names. A share `canary_weight` of the calls, 0 to 1, goes to `canary_version`."""

    version: int
    canary_version: int | None = None
    canary_weight: float | None = None


@dataclass(frozen=True, slots=True)
class FunctionTargets:
    """What references to a function may name."""

    function_id: str
    user_id: str | None
    newest: int
    #: Changes with each change of the function.
    updated_at: datetime
    aliases: Mapping[str, Alias]


class StoredVersion(NamedTuple):
    """A version in the list of a function's versions."""

    version: int
    script_hash: str
    created_at: datetime
    #: The aliases that name it.
    aliases: Sequence[str]


class AliasWrite(StrEnum):
    """How the write of an alias ended."""

    CREATED = "created"
    CHANGED = "changed"
    #: The function, or a version that the alias is to name, is not there.
    UNKNOWN = "unknown"
    #: The function has as many aliases as it may have.
    FULL = "full"


class Deletion(StrEnum):
    """How the deletion of a version ended."""

    DONE = "done"
    UNKNOWN = "unknown"
    #: An alias names it.
    NAMED = "named"
    #: It is the only version.
    ONLY = "only"


class FunctionFilter(NamedTuple):
    """The filters of a list of functions. None: any."""

    language: str | None = None
    user_id: str | None = None
    type: str | None = None
    #: Searched in name, description and tags, in any case.
    words: str | None = None
    tag: str | None = None


class Held(NamedTuple):
    """Counts of one user's live sessions and registered functions. Counting stops at the limit."""

    sessions: int
    functions: int


class NewSession(NamedTuple):
    """A session that is to begin, and what is written with it.

    Attributes:
        artifact: the compiled script. None: there is none, or it is stored already.
        registers: whether the script is registered as the session's function.
        plain: whether the session takes neither schemas nor packages from the function that its script replaces.
        packages: the field `packages` of the function that is registered.
    """

    session: Session
    script: Script
    artifact: bytes | None = None
    registers: bool = False
    plain: bool = False
    packages: Sequence[str] = ()


class Ended(StrEnum):
    """How the beginning of a session ended."""

    BEGUN = "begun"
    #: The user has as many live sessions as they may have.
    SESSIONS = "sessions"
    #: The user has as many functions as they may have.
    FUNCTIONS = "functions"
    #: The function has schemas or packages, which a plain session lacks.
    DIFFERS = "differs"


class Beginning(NamedTuple):
    """What became of a session that was to begin.

    Attributes:
        replaces: the hash of the registered script that this one has replaced, if it has.
        at_bound: whether the user has all that they may have now.
    """

    ended: Ended
    replaces: str | None = None
    at_bound: bool = False
