"""The outcome of a run, its stored form, and how a request came by it."""

from typing import Any, Literal

import msgspec
from msgspec import Raw

from controller.errors import DeadlinePassed, ScriptFailed, ServiceError
from controller.json_codec import Reader, dumps


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of one successful run of a script. Times are in milliseconds."""

    #: The runtime's JSON text. The controller does not parse it.
    result: Raw
    execution_time: float
    stdout: str = ""
    stderr: str = ""
    #: Measurements of the runtime: `cpu_time` (ms), `memory_usage_bytes`, `bytes_in`, `bytes_out`, `cold`, and for
    #: WebAssembly `fuel`.
    usage: dict[str, Any] = {}

    def without_usage(self) -> "Run":
        """Return the run for a request that did not run itself: it used no resources."""
        return Run(self.result, self.execution_time, self.stdout, self.stderr)


class Failure(msgspec.Struct, frozen=True):
    """The JSON form of a run's error."""

    code: str
    message: str
    details: dict[str, Any]


class KeptOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON form of an outcome."""

    run: Run | None = None
    error: Failure | None = None


FAILURES = {error.code: error for error in ServiceError.__subclasses__()}


_OUTCOMES = Reader(KeptOutcome, raw=["result"])


class Outcome(msgspec.Struct, frozen=True):
    """The end of a run, for every request that waited for it: a result or an error."""

    end: Run | ServiceError

    @property
    def succeeded(self) -> bool:
        """Whether the end is a result."""
        return isinstance(self.end, Run)

    @property
    def executed(self) -> bool:
        """Whether the script ran. A failed run counts as well."""
        return isinstance(self.end, Run | ScriptFailed | DeadlinePassed)

    def answer(self) -> Run:
        """Return the result, or raise the error."""
        if isinstance(self.end, ServiceError):
            raise self.end
        return self.end

    def shared(self) -> "Outcome":
        """Return a copy for a follower: no resources used, and a new error object."""
        return Outcome.of_kept(self.kept())

    def kept(self) -> KeptOutcome:
        """Return the stored form."""
        end = self.end
        if isinstance(end, ServiceError):
            return KeptOutcome(error=Failure(end.code, end.message, end.details))
        return KeptOutcome(run=end.without_usage())

    @classmethod
    def of_kept(cls, kept: KeptOutcome) -> "Outcome":
        """Return the outcome of a stored form. Raises ValueError if it is neither a result nor an error."""
        if kept.run is not None:
            return cls(kept.run)
        if kept.error is None:
            raise ValueError("neither a run nor an error")
        kind = FAILURES.get(kept.error.code, ServiceError)
        return cls(kind(kept.error.message, details=kept.error.details))

    def to_json(self) -> bytes:
        """Return the outcome as the cache keeps it."""
        return dumps(self.kept())

    @classmethod
    def from_json(cls, text: bytes) -> "Outcome":
        """Return the outcome that `to_json` wrote."""
        return cls.of_kept(_OUTCOMES.read(text))


class FlightResult(msgspec.Struct, frozen=True):
    """How a request's execution ended.

    Attributes:
        source: where the result came from. hit: the cache; follower: another request's run; run: its own run.
        state: the session's state in Redis before this execution ended. None: Redis did not count the execution.
    """

    outcome: Outcome
    source: Literal["hit", "follower", "run"]
    state: str | None = None

    @property
    def cached(self) -> bool:
        """Whether the client is told that the result is cached."""
        return self.source != "run" and self.outcome.succeeded
