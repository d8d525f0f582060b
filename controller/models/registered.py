"""The nouns of the service, frozen: who calls, what is registered, what a run gave."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A time as the contract writes it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(value: Any) -> str:
    """The one JSON text of a value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, and what the token lets them do."""

    subject: str
    scopes: frozenset[str]
    #: Without a token, where that is allowed.
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class LanguageTitle:
    """`<language>-<title>`, the name a function is registered under."""

    language: str
    title: str

    def __str__(self) -> str:
        return f"{self.language}-{self.title}"


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and its name in every cache: the SHA-256 of its UTF-8 bytes."""

    content: str
    hash: str

    @classmethod
    def of(cls, content: str) -> "Script":
        return cls(content, hashlib.sha256(content.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """What a compiled artifact depends on."""

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
    #: What the script sees as its context.
    context: Mapping[str, Any]
    isolation: str
    timeout_ms: int
    retain_session: bool
    compile_status: str | None
    created_at: datetime
    expires_at: datetime
    #: JSON Schema that the params of each run have to fit.
    params_schema: str | None = None
    #: `active`, `closed` (ran its one time) or `deleted` (by its owner).
    status: str = "active"

    @property
    def artifact_key(self) -> ArtifactKey:
        return ArtifactKey(self.script_hash, self.name.language, canonical(self.compile_options))

    def expired(self) -> bool:
        return now() >= self.expires_at

    def to_json(self) -> str:
        record = {name: getattr(self, name) for name in SESSION_FIELDS}
        record["created_at"], record["expires_at"] = self.created_at.isoformat(), self.expires_at.isoformat()
        return json.dumps(record | {"language": self.name.language, "title": self.name.title})

    @classmethod
    def from_json(cls, text: str) -> "Session":
        return cls.from_record(json.loads(text))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Session":
        """A session from its row in PostgreSQL, or from what `to_json` wrote."""
        fields = {name: record[name] for name in SESSION_FIELDS}
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
    "created_at",
    "expires_at",
    "status",
)
