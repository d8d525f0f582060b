"""One call as data: what is sent, how the answer is read, whether it may be repeated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from lambda_ms.answers import ExecuteAnswer

T = TypeVar("T")
encode = msgspec.json.Encoder().encode
_executed = msgspec.json.Decoder(ExecuteAnswer).decode


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how its answer is read.

    Args:
        method: the HTTP method.
        path: path and query.
        read: makes the answer of the body.
        body: JSON; None: there is none.
        headers: beside those that every request has.
        repeatable: whether a repeat after a lost connection does no harm.
        runs: whether a script may run once more with a repeat.
        accepted: a status that is an answer though it is not a success.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    runs: bool = False
    accepted: int = 0


def get(path: str, answer: type[T], **query: str | int | None) -> Call[T]:
    """Return a call that reads. Parameters of the query that are None are left out."""
    given = urlencode({name: value for name, value in query.items() if value is not None})
    path = f"{path}?{given}" if given else path
    return Call("GET", path, _reader(answer), repeatable=True)


def change(
    method: str, path: str, body: Mapping[str, Any], answer: type[T], headers: Mapping[str, str] | None = None
) -> Call[T]:
    """Return a call that makes or changes something."""
    return Call(method, path, _reader(answer), encode(body), headers or {})


def execution(path: str, body: Mapping[str, Any], key: str | None, cache: str | None) -> Call[ExecuteAnswer]:
    """Return a call that runs a script. Without an idempotency key a repeat may run it once more."""
    headers = {}
    if key is not None:
        headers["Idempotency-Key"] = key
    if cache is not None:
        headers["X-Cache-Control"] = cache
    keyed = key is not None
    return Call("POST", path, _executed, encode(body), headers, repeatable=keyed, runs=not keyed)


def delete(path: str) -> Call[None]:
    """Return a call that removes something."""
    return Call("DELETE", path, _nothing)


def _reader(answer: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(answer).decode


def _nothing(_: bytes) -> None:
    return None
