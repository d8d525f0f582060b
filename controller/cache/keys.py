"""The keys of what the cache keeps. Each begins with the version of its format, see `controller.models.formats`."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from controller.models.formats import FORMAT, PREVIOUS
from controller.models.registered import ArtifactKey, Session, canonical

#: Of so many sessions the part of their results' names that is their own is remembered.
SESSIONS = 10_000
_SORTING = msgspec.json.Encoder(order="sorted")


class ResultNames(NamedTuple):
    """What an execution reads and writes."""

    session: str
    result: str
    flight: str
    #: Names the results of one owner and script.
    catalog: str


class _Own(NamedTuple):
    """What a session's executions have in common."""

    session: Session
    key: str
    catalog: str
    digest: Any
    flight: str


class Namer:
    """Names executions. A result goes by all that the script's answer may depend on, and its owner; a flight by its
    deadline and isolation as well, so that nobody waits longer than for a run of their own.
    """

    def __init__(self) -> None:
        self._own: OrderedDict[str, _Own] = OrderedDict()

    def names(self, session: Session, params: Mapping[str, Any]) -> ResultNames:
        """What an execution of the session with these params goes by."""
        own = self._own.get(session.request_id)
        if own is None or own.session is not session:
            own = self._learn(session)
        digest = own.digest.copy()
        digest.update(_canonical(params))
        result = f"result:{digest.hexdigest()}"
        return ResultNames(own.key, FORMAT + result, f"{FORMAT}flight:{result}{own.flight}", own.catalog)

    def _learn(self, session: Session) -> _Own:
        index = catalog(session.user_id, session.name.language, session.script_hash)
        shared = canonical([index, session.compile_options, session.context])
        own = _Own(
            session,
            session_key(session.request_id),
            index,
            hashlib.sha256(shared.encode()),
            f":{session.timeout_ms}:{session.isolation}",
        )
        self._own[session.request_id] = own
        if len(self._own) > SESSIONS:
            self._own.popitem(last=False)
        return own


def session_key(request_id: str, version: str = FORMAT) -> str:
    """Return the key of a session."""
    return f"{version}session:{request_id}"


def previous(key: str) -> str:
    """Return the key that the previous version has for the same."""
    return PREVIOUS + key.removeprefix(FORMAT)


def idempotency_key(digest: str) -> str:
    """Return the key of an Idempotency-Key, by the digest of user, session and key."""
    return f"{FORMAT}idempotency:{digest}"


def script_key(script_hash: str) -> str:
    """Return the key of a script's text."""
    return f"{FORMAT}script:{script_hash}"


def artifact_name(key: ArtifactKey) -> str:
    """A compiled artifact's name."""
    options = hashlib.sha256(key.compile_options.encode()).hexdigest()
    return f"{FORMAT}artifact:{key.language}:{key.script_hash}:{options}"


@lru_cache(1024)
def catalog(owner: str, language: str, script_hash: str) -> str:
    """The name of the list of an owner's results of a script."""
    return f"{FORMAT}results:{hashlib.sha256(canonical([owner, language, script_hash]).encode()).hexdigest()}"


def _canonical(params: Mapping[str, Any]) -> bytes:
    """The one JSON text of what came as JSON, whatever the order of its keys."""
    try:
        return _SORTING.encode(params)
    except UnicodeEncodeError:
        # There is half of a surrogate pair in it. No other value has the same text.
        return canonical(params).encode()
