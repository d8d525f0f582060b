"""IdempotencyKeys: a repeated execution gets the first one's answer and does not run again.

A key belongs to one user and one session, or by name one function, and is kept for a day. Results and failures of the
script are kept. After any other failure the next request with the key runs. While Redis is away it is unknown whether
the first request ran, so a request with a key is refused.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from controller.cache.keys import idempotency_key
from controller.cache.manager import CacheManager
from controller.errors import CacheUnavailable, IdempotencyConflict, StoreUnavailable
from controller.json_codec import Reader, dumps
from controller.models.outcome import FlightResult, KeptOutcome, Outcome
from controller.models.registered import Identity, LanguageTitle, Session, canonical
from controller.models.requests import ExecuteRequest

#: Seconds that an answer is kept under its key.
KEPT_SECONDS = 24 * 3600


class KeptReplay(KeptOutcome, frozen=True, kw_only=True):
    """The JSON form of a `Replay`."""

    name: tuple[str, str]
    script_hash: str
    cached: bool
    version: int | None = None
    session_id: str | None = None


_REPLAYS = Reader(KeptReplay, raw=["result"])


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer that the first request with a key got."""

    name: LanguageTitle
    script_hash: str
    outcome: Outcome
    cached: bool
    #: By name: the version of the function, and the session behind it.
    version: int | None = None
    session_id: str | None = None

    def to_json(self) -> bytes:
        """Return the replay as Redis keeps it."""
        name, kept = (self.name.language, self.name.title), self.outcome.kept()
        return dumps(
            KeptReplay(
                name=name,
                script_hash=self.script_hash,
                cached=self.cached,
                version=self.version,
                session_id=self.session_id,
                run=kept.run,
                error=kept.error,
            )
        )

    @classmethod
    def from_json(cls, text: bytes) -> "Replay":
        """Return the replay that `to_json` wrote."""
        kept = _REPLAYS.read(text)
        return cls(
            LanguageTitle(*kept.name),
            kept.script_hash,
            Outcome.of_kept(kept),
            kept.cached,
            kept.version,
            kept.session_id,
        )


class IdempotencyKeys:
    """Decides which request with a key runs, and answers the others.

    Args:
        cache: keeps the keys.
    """

    def __init__(self, cache: CacheManager) -> None:
        self._cache = cache

    def recall(self, identity: Identity, request: ExecuteRequest) -> Replay | None:
        """Return the answer kept under the request's key. Wait while the first request with the key runs.

        Raises:
            IdempotencyConflict: the key was used with another body.
            StoreUnavailable: Redis is away.
        """
        return self._claim(identity, request, token="", lease_ms=0)

    def once(
        self,
        identity: Identity,
        request: ExecuteRequest,
        session: Session,
        lease_ms: int,
        execute: Callable[[], FlightResult],
    ) -> FlightResult | Replay:
        """Execute, unless a request with the same key did.

        Args:
            identity: the caller.
            request: the request, which has a key.
            session: the session that the request names.
            lease_ms: milliseconds that other requests with the key wait for this one.
            execute: executes the request.

        Raises:
            IdempotencyConflict, StoreUnavailable: as `recall` does.
            ServiceError: what `execute` raises.
        """
        token = self._cache.token()
        replay = self._claim(identity, request, token, lease_ms)
        if replay is not None:
            return replay
        kept = b""
        try:
            result = execute()
            if result.outcome.executed:
                kept = Replay(
                    session.name,
                    session.script_hash,
                    result.outcome,
                    result.cached,
                    request.version,
                    None if request.by_name is None else request.request_id,
                ).to_json()
            return result
        finally:
            self._cache.settle_key(*_key_and_body(identity, request), token, kept, KEPT_SECONDS)

    def _claim(self, identity: Identity, request: ExecuteRequest, token: str, lease_ms: int) -> Replay | None:
        key, body = _key_and_body(identity, request)
        try:
            while (claim := self._cache.claim_key(key, body, token, lease_ms)).status == "running":
                reply = self._cache.reply((claim.value or b"").decode(), claim.wait_ms)
                if reply:
                    return Replay.from_json(reply)
        except CacheUnavailable as error:
            raise StoreUnavailable("a request with an Idempotency-Key needs Redis, which is away") from error
        if claim.status == "conflict":
            raise IdempotencyConflict("this Idempotency-Key was used with another body")
        return None if claim.value is None else Replay.from_json(claim.value)


def _key_and_body(identity: Identity, request: ExecuteRequest) -> tuple[str, str]:
    """Return the key in Redis and the digest of the body."""
    named, key = request.by_name, request.idempotency_key
    if named is None:
        return idempotency_key(_digest((identity.subject, request.request_id, key))), _digest(request.params)
    # Per function, not per version: a repeat gets its answer even after an alias has moved.
    body = (request.params, named.context, named.timeout_ms, named.isolation)
    return idempotency_key(_digest((identity.subject, "function", str(named.ref.name), key))), _digest(body)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
