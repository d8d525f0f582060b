"""Calls lambda-microservice, a service that runs scripts.

`Client` waits for each answer, `AsyncClient` is for asyncio. Both have the same methods. What the service refuses is
raised as an exception of `lambda_ms.errors`.
"""

from typing import TYPE_CHECKING, Any

from lambda_ms.client import Client
from lambda_ms.errors import (
    Conflict,
    DeadlinePassed,
    Forbidden,
    IdempotencyConflict,
    InternalError,
    InvalidParams,
    InvalidRequest,
    LambdaError,
    NotFound,
    PreconditionFailed,
    RateLimited,
    RuntimeUnavailable,
    ScriptError,
    ScriptFailed,
    ScriptRefused,
    ServiceError,
    StoreUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from lambda_ms.retries import Retries
from lambda_ms.version import __version__

if TYPE_CHECKING:
    from lambda_ms.async_client import AsyncClient

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "DeadlinePassed",
    "Forbidden",
    "IdempotencyConflict",
    "InternalError",
    "InvalidParams",
    "InvalidRequest",
    "LambdaError",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Retries",
    "RuntimeUnavailable",
    "ScriptError",
    "ScriptFailed",
    "ScriptRefused",
    "ServiceError",
    "StoreUnavailable",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import `AsyncClient` when it is asked for: aiohttp takes longer to import than all the rest."""
    if name == "AsyncClient":
        from lambda_ms.async_client import AsyncClient  # noqa: PLC0415

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
