"""The circuit breaker of one address: pybreaker's, with one trial at a time and an opinion on who is to blame."""

import logging
from collections.abc import Callable
from contextlib import suppress

import pybreaker

from controller.runtimes.transport.failures import CircuitOpen, RequestFailed
from controller.runtimes.transport.messages import Answer

log = logging.getLogger(__name__)

Changed = Callable[[str | None, str | None], object]


class Circuit:
    """Counts an address's failures in a row; after so many it lets nobody through for a while, then one.

    Any answer is a success, whatever it says of the script or of the client. A client that hangs up says nothing of
    the runtime, and neither does one that got no connection.

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
            listeners=[_Listener(self._became)],
            name=name,
            throw_new_error_on_trip=False,
        )
        self._changed = changed
        self._closed = True
        self._failed_last = self._on_trial = False
        changed(None, self._breaker.current_state)

    def forget(self) -> None:
        """It is needed no more."""
        self._changed(self._breaker.current_state, None)

    def call(self, send: Callable[..., Answer], *request: object) -> Answer:
        """What `send` gives for one request.

        While all goes well pybreaker does not hear of it: it would cost more than the request's way to the kernel.

        Raises:
            CircuitOpen: it must not be sent.
        """
        if not self._closed:
            return self._try(send, *request)
        try:
            answer = send(*request)
        except RequestFailed:
            self._ended(well=False)
            raise
        if self._failed_last:
            self._ended(well=True)
        return answer

    def _try(self, send: Callable[..., Answer], *request: object) -> Answer:
        """One request at a time, after the pause. One that its client cut short has not succeeded, either."""
        if self._on_trial:
            raise CircuitOpen(f"{self._breaker.name} is being tried")
        self._on_trial = True
        try:
            # Not `call`, which would hold pybreaker's lock until the answer has come.
            with self._breaker.calling():
                return send(*request)
        except pybreaker.CircuitBreakerError as error:
            raise CircuitOpen(f"{self._breaker.name} has failed too often") from error
        finally:
            self._on_trial = False

    def _ended(self, *, well: bool) -> None:
        if self._closed:  # else it has been opened since, and a trial decides
            self._failed_last = not well
            with suppress(RequestFailed):
                self._breaker.call(_succeed if well else _fail)

    def _became(self, before: str | None, after: str) -> None:
        self._closed = after == pybreaker.STATE_CLOSED
        log.warning("the circuit of %s is %s", self._breaker.name, after)
        self._changed(before, after)


def _succeed() -> None:
    """How a request ended, as pybreaker takes it: a call that returns."""


def _fail() -> None:
    raise RequestFailed


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, became: Callable[[str | None, str], object]) -> None:
        self._became = became

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        if old_state is None or old_state.name != new_state.name:
            self._became(old_state.name if old_state else None, new_state.name)
