"""The calls of the service.

Each function makes one call; `Client` and `AsyncClient` have a method for each, with the same parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from lambda_ms import call
from lambda_ms.answers import (
    AliasAnswer,
    Aliases,
    EnvironmentAnswer,
    ExecuteAnswer,
    ExecutionPage,
    FunctionDetail,
    FunctionPage,
    FunctionVersions,
    HealthAnswer,
    InitializeAnswer,
    IsolationAnswer,
    KeyAnswer,
    KeyList,
    SessionAnswer,
    UsageAnswer,
)
from lambda_ms.call import Call
from lambda_ms.source import read_source

_API = "/api/v1"


def initialize(
    language_title: str, script: str | None = None, *, context: Mapping[str, Any] | None = None
) -> Call[InitializeAnswer]:
    """Begin a session.

    Args:
        language_title: `<language>-<title>`; without a script also a reference, `python-price@2`.
        script: the script, which is registered under this name; None: the registered one.
        context: `timeout_ms`, `isolation`, `retain_session`, `packages` and what else the script is to see.
    """
    body: dict[str, Any] = {} if context is None else {"context": context}
    if script is not None:
        body["script_content"] = script
    return call.change(
        "POST", f"{_API}/initialize", body, InitializeAnswer, {"Language-Title": language_title}
    )


def execute(
    request_id: str,
    params: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    cache: str | None = None,
) -> Call[ExecuteAnswer]:
    """Run a session's script.

    Args:
        request_id: the session.
        params: what the script gets.
        key: an idempotency key. With one, the call runs once, and may be repeated safely.
        cache: `no-cache` runs anew; `max-age=60` keeps the result for 60 seconds.
    """
    return call.execution(f"{_API}/execute/{quote(request_id)}", {"params": params or {}}, key, cache)


def run(
    function: str,
    params: Mapping[str, Any] | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    key: str | None = None,
    cache: str | None = None,
) -> Call[ExecuteAnswer]:
    """Run a function by its name.

    Args:
        function: a reference: `python-price`, `python-price@2` or `python-price@beta`.
        params: what the script gets.
        context: laid over the function's own; `timeout_ms` and `isolation` count.
        key: an idempotency key. With one, the call runs once, and may be repeated safely.
        cache: `no-cache` runs anew; `max-age=60` keeps the result for 60 seconds.
    """
    body: dict[str, Any] = {"params": params or {}}
    if context is not None:
        body["context"] = context
    return call.execution(f"{_function(function)}/execute", body, key, cache)


def session(request_id: str) -> Call[SessionAnswer]:
    """Describe a session."""
    return call.get(f"{_API}/sessions/{quote(request_id)}", SessionAnswer)


def end_session(request_id: str) -> Call[None]:
    """End a session. Its running executions finish."""
    return call.delete(f"{_API}/sessions/{quote(request_id)}")


def functions(
    *,
    query: str | None = None,
    tag: str | None = None,
    language: str | None = None,
    type: Literal["predefined", "dynamic"] | None = None,  # noqa: A002 - the contract's word
    cursor: str | None = None,
    per_page: int | None = None,
) -> Call[FunctionPage]:
    """List the functions that the caller sees, a page at a time.

    Args:
        query: a part of name, description or tags.
        tag: one of the tags.
        language: such as `python`.
        type: the caller's own, `dynamic`, or `predefined` ones.
        cursor: that of the page before.
        per_page: 1 to 100.
    """
    given = {"query": query, "tag": tag, "language": language, "type": type}
    return call.get(f"{_API}/functions", FunctionPage, **given, cursor=cursor, per_page=per_page)


def function(function: str) -> Call[FunctionDetail]:
    """Describe the version of a function that a reference names."""
    return call.get(_function(function), FunctionDetail)


def put_function(
    language_title: str, document: Mapping[str, Any], *, if_match: int | None = None
) -> Call[FunctionDetail]:
    """Make a version of a function, unless it would equal the newest one.

    Args:
        language_title: `<language>-<title>`.
        document: `script_content`, `description`, `tags`, `schema`, `examples`, `defaults`, `packages`, `verify` and
            what else the contract has. What is left out keeps its value.
        if_match: the newest version that the caller knows; the service refuses if there is a newer one.
    """
    headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    return call.change("PUT", _function(language_title), document, FunctionDetail, headers)


def deploy(path: str | Path, *, verify: bool = False, if_match: int | None = None) -> Call[FunctionDetail]:
    """Make a version of a function of a file, and of `function.toml` beside it.

    Args:
        path: the script; its name and suffix give the function's name.
        verify: whether the examples have to give their results.
        if_match: as `put_function` has it.

    Raises:
        SourceError: the file or `function.toml` cannot be used.
    """
    source = read_source(Path(path))
    document = {**source.document, "verify": True} if verify else source.document
    return put_function(source.language_title, document, if_match=if_match)


def delete_function(function: str) -> Call[None]:
    """Delete a function, or one version of it: `python-price@2`."""
    return call.delete(_function(function))


def versions(
    language_title: str, *, cursor: str | None = None, per_page: int | None = None
) -> Call[FunctionVersions]:
    """List a function's versions, the newest first."""
    return call.get(
        f"{_function(language_title)}/versions", FunctionVersions, cursor=cursor, per_page=per_page
    )


def aliases(language_title: str) -> Call[Aliases]:
    """List a function's aliases."""
    return call.get(f"{_function(language_title)}/aliases", Aliases)


def alias(language_title: str, alias: str) -> Call[AliasAnswer]:
    """Describe an alias."""
    return call.get(f"{_function(language_title)}/aliases/{quote(alias)}", AliasAnswer)


def put_alias(
    language_title: str, alias: str, version: int, *, canary: int | None = None, weight: float = 0.1
) -> Call[AliasAnswer]:
    """Make an alias name a version.

    Args:
        language_title: the function.
        alias: its name; `live` is the one that calls without a version get.
        version: the version.
        canary: a version that gets a share of the calls.
        weight: that share, 0 to 1.
    """
    body: dict[str, Any] = {"version": version}
    if canary is not None:
        body["canary"] = {"version": canary, "weight": weight}
    return call.change("PUT", f"{_function(language_title)}/aliases/{quote(alias)}", body, AliasAnswer)


def delete_alias(language_title: str, alias: str) -> Call[None]:
    """Delete an alias. The versions stay."""
    return call.delete(f"{_function(language_title)}/aliases/{quote(alias)}")


def create_key(
    name: str, scope: str, *, functions: Sequence[str] | None = None, expires_at: datetime | None = None
) -> Call[KeyAnswer]:
    """Make an API key. Its text is in this answer and nowhere else.

    Args:
        name: to tell keys apart.
        scope: rights, separated by spaces: `execute:python read:functions`.
        functions: references to the only functions it may execute; None: it is not bound.
        expires_at: a time with its zone; None: the latest that the service allows.
    """
    body: dict[str, Any] = {"name": name, "scope": scope}
    if functions is not None:
        body["functions"] = functions
    if expires_at is not None:
        body["expires_at"] = expires_at
    return call.change("POST", f"{_API}/keys", body, KeyAnswer)


def keys() -> Call[KeyList]:
    """List the caller's API keys, without their texts."""
    return call.get(f"{_API}/keys", KeyList)


def delete_key(key_id: str) -> Call[None]:
    """Revoke an API key. Every process refuses it within 30 seconds."""
    return call.delete(f"{_API}/keys/{quote(key_id)}")


def environment(digest: str) -> Call[EnvironmentAnswer]:
    """Describe the packages behind a version; `FunctionDetail.environment` has the digest."""
    return call.get(f"{_API}/environments/{quote(digest)}", EnvironmentAnswer)


def usage(
    *, since: datetime | None = None, until: datetime | None = None, bucket: Literal["hour", "day"] = "hour"
) -> Call[UsageAnswer]:
    """Count what the caller's executions used.

    Args:
        since: the beginning, with its zone; None: 24 hours before `until`, or 30 days with daily buckets.
        until: the end, with its zone; None: now.
        bucket: how the time is divided.
    """
    return call.get(
        f"{_API}/usage", UsageAnswer, **{"from": _time(since), "to": _time(until), "bucket": bucket}
    )


def executions(
    *,
    function: str | None = None,
    status: Literal["ok", "error"] | None = None,
    since: datetime | None = None,
    cursor: str | None = None,
    per_page: int | None = None,
) -> Call[ExecutionPage]:
    """List the caller's executions, the newest first, a page at a time.

    Args:
        function: a reference.
        status: only those that went well, or only those that failed.
        since: the earliest time, with its zone.
        cursor: that of the page before. A page may be empty and still have one.
        per_page: 1 to 100.
    """
    given = {"function": function, "status": status, "since": _time(since)}
    return call.get(f"{_API}/executions", ExecutionPage, **given, cursor=cursor, per_page=per_page)


def isolation() -> Call[IsolationAnswer]:
    """Tell which layers confine scripts, by language."""
    return call.get(f"{_API}/isolation", IsolationAnswer)


def health() -> Call[HealthAnswer]:
    """Tell whether the service can serve. Needs no token."""
    return replace(call.get("/health", HealthAnswer), accepted=503)


def _function(reference: str) -> str:
    return f"{_API}/functions/{quote(reference, safe='@')}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
