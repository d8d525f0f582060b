"""IdempotencyKeys: a repeated execution answers what the first one was answered, and does not run again.

A key is its user's and its session's, for a day. Kept are results and failures of the script; after any other
failure the next one with the key runs. Without the store nobody could say whether the first one ran, so the request
is refused.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from controller.cache.backend import Backend
from controller.errors import CacheUnavailable, IdempotencyConflict, StoreUnavailable
from controller.execution.single_flight import Execution
from controller.json_codec import Reader, dumps
from controller.models.calls import ExecuteCall
from controller.models.outcome import KeptOutcome, Outcome
from controller.models.registered import Identity, LanguageTitle, canonical

KEPT_SECONDS = 24 * 3600


class KeptReplay(KeptOutcome, frozen=True, kw_only=True):
    """A replay, as JSON has it."""

    name: tuple[str, str]
    script_hash: str
    cached: bool


_REPLAYS = Reader(KeptReplay, raw=["result"])


@dataclass(frozen=True, slots=True)
class Replay:
    """What the first one was answered."""

    name: LanguageTitle
    script_hash: str
    outcome: Outcome
    cached: bool

    def to_json(self) -> bytes:
        name, kept = (self.name.language, self.name.title), self.outcome.kept()
        return dumps(
            KeptReplay(
                name=name,
                script_hash=self.script_hash,
                cached=self.cached,
                run=kept.run,
                error=kept.error,
            )
        )

    @classmethod
    def from_json(cls, text: bytes) -> "Replay":
        kept = _REPLAYS.read(text)
        return cls(LanguageTitle(*kept.name), kept.script_hash, Outcome.of_kept(kept), kept.cached)


class IdempotencyKeys:
    """Who is first with a key, and what the others are answered.

    Args:
        backend: where keys are kept.
        token: makes a name for who runs.
    """

    def __init__(self, backend: Backend, token: Callable[[], str]) -> None:
        self._backend = backend
        self._token = token

    def recall(self, identity: Identity, call: ExecuteCall) -> Replay | None:
        """What is kept under the call's key, waiting for the first one if it still runs.

        Raises:
            IdempotencyConflict: it was another body's.
            StoreUnavailable: Redis is away.
        """
        return self._claim(identity, call, token="", claim_ms=0)

    def once(
        self,
        identity: Identity,
        call: ExecuteCall,
        claim_ms: int,
        execute: Callable[[], Execution],
    ) -> Execution | Replay:
        """Executes, unless that was done with the call's key; raises as `recall` does, and what `execute` raises."""
        token = self._token()
        replay = self._claim(identity, call, token, claim_ms)
        if replay is not None:
            return replay
        kept = b""
        try:
            execution = execute()
            outcome = execution.outcome
            if outcome.executed:
                kept = Replay(
                    execution.name, execution.session.script_hash, outcome, execution.cached
                ).to_json()
            return execution
        finally:
            self._settle(identity, call, token, kept)

    def _claim(self, identity: Identity, call: ExecuteCall, token: str, claim_ms: int) -> Replay | None:
        key, body = _names(identity, call)
        try:
            while (claim := self._backend.claim_key(key, body, token, claim_ms)).verdict == "running":
                told = self._backend.reply((claim.value or b"").decode(), claim.wait_ms)
                if told:
                    return Replay.from_json(told)
        except CacheUnavailable as error:
            raise StoreUnavailable("a request with an Idempotency-Key needs Redis, which is away") from error
        if claim.verdict == "conflict":
            raise IdempotencyConflict("this Idempotency-Key was used with another body")
        return None if claim.value is None else Replay.from_json(claim.value)

    def _settle(self, identity: Identity, call: ExecuteCall, token: str, kept: bytes) -> None:
        key, body = _names(identity, call)
        try:
            self._backend.settle_key(key, body, token, kept, KEPT_SECONDS)
        except CacheUnavailable:
            # The caller is answered all the same: they then have no reason to repeat it.
            return


def _names(identity: Identity, call: ExecuteCall) -> tuple[str, str]:
    """The key in the store, and the digest of the body."""
    parts = (identity.subject, call.request_id, call.idempotency_key)
    return f"idempotency:{_digest(parts)}", _digest(call.params)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
