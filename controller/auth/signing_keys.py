"""What the signature of a token is checked with: one key of the configuration, or those that a JWKS server shows."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import gevent
import jwt
from gevent.lock import BoundedSemaphore

from controller.errors import Unauthorized

log = logging.getLogger(__name__)

#: Seconds the JWKS server has in all, however it dawdles.
FETCH_DEADLINE = 2.0
#: Seconds between two questions to it at least, whatever strangers write into their tokens.
FETCH_INTERVAL = 10.0
#: Seconds after which known keys are looked after: one that was withdrawn ends then.
KEYS_MAX_AGE = 300.0


class KeySource(Protocol):
    """Finds the key of a token."""

    def key(self, token: str) -> Any:
        """The key, as `jwt.decode` takes it.

        Raises:
            jwt.PyJWTError: the token has no readable head.
            Unauthorized: its key is not known.
        """


class FixedKey:
    """The key of a deployment with one.

    Args:
        algorithm: the one algorithm of tokens.
        text: HS256: the secret; RS256 and ES256: a public key in PEM.

    Raises:
        ValueError, TypeError, jwt.InvalidKeyError: it is none.
    """

    def __init__(self, algorithm: str, text: str) -> None:
        self._key = jwt.get_algorithm_by_name(algorithm).prepare_key(text)

    def key(self, token: str) -> Any:
        return self._key


class JwksKeys:
    """The keys of a JWKS server, by the `kid` of their tokens.

    A `kid` that is not known makes us ask; that no answer comes, or none with keys, takes no known key away.

    Args:
        algorithm: the one algorithm of tokens; keys for others are left out.
        clock: seconds, never going back.
    """

    def __init__(self, algorithm: str, url: str, clock: Callable[[], float] = monotonic) -> None:
        self._algorithm = algorithm
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_DEADLINE)
        self._clock = clock
        self._known: dict[str | None, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._asking = BoundedSemaphore()

    def key(self, token: str) -> jwt.PyJWK:
        key_id = jwt.get_unverified_header(token).get("kid")
        if key_id not in self._known:
            self._refresh()
        elif self._clock() - self._asked_at >= KEYS_MAX_AGE:
            gevent.spawn(self._refresh)
        try:
            return self._known[key_id]
        except KeyError:
            raise Unauthorized("the token's key is not known") from None

    def _refresh(self) -> None:
        """Asks for the keys, unless that was done just now: whoever waits here finds the other one's answer."""
        with self._asking:
            if self._clock() - self._asked_at < FETCH_INTERVAL:
                return
            self._asked_at = self._clock()
            try:
                with gevent.Timeout(FETCH_DEADLINE):
                    keys = self._client.get_signing_keys()
            except (jwt.PyJWTError, ValueError, OSError, gevent.Timeout) as error:
                log.warning("no keys from the JWKS server: %s", error)
                return
            self._known = {key.key_id: key for key in keys if key.algorithm_name == self._algorithm}
