"""From what went wrong to an exit status and a sentence about what to do."""

from collections.abc import Mapping

from lambda_ms.cli.configuration import NotConfigured
from lambda_ms.cli.output import Output
from lambda_ms.errors import (
    Conflict,
    DeadlinePassed,
    Forbidden,
    IdempotencyConflict,
    InvalidParams,
    InvalidRequest,
    LambdaError,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ScriptError,
    ServiceError,
    Unauthorized,
)
from lambda_ms.source import SourceError

SCRIPT, USAGE, DENIED, NOT_FOUND, UNAVAILABLE, CONFLICT, LATE, INTERRUPTED = 1, 2, 3, 4, 5, 6, 124, 130
#: docs/clients.md has the table. What is not here is UNAVAILABLE. The first that fits counts.
_STATUSES: Mapping[type[Exception], int] = {
    DeadlinePassed: LATE,
    ScriptError: SCRIPT,
    SourceError: USAGE,
    InvalidRequest: USAGE,
    InvalidParams: USAGE,
    NotConfigured: DENIED,
    Unauthorized: DENIED,
    Forbidden: DENIED,
    NotFound: NOT_FOUND,
    Conflict: CONFLICT,
    IdempotencyConflict: CONFLICT,
    PreconditionFailed: CONFLICT,
}
#: What a command raises on purpose; all else is a fault of this program.
EXPECTED = (LambdaError, NotConfigured, SourceError)


def status(error: Exception) -> int:
    """Return the exit status for an error."""
    return next((each for kind, each in _STATUSES.items() if isinstance(error, kind)), UNAVAILABLE)


def report(output: Output, error: Exception) -> int:
    """Say what went wrong and what to do. Return the exit status."""
    if isinstance(error, ScriptError):
        output.script_error(error, None, "script")
        return status(error)
    hints = []
    if isinstance(error, Unauthorized):
        hints = ["`lambda-ms login URL` stores another token"]
    elif isinstance(error, RateLimited) and error.retry_after:
        hints = [f"try again in {error.retry_after:.0f} s"]
    elif status(error) == UNAVAILABLE:
        hints = ["`lambda-ms doctor` looks at address, token, clock and versions"]
    output.failure(str(error) if not isinstance(error, ServiceError) else error.message, *hints)
    if isinstance(error, ServiceError):
        for each in error.details.get("errors", ()):
            output.note(f"  {each.get('pointer') or 'params'}: {each.get('message')}")
    return status(error)
