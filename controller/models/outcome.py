"""What a run gave, and how it is kept."""

from typing import Any

import msgspec
from msgspec import Raw

from controller.errors import DeadlinePassed, ScriptFailed, ServiceError
from controller.json_codec import Reader, dumps


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one run of a script gave. Times in milliseconds."""

    #: JSON text, as the runtime wrote it: nobody here reads it.
    result: Raw
    execution_time: float
    stdout: str = ""
    stderr: str = ""
    #: What the runtime measured: `cpu_time` (ms), `memory_usage_bytes`, `bytes_in`, `bytes_out`, `cold`, and
    #: of WebAssembly `fuel`.
    usage: dict[str, Any] = {}

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
