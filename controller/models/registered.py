"""Callers, functions, scripts and sessions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Return a time in the contract's format: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(value: Any) -> str:
    """Return the canonical JSON of a value: keys are sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller and the scopes of the token."""

    subject: str
    scopes: frozenset[str]
    #: Whether the caller has no token.
    anonymous: bool = False
    #: References to the functions that the caller may execute by name, and nothing else. None: no such bound.
    functions: frozenset[str] | None = None
    #: Whether the token is an API key.
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class LanguageTitle:
    """`<language>-<title>`, the name of a function."""

    language: str
    title: str

    def __str__(self) -> str:
        return f"{self.language}-{self.title}"


#: Comes before every name.
FIRST = LanguageTitle("", "")


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A reference to a version of a function: `<name>`, `<name>@<version>` or `<name>@<alias>`."""

    name: LanguageTitle
    #: The number of a version, or an alias. Empty: the alias `live` where it is set, else the newest version.
    selector: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.selector}" if self.selector else str(self.name)


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and its hash, the SHA-256 of its UTF-8 bytes."""

    content: str
    hash: str

    @classmethod
    def of(cls, content: str) -> "Script":
        """Return the script with this text."""
        return cls(content, hashlib.sha256(content.encode()).hexdigest())


class ScriptPayload(TypedDict):
    """A script, and its artifact if it has one, as a runtime receives them."""

    script_content: str
    #: Base64.
    artifact: NotRequired[str]


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """The inputs of a compiled artifact."""

    script_hash: str
    language: str
    #: Canonical JSON.
    compile_options: str


@dataclass(frozen=True, slots=True)
class Session:
    """A registered script, ready to run for its owner until `expires_at`."""

    request_id: str
    user_id: str
    name: LanguageTitle
    script_hash: str
    compile_options: Mapping[str, Any]
    #: The context for the script.
    context: Mapping[str, Any]
    isolation: str
    timeout_ms: int
    retain_session: bool
    compile_status: str | None
    created_at: datetime
    expires_at: datetime
    #: JSON Schema of the params.
    params_schema: str | None = None
    #: JSON Schema that results have to meet.
    result_schema: str | None = None
    #: The digest of the environment with the script's packages. None: it has none.
    environment: str | None = None
    #: `active`, `closed` (after its only run) or `deleted` (by its owner).
    status: str = "active"

    @property
    def artifact_key(self) -> ArtifactKey:
        """The key of the session's compiled artifact."""
        return ArtifactKey(self.script_hash, self.name.language, canonical(self.compile_options))

    def expired(self) -> bool:
        """Return whether the session has expired."""
        return now() >= self.expires_at

    def to_json(self) -> str:
        """Return the session as Redis keeps it."""
        record = {name: getattr(self, name) for name in SESSION_FIELDS}
        record["created_at"], record["expires_at"] = self.created_at.isoformat(), self.expires_at.isoformat()
        return json.dumps(record | {"language": self.name.language, "title": self.name.title})

    def columns(self) -> dict[str, Any]:
        """Return the columns of its row in PostgreSQL that every write of a new session has."""
        return {
            "request_id": self.request_id,
            "user_id": self.user_id,
            "language": self.name.language,
            "title": self.name.title,
            "script_hash": self.script_hash,
            "compile_options": json.dumps(dict(self.compile_options)),
            "context": json.dumps(dict(self.context)),
            "isolation": self.isolation,
            "timeout_ms": self.timeout_ms,
            "retain_session": self.retain_session,
            "compile_status": self.compile_status,
            "params_schema": self.params_schema,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "environment": self.environment,
        }

    @classmethod
    def from_json(cls, text: str) -> "Session":
        """Return the session that `to_json` wrote."""
        return cls.from_record(json.loads(text))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Session":
        """Return the session of a row in PostgreSQL, or of the parsed text of `to_json`."""
        # Redis has none of these for a session that a controller of an earlier release began.
        known = {"result_schema": None, "environment": None, **record}
        fields = {name: known[name] for name in SESSION_FIELDS}
        for name in ("created_at", "expires_at"):
            if isinstance(fields[name], str):
                fields[name] = datetime.fromisoformat(fields[name])
        return cls(name=LanguageTitle(record["language"], record["title"]), **fields)


SESSION_FIELDS = (
    "request_id",
    "user_id",
    "script_hash",
    "compile_options",
    "context",
    "isolation",
    "timeout_ms",
    "retain_session",
    "compile_status",
    "params_schema",
    "result_schema",
    "environment",
    "created_at",
    "expires_at",
    "status",
)
