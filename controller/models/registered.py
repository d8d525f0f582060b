"""The nouns of the service, frozen: who calls, what is registered, what a run gave."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from controller.errors import DeadlinePassed, ScriptFailed, ServiceError
from controller.json_codec import Reader, dumps


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime | None) -> str | None:
    """A time as the contract writes it: UTC, milliseconds, `Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(value: Any) -> str:
    """The one JSON text of a value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, and what the token lets them do."""

    subject: str
    scopes: frozenset[str]
    anonymous: bool = False
    """Without a token, where that is allowed."""


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
    compile_options: str
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class Session:
    """A registered script, ready to run for its owner until `expires_at`."""

    request_id: str
    user_id: str
    name: LanguageTitle
    script_hash: str
    compile_options: Mapping[str, Any]
    context: Mapping[str, Any]
    """What the script sees as its context."""
    isolation: str
    timeout_ms: int
    retain_session: bool
    compile_status: str | None
    created_at: datetime
    expires_at: datetime
    params_schema: str | None = None
    """JSON Schema that the params of each run have to fit."""
    status: str = "active"
    """`active`, `closed` (ran its one time) or `deleted` (by its owner)."""

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


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one run of a script gave. Times in milliseconds."""

    result: Raw
    """JSON text, as the runtime wrote it: nobody here reads it."""
    execution_time: float
    stdout: str = ""
    stderr: str = ""
    usage: dict[str, Any] = {}
    """What the runtime measured: `cpu_time` (ms), `memory_usage_bytes`, `bytes_in`, `bytes_out`, `cold`, and
    of WebAssembly `fuel`."""

    def without_usage(self) -> "Run":
        """What those are answered who did not run."""
        return Run(self.result, self.execution_time, self.stdout, self.stderr)


class Failure(msgspec.Struct, frozen=True):
    """A run's error, as JSON has it."""

    code: str
    message: str
    details: dict[str, Any]


class KeptOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """An outcome, as JSON has it."""

    run: Run | None = None
    error: Failure | None = None


FAILURES = {error.code: error for error in ServiceError.__subclasses__()}
_OUTCOMES = Reader(KeptOutcome, raw=["result"])


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended, for everybody who waited for it: what it gave, or what went wrong."""

    end: Run | ServiceError

    @property
    def succeeded(self) -> bool:
        return isinstance(self.end, Run)

    @property
    def executed(self) -> bool:
        """Whether the script ran, which counts, however it went."""
        return isinstance(self.end, Run | ScriptFailed | DeadlinePassed)

    def answer(self) -> Run:
        """What the run gave, or its error raised."""
        if isinstance(self.end, ServiceError):
            raise self.end
        return self.end

    def shared(self) -> "Outcome":
        """The same for one more, who used nothing, and whose error is their own."""
        return Outcome.of_kept(self.kept())

    def kept(self) -> KeptOutcome:
        """What is kept of it."""
        end = self.end
        if isinstance(end, ServiceError):
            return KeptOutcome(error=Failure(end.code, end.message, end.details))
        return KeptOutcome(run=end.without_usage())

    @classmethod
    def of_kept(cls, kept: KeptOutcome) -> "Outcome":
        """Raises ValueError: it is none."""
        if kept.run is not None:
            return cls(kept.run)
        if kept.error is None:
            raise ValueError("neither a run nor an error")
        kind = FAILURES.get(kept.error.code, ServiceError)
        return cls(kind(kept.error.message, details=kept.error.details))

    def to_json(self) -> bytes:
        return dumps(self.kept())

    @classmethod
    def from_json(cls, text: bytes) -> "Outcome":
        return cls.of_kept(_OUTCOMES.read(text))


class Answer(msgspec.Struct, frozen=True):
    """A run as one caller gets it."""

    request_id: str
    name: LanguageTitle
    run: Run
    cached: bool

    def document(self) -> dict[str, Any]:
        run = self.run
        document = {
            "request_id": self.request_id,
            "language_title": str(self.name),
            "execution_time": run.execution_time,
            "cached": self.cached,
            "result": run.result,
        }
        if run.stdout:
            document["stdout"] = run.stdout
        if run.stderr:
            document["stderr"] = run.stderr
        return document
