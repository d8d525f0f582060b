"""The circuit breaker of one address: pybreaker's, with one trial at a time and an opinion on who is to blame."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pybreaker

from controller.transport.failures import CircuitOpen, RequestFailed

log = logging.getLogger(__name__)

Changed = Callable[[str | None, str | None], object]


class Circuit:
    """Counts an address's failures in a row; after so many it lets nobody through for a while, then one.

    Any answer is a success, whatever it says of the script or of the client.

    Args:
        name: for the log.
        failures: how many in a row open it.
        pause: seconds until one request may try again.
        changed: is told of each change of its state: from, to.
    """

    def __init__(self, name: str, failures: int, pause: float, changed: Changed) -> None:
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=pause,
            exclude=[lambda error: not self._blames(error)],
            listeners=[_Listener(changed)],
            name=name,
            throw_new_error_on_trip=False,
        )
        self._on_trial = False
        self._changed = changed
        changed(None, self._breaker.current_state)

    def forget(self) -> None:
        """It is needed no more."""
        self._changed(self._breaker.current_state, None)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one request.

        Raises:
            CircuitOpen: it must not be sent.
        """
        trial = self._breaker.current_state != pybreaker.STATE_CLOSED
        if trial and self._on_trial:
            raise CircuitOpen(f"{self._breaker.name} is being tried")
        self._on_trial = trial
        try:
            # Not `call`, which would hold pybreaker's lock until the answer has come.
            with self._breaker.calling():
                yield
        except pybreaker.CircuitBreakerError as error:
            raise CircuitOpen(f"{self._breaker.name} has failed too often") from error
        finally:
            if trial:
                self._on_trial = False

    def _blames(self, error: BaseException) -> bool:
        """A client that hangs up says nothing of the runtime, but a trial that it cut short has not succeeded."""
        return isinstance(error, RequestFailed) or self._on_trial


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, changed: Changed) -> None:
        self._changed = changed

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        if old_state is None or old_state.name != new_state.name:
            log.warning("the circuit of %s is %s", cb.name, new_state.name)
            self._changed(old_state.name if old_state else None, new_state.name)
