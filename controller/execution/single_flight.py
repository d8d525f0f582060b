"""SingleFlight: those who ask for the same at once get it from one run, over all processes.

Each run has a greenlet of its own, its flight, and requests wait for it. In one process they find each other here;
others learn through the cache who runs, and wait there for the outcome. A flight ends with the last request that
waits for it. What a runner that died leaves behind holds until the deadline of its run, then the next one runs.

A request that wants no kept result runs for itself: a twin that began before it came may have seen an older world.
"""

import logging
from collections.abc import Callable
from contextvars import copy_context
from typing import Literal

import gevent
from msgspec import Struct

from controller.cache.backend import Attempt, Begun, Verdict
from controller.cache.manager import CacheManager
from controller.errors import ServiceError
from controller.limits.rate_limit import Admission
from controller.models.calls import ExecuteCall
from controller.models.outcome import Outcome, Run
from controller.models.registered import LanguageTitle, Session
from controller.registry.sessions import SessionManager

log = logging.getLogger(__name__)

Watch = Callable[[Callable[[], object]], object]
"""Takes what to call when the client hangs up."""


class Execution(Struct, frozen=True):
    """One execution's end. `counted`: by the cache; what it did not count, PostgreSQL counts apart."""

    session: Session
    outcome: Outcome
    source: Literal["hit", "twin", "run"]
    """Where it came from: the cache, another execution's run, its own."""
    counted: bool

    @property
    def name(self) -> LanguageTitle:
        return self.session.name

    @property
    def cached(self) -> bool:
        return self.source != "run" and self.outcome.succeeded


class Landing(Struct, frozen=True):
    """A flight's end, and the state of its leader's session before, as the cache knew it."""

    outcome: Outcome
    state: str | None = None


class Flight:
    """A run, or the wait for another process's.

    Args:
        work: gives the outcome; None: try again.
        abandon: called when nobody waits any more; returns whether the work may end.
    """

    def __init__(self, work: "Callable[[Flight], Landing | None]", abandon: Callable[[], bool]) -> None:
        self._abandon = abandon
        self._waiting = 0
        self.led = True
        """Whether the request that began it still waits."""
        self._greenlet = gevent.spawn(copy_context().run, work, self)

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._greenlet.ready()

    def wait(self, watch: Watch, *, leads: bool) -> Landing | None:
        """The work's end. The caller's greenlet may be killed meanwhile, and is when its client hangs up."""
        self._waiting += 1
        served = gevent.getcurrent()
        watch(lambda: gevent.kill(served))
        try:
            landing = self._greenlet.get()
        finally:
            self._waiting -= 1
            self.led = self.led and not leads
            self._end_unless_awaited()
        return landing if isinstance(landing, Landing) else None

    def _end_unless_awaited(self) -> None:
        if self.over or self._waiting or not self._abandon():
            return
        if not self._waiting:
            self._greenlet.kill(block=False)


class SingleFlight:
    """Executes a session's script, or takes part in an execution that is under way.

    Args:
        claim_ms: how much longer than the script's deadline a run may take in all.
    """

    def __init__(self, cache: CacheManager, sessions: SessionManager, claim_ms: int) -> None:
        self._cache = cache
        self._sessions = sessions
        self._claim_ms = claim_ms
        self._flights: dict[str, Flight] = {}
        self._beginning: set[str] = set()

    def claim_ms(self, session: Session) -> int:
        """How long a run of the session can take at most."""
        return session.timeout_ms + self._claim_ms

    def execute(
        self, session: Session, call: ExecuteCall, admission: Admission, watch: Watch, run: Callable[[], Run]
    ) -> Execution:
        """A kept outcome, a twin's, or that of `run`.

        Raises:
            RateLimited: `admission` is refused.
            NotFound: the session has ended meanwhile.
            StoreUnavailable: whether it has, nobody can say now.
        """
        attempt = self._cache.attempt(
            session, call.params, reuse=call.directives.reuse, claim_ms=self.claim_ms(session)
        )
        orphan: bytes | None = None
        while True:
            begun, known = self._begin(session, attempt, admission)
            if begun.verdict is Verdict.HIT and begun.value is not None:
                landing = Landing(Outcome.from_json(begun.value), "active" if known else None)
                return self._landed(session, landing, "hit")
            leads, flight = self._board(begun, attempt, call, run, orphan)
            if flight is None:
                orphan = begun.value
                gevent.sleep(0)
                continue
            landed = flight.wait(watch, leads=leads)
            if landed is None:
                continue
            if leads:
                return self._landed(session, landed, "run")
            return self._landed(session, self._attended(attempt, landed), "twin")

    def _begin(self, session: Session, attempt: Attempt, admission: Admission) -> tuple[Begun, bool]:
        """What the cache says, and whether it knows the session."""
        self._beginning.add(attempt.token)
        try:
            # A session that the cache has lost is put back by `confirm`; the last time its word has to do.
            for alive in (False, False, True):
                begun = self._cache.begin(attempt, admission.window, alive=alive)
                admission.settle(begun.quota)
                if begun.verdict in (Verdict.AWAY, Verdict.SESSION):
                    self._sessions.confirm(session, None if begun.value is None else begun.value.decode())
                if begun.verdict is not Verdict.SESSION:
                    break
            return begun, not alive and begun.verdict is not Verdict.AWAY
        finally:
            self._beginning.discard(attempt.token)

    def _board(
        self, begun: Begun, attempt: Attempt, call: ExecuteCall, run: Callable[[], Run], orphan: bytes | None
    ) -> tuple[bool, Flight | None]:
        """The flight to wait for, and whether this request leads it; None: ask again in a moment."""
        if not attempt.reuse:
            return True, self._lead(attempt, call, run, registered=False)
        present = self._flights.get(attempt.flight)
        if present is not None and not present.over and begun.verdict is not Verdict.LEAD:
            return False, present
        if begun.verdict is not Verdict.TWIN or begun.value is None:
            return True, self._lead(attempt, call, run, registered=True)
        token = begun.value.decode()
        if not attempt.of_own_process(token):
            return False, self._follow(attempt, token, begun.wait_ms)
        if begun.value == orphan and token not in self._beginning:
            # Its end did not reach the store, or was cut off: nobody of this process runs it any more.
            return True, self._lead(attempt, call, run, registered=True)
        return False, None

    def _lead(
        self, attempt: Attempt, call: ExecuteCall, run: Callable[[], Run], *, registered: bool
    ) -> Flight:
        def work(flight: Flight) -> Landing:
            try:
                outcome = _outcome(run)
                max_age = call.directives.max_age
                state = self._cache.finish(attempt, outcome, max_age=max_age, counts=flight.led)
                return Landing(outcome, state)
            finally:
                self._leave(attempt, flight)

        return self._fly(attempt, Flight(work, lambda: self._cache.abandon(attempt)), registered=registered)

    def _follow(self, attempt: Attempt, token: str, wait_ms: int) -> Flight:
        def work(flight: Flight) -> Landing | None:
            try:
                outcome = self._cache.outcome(token, wait_ms)
                return None if outcome is None else Landing(outcome)
            finally:
                self._leave(attempt, flight)

        return self._fly(attempt, Flight(work, lambda: True), registered=True)

    def _fly(self, attempt: Attempt, flight: Flight, *, registered: bool) -> Flight:
        if registered:
            self._flights[attempt.flight] = flight
        return flight

    def _leave(self, attempt: Attempt, flight: Flight) -> None:
        if self._flights.get(attempt.flight) is flight:
            del self._flights[attempt.flight]

    def _attended(self, attempt: Attempt, landing: Landing) -> Landing:
        """A twin's outcome as one's own, and counted."""
        outcome = landing.outcome.shared()
        state = self._cache.finish(attempt, outcome, shared=True) if outcome.executed else None
        return Landing(outcome, state)

    def _landed(self, session: Session, landing: Landing, source: Literal["hit", "twin", "run"]) -> Execution:
        if landing.outcome.succeeded and not session.retain_session:
            self._sessions.close(session, landing.state, shared=source == "twin")
        return Execution(session, landing.outcome, source, counted=landing.state is not None)


def _outcome(run: Callable[[], Run]) -> Outcome:
    try:
        return Outcome(run())
    except ServiceError as error:
        return Outcome(error)
    except Exception as error:
        log.exception("an internal error")
        failure = ServiceError("an internal error")
        failure.__cause__ = error
        return Outcome(failure)
