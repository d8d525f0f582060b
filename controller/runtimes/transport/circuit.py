"""Circuit: the circuit breaker of one address, by pybreaker. It allows one trial at a time."""

import logging
from collections.abc import Callable
from contextlib import suppress

import pybreaker

from controller.runtimes.transport.failures import CircuitOpen, RequestFailed
from controller.runtimes.transport.messages import Answer

log = logging.getLogger(__name__)

Changed = Callable[[str | None, str | None], object]


class Circuit:
    """Counts an address's consecutive failures. When there are too many it refuses requests, then allows one trial.

    Every answer counts as a success, even an error of the script or of the client. A client that hangs up, or gets no
    connection, counts as neither.

    Args:
        name: the name in the log.
        failures: consecutive failures that open the circuit.
        pause: seconds until a trial.
        changed: called with the old and the new state on each change.
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
        """Report the end of the circuit."""
        self._changed(self._breaker.current_state, None)

    def call(self, send: Callable[..., Answer], *request: object) -> Answer:
        """Send a request and return its answer.

        Successes in a row are not reported to pybreaker, since that costs more than sending the request.

        Raises:
            CircuitOpen: the request was not sent.
        """
        if not self._closed:
            return self._try(send, *request)
        try:
            answer = send(*request)
        except RequestFailed as error:
            if error.counts:
                self._ended(well=False)
            raise
        if self._failed_last:
            self._ended(well=True)
        return answer

    def _try(self, send: Callable[..., Answer], *request: object) -> Answer:
        """Send a trial, one at a time, after the pause. A trial that its client ends is not a success."""
        if self._on_trial:
            raise CircuitOpen(f"{self._breaker.name} is being tried")
        self._on_trial = True
        try:
            # Not `call`, which would hold pybreaker's lock until the answer comes.
            with self._breaker.calling():
                return send(*request)
        except pybreaker.CircuitBreakerError as error:
            raise CircuitOpen(f"{self._breaker.name} has failed too often") from error
        finally:
            self._on_trial = False

    def _ended(self, *, well: bool) -> None:
        if self._closed:  # else the circuit has opened since, and a trial decides
            self._failed_last = not well
            with suppress(RequestFailed):
                self._breaker.call(_succeed if well else _fail)

    def _became(self, before: str | None, after: str) -> None:
        self._closed = after == pybreaker.STATE_CLOSED
        log.warning("the circuit of %s is %s", self._breaker.name, after)
        self._changed(before, after)


def _succeed() -> None:
    """Report a success to pybreaker: a call that returns."""


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
