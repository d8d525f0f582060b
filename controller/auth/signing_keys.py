"""The keys that verify tokens: one key from the configuration, or the keys of a JWKS server."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import gevent
import jwt
from gevent.lock import BoundedSemaphore

from controller.errors import Unauthorized

log = logging.getLogger(__name__)

#: Seconds for a whole fetch from the JWKS server, even if it sends slowly.
FETCH_DEADLINE = 2.0
#: Fewest seconds between two fetches. Tokens with made-up key ids cannot cause more.
FETCH_INTERVAL = 10.0
#: Seconds after which known keys are fetched again, so that a withdrawn key stops working.
KEYS_MAX_AGE = 300.0


class KeySource(Protocol):
    """Finds the key of a token."""

    def key(self, token: str) -> Any:
        """Return the key in the form that `jwt.decode` takes.

        Raises:
            jwt.PyJWTError: the token's header cannot be read.
            Unauthorized: the token's key is not known.
        """


class FixedKey:
    """The only key, from the configuration.

    Args:
        algorithm: the only algorithm of tokens.
        text: for HS256 the secret, for RS256 and ES256 a public key in PEM.

    Raises:
        ValueError, TypeError, jwt.InvalidKeyError: the text is not such a key.
    """

    def __init__(self, algorithm: str, text: str) -> None:
        self._key = jwt.get_algorithm_by_name(algorithm).prepare_key(text)

    def key(self, token: str) -> Any:
        """Return the configured key for every token."""
        return self._key


class JwksKeys:
    """The keys of a JWKS server, by the `kid` of a token.

    An unknown `kid` causes a fetch. If the fetch fails or returns no keys, the known keys stay.

    Args:
        algorithm: the only algorithm of tokens. Keys for others are ignored.
        url: address of the JWKS server.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, algorithm: str, url: str, clock: Callable[[], float] = monotonic) -> None:
        self._algorithm = algorithm
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_DEADLINE)
        self._clock = clock
        self._known: dict[str | None, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._asking = BoundedSemaphore()

    def key(self, token: str) -> jwt.PyJWK:
        """Return the key that the token's `kid` names."""
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
        """Fetch the keys, unless another greenlet has just done so."""
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
