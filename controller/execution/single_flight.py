"""SingleFlight: equal requests at the same time share one run, across all processes.

The leader is the request that runs the script; its followers wait for the result. Each run is a flight, which
requests of one process share here. A request of another process learns the leader's token from Redis and waits there
for the outcome. A flight is cancelled when no request waits for it any more. If a leader's
process dies, its lease ends with the deadline of its run, and the next request runs.

A request that refuses cached results always runs: a run that began earlier may have read older data.

A session that has met no equal executions claims no lease: only requests of its process follow its runs. An answer
leaves when the script has answered, before Redis learns of it. A session that ends with its first success, or a
request with an idempotency key, claims and waits.
"""

import logging
from functools import partial
from typing import NamedTuple

import gevent

from controller.cache.backend import BeginReply, BeginStatus, ExecutionKeys, Window
from controller.cache.manager import CacheManager
from controller.call import Call
from controller.errors import ServiceError
from controller.execution.flights import Flight, LedFlight, Watch
from controller.execution.kept_greenlets import KeptGreenlets
from controller.execution.runner import ScriptRunner
from controller.execution.twin_history import ALONE, TwinHistory
from controller.models.outcome import FlightResult, Outcome
from controller.models.registered import Session
from controller.models.requests import ExecuteRequest

log = logging.getLogger(__name__)

#: Greenlets that wait for the next flight.
KEPT = 64
AnyFlight = Flight | LedFlight


class Execution(NamedTuple):
    """One request's execution of its session's script.

    Attributes:
        keys: the keys in Redis, and the token of this execution.
    """

    keys: ExecutionKeys
    session: Session
    request: ExecuteRequest
    call: Call
    watch: Watch


class SingleFlight:
    """Runs a session's script, or joins an equal run that is under way.

    Args:
        cache: knows the leaders of other processes.
        runner: runs scripts.
        lease_ms: milliseconds that a run may take beyond the script's deadline.
    """

    def __init__(self, cache: CacheManager, runner: ScriptRunner, lease_ms: int) -> None:
        self._cache = cache
        self._runner = runner
        self._lease_ms = lease_ms
        self._greenlets = KeptGreenlets(KEPT)
        self._twins = TwinHistory()
        self._flights: dict[str, AnyFlight] = {}
        self._beginning: set[str] = set()

    def lease_ms(self, session: Session) -> int:
        """Return the longest time that a run of the session can take, in milliseconds."""
        return session.timeout_ms + self._lease_ms

    def execution(self, session: Session, request: ExecuteRequest, call: Call, watch: Watch) -> Execution:
        """Return the execution of a request, with its keys."""
        later = call if session.retain_session and request.idempotency_key is None else None
        keys = self._cache.execution_keys(
            session,
            request.params,
            reuse=request.directives.reuse,
            lease_ms=self.lease_ms(session),
            later=later,
            claims=later is None or self._twins.get(session.request_id, 0) < ALONE,
        )
        return Execution(keys, session, request, call, watch)

    def drop_results(self, session: Session, script_hash: str) -> None:
        """Drop the results of the script that the one of a new session replaces."""
        self._cache.drop_results(session.user_id, session.name.language, script_hash)

    def begin(
        self, session: Session, keys: ExecutionKeys, window: Window | None, *, alive: bool
    ) -> BeginReply:
        """Make the one trip to Redis at the start of an execution, see `CacheManager.begin`."""
        self._beginning.add(keys.token)
        try:
            reply = self._cache.begin(keys, window, alive=alive)
        finally:
            self._beginning.discard(keys.token)
        if reply.status is BeginStatus.HIT:
            self._twins.pop(session.request_id, None)
        return reply

    def join(
        self, execution: Execution, reply: BeginReply, orphan: bytes | None, *, known: bool
    ) -> FlightResult | None:
        """Join the run that Redis reported, or lead one.

        Args:
            execution: this request's execution.
            reply: the reply of `begin`.
            orphan: the leader's token that the last try found. A leader of this process that is found twice and
                has no flight here is gone.
            known: whether Redis knows the session.

        Returns:
            The result. None: begin again.
        """
        if not known:
            # Only its end tells whether it is counted.
            execution = execution._replace(keys=execution.keys._replace(later=None))
        leads, flight = self._join_or_lead(execution, reply, orphan)
        if flight is None:
            gevent.sleep(0)
            return None
        result = flight.wait(execution.watch, leads=leads)
        if leads or result is None:
            return result
        self._twins.pop(execution.session.request_id, None)
        return self._as_follower(execution.keys, result)

    def _join_or_lead(
        self, execution: Execution, reply: BeginReply, orphan: bytes | None
    ) -> tuple[bool, AnyFlight | None]:
        """Return whether this request leads, and the flight to wait for. None: begin again."""
        keys = execution.keys
        if not keys.reuse:
            return True, self._lead(execution, registered=False)
        present = self._flights.get(keys.flight)
        if present is not None and not present.over and not self._replaces(present, reply, keys):
            return False, present
        if reply.status is not BeginStatus.FOLLOWER or reply.value is None:
            return True, self._lead(execution, registered=True)
        token = reply.value.decode()
        if not keys.of_own_process(token):
            return False, self._follow(keys, token, reply.wait_ms)
        if reply.value == orphan and token not in self._beginning:
            # The end of that run did not reach Redis: no greenlet of this process runs it any more.
            return True, self._lead(execution, registered=True)
        return False, None

    def _replaces(self, present: AnyFlight, reply: BeginReply, keys: ExecutionKeys) -> bool:
        """Return whether an execution leads although its process has a flight: others may wait for its lease."""
        if reply.status is not BeginStatus.LEAD or not keys.claims:
            return False
        # If the flight had claimed a lease, that one has ended.
        return present.claims or not self._cache.abandon(keys)

    def _lead(self, execution: Execution, *, registered: bool) -> AnyFlight:
        keys = execution.keys

        def work(flight: AnyFlight) -> FlightResult:
            try:
                outcome = self._outcome(execution)
                max_age = execution.request.directives.max_age
                state = self._cache.finish(keys, outcome, max_age=max_age, counts=flight.led)
                self._remember(execution, flight)
                return FlightResult(outcome, "run", state)
            finally:
                self._leave(keys, flight)

        flight = (
            Flight(self._greenlets, work, partial(self._cache.abandon, keys))
            if keys.claims
            else LedFlight(work)
        )
        return self._started(keys, flight, registered=registered)

    def _remember(self, execution: Execution, flight: AnyFlight) -> None:
        if flight.joined:
            self._twins.pop(execution.session.request_id, None)
        elif execution.keys.reuse:
            self._twins.add(execution.session.request_id)

    def _follow(self, keys: ExecutionKeys, token: str, wait_ms: int) -> AnyFlight:
        def work(flight: AnyFlight) -> FlightResult | None:
            try:
                outcome = self._cache.outcome(token, wait_ms)
                return None if outcome is None else FlightResult(outcome, "follower")
            finally:
                self._leave(keys, flight)

        return self._started(keys, Flight(self._greenlets, work, lambda: True), registered=True)

    def _started(self, keys: ExecutionKeys, flight: AnyFlight, *, registered: bool) -> AnyFlight:
        if registered:
            self._flights[keys.flight] = flight
        return flight

    def _leave(self, keys: ExecutionKeys, flight: AnyFlight) -> None:
        if self._flights.get(keys.flight) is flight:
            del self._flights[keys.flight]

    def _as_follower(self, keys: ExecutionKeys, result: FlightResult) -> FlightResult:
        """Return another request's result as this request's, and count it for this request's session."""
        outcome = result.outcome.shared()
        state = self._cache.finish(keys, outcome, shared=True) if outcome.executed else None
        return FlightResult(outcome, "follower", state)

    def _outcome(self, execution: Execution) -> Outcome:
        try:
            return Outcome(self._runner.run(execution.session, execution.request, execution.call))
        except ServiceError as error:
            return Outcome(error)
        except Exception as error:
            log.exception("an internal error")
            failure = ServiceError("an internal error")
            failure.__cause__ = error
            return Outcome(failure)
