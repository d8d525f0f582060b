"""The keys of the cache. Each begins with the version of its format, see `controller.models.formats`."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from controller.models.formats import FORMAT, PREVIOUS
from controller.models.registered import ArtifactKey, Session, canonical

#: Sessions with a cached prefix of their result keys.
SESSIONS = 10_000
_SORTING = msgspec.json.Encoder(order="sorted")


class KeySet(NamedTuple):
    """The keys of an execution."""

    session: str
    result: str
    flight: str
    #: Index of the results of one owner and script.
    results_index: str


class _Common(NamedTuple):
    """The parts that the keys of a session's executions have in common."""

    session: Session
    key: str
    results_index: str
    digest: Any
    flight: str


class ResultKeys:
    """Builds the keys of executions.

    The key of a result covers its owner and all inputs of the script. The key of a flight also covers the deadline
    and the isolation, so that a follower never waits longer than its own run may take.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Common] = OrderedDict()

    def of(self, session: Session, params: Mapping[str, Any]) -> KeySet:
        """Return the keys of an execution of the session with these params."""
        common = self._sessions.get(session.request_id)
        if common is None or common.session is not session:
            common = self._session_keys(session)
        digest = common.digest.copy()
        digest.update(_canonical(params))
        result = f"result:{digest.hexdigest()}"
        return KeySet(
            common.key, FORMAT + result, f"{FORMAT}flight:{result}{common.flight}", common.results_index
        )

    def _session_keys(self, session: Session) -> _Common:
        index = results_index(session.user_id, session.name.language, session.script_hash)
        # Without the version, which the key begins with: the digest is the same in every version.
        inputs = [index.removeprefix(FORMAT), session.compile_options, session.context]
        if session.result_schema is not None:
            inputs.append(session.result_schema)
        if session.environment is not None:
            # No schema, which is a text.
            inputs.append([session.environment])
        common = _Common(
            session,
            session_key(session.request_id),
            index,
            hashlib.sha256(canonical(inputs).encode()),
            f":{session.timeout_ms}:{session.isolation}",
        )
        self._sessions[session.request_id] = common
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return common


def session_key(request_id: str, version: str = FORMAT) -> str:
    """Return the key of a session."""
    return f"{version}session:{request_id}"


def counter_key(session: str) -> str:
    """Return the key of a session's counter, from the session's key."""
    return f"{FORMAT}count:{session.rpartition(':')[2]}"


def previous_key(key: str) -> str:
    """Return the same key in the previous format."""
    return PREVIOUS + key.removeprefix(FORMAT)


def idempotency_key(digest: str) -> str:
    """Return the key of an Idempotency-Key, by the digest of user, session and key."""
    return f"{FORMAT}idempotency:{digest}"


def script_key(script_hash: str) -> str:
    """Return the key of a script's text."""
    return f"{FORMAT}script:{script_hash}"


def artifact_key(key: ArtifactKey) -> str:
    """Return the key of a compiled artifact."""
    options = hashlib.sha256(key.compile_options.encode()).hexdigest()
    return f"{FORMAT}artifact:{key.language}:{key.script_hash}:{options}"


@lru_cache(1024)
def results_index(owner: str, language: str, script_hash: str) -> str:
    """Return the key of the index of an owner's results of a script."""
    return f"{FORMAT}results:{hashlib.sha256(canonical([owner, language, script_hash]).encode()).hexdigest()}"


def _canonical(params: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of params: keys are sorted."""
    try:
        return _SORTING.encode(params)
    except UnicodeEncodeError:
        # The params have a lone surrogate, which msgspec refuses. No other params give the same text.
        return canonical(params).encode()
