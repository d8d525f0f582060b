"""WorkflowManager: the steps of initialize and execute, in order (specification 4.3)."""

from collections.abc import Callable

from msgspec import UNSET

from controller.auth.authenticator import require_execute
from controller.cache.backend import BeginReply, BeginStatus, ExecutionKeys
from controller.call import Call
from controller.errors import NotFound, SessionEnded
from controller.execution.flights import Watch
from controller.execution.idempotency import IdempotencyKeys, Replay
from controller.execution.initialization import SessionInitializer
from controller.execution.named_sessions import NamedSessions
from controller.execution.single_flight import SingleFlight
from controller.json_schema.checks import check_params
from controller.limits.rate_limit import Admission
from controller.models.outcome import FlightResult, Outcome
from controller.models.registered import Identity, LanguageTitle, Session
from controller.models.requests import CallByName, ExecuteRequest, InitializeRequest
from controller.models.responses import ExecuteAnswer, InitializeAnswer
from controller.registry.sessions import SessionManager

#: Source of a result to its name in metrics and logs. The request's own run is a miss, or a refresh if asked for.
LOOKUPS = {"hit": "hit", "follower": "coalesced"}


class WorkflowManager:
    """Initializes sessions and executes their scripts.

    Args:
        initializer: begins sessions.
        sessions: finds and ends sessions.
        named: finds the sessions behind executions by name.
        flights: runs scripts, and shares runs.
        idempotency: answers repeated requests.
    """

    def __init__(
        self,
        *,
        initializer: SessionInitializer,
        sessions: SessionManager,
        named: NamedSessions,
        flights: SingleFlight,
        idempotency: IdempotencyKeys,
    ) -> None:
        self._initializer = initializer
        self._sessions = sessions
        self._named = named
        self._flights = flights
        self._idempotency = idempotency

    def initialize(self, call: Call, identity: Identity, request: InitializeRequest) -> InitializeAnswer:
        """Begin a session with the script of the request, which is registered, or with a registered one.

        Raises:
            ServiceError: one of its subclasses, see the contract.
        """
        return self._initializer.initialize(call, identity, request)

    def execute(
        self, call: Call, identity: Identity, request: ExecuteRequest, admission: Admission, watch: Watch
    ) -> ExecuteAnswer:
        """Answer with a cached result, join another request's run, or run the session's script.

        Args:
            call: the record of the request.
            identity: the caller.
            request: what the client sent.
            admission: the request's slot in the rate limit. It is taken with the first trip to Redis.
            watch: registers a callback for a client that hangs up. A request with an idempotency key ignores it.

        Raises:
            ServiceError: one of its subclasses, see the contract.
        """
        call.payload = {"params": request.params_text}
        call.session_id = request.request_id
        if request.idempotency_key is not None or not self._sessions.remembers(request.request_id):
            admission.charge()
        try:
            session = self._sessions.get(request.request_id, identity.subject)
        except NotFound:
            # A repeated request is answered even after its session has ended.
            if request.idempotency_key is None:
                raise
            replay = self._idempotency.recall(identity, request)
            if replay is None:
                raise
            return self._replayed(call, identity, request, replay)
        call.name, call.script_hash, call.language = session.name, session.script_hash, session.name.language
        require_execute(identity, session.name.language)
        return self._ended(call, identity, session, request, admission, watch)

    def execute_by_name(
        self,
        call: Call,
        identity: Identity,
        request: ExecuteRequest,
        named: CallByName,
        admission: Admission,
        watch: Watch,
    ) -> ExecuteAnswer:
        """Execute a version of a function, in the session behind it. Arguments and errors as `execute` has them.

        Args:
            call: the record of the request.
            identity: the caller.
            request: what the client sent.
            named: what it says beyond an execution by id.
            admission: the request's slot in the rate limit.
            watch: registers a callback for a client that hangs up.
        """
        context = {"context": named.context} if named.context else {}
        call.payload = {"params": request.params_text, **context}
        if request.idempotency_key is not None:
            admission.charge()
        while True:
            session, asked = self._named.resolve(call, identity, request, named, admission)
            call.version = asked.version
            try:
                return self._ended(call, identity, session, asked, admission, watch)
            except SessionEnded:
                # It was deleted: the next turn begins its successor.
                self._named.forget(session)

    def _ended(
        self,
        call: Call,
        identity: Identity,
        session: Session,
        request: ExecuteRequest,
        admission: Admission,
        watch: Watch,
    ) -> ExecuteAnswer:
        """Check the params, execute the request in its session, and return the response."""
        if session.params_schema is not None:
            check_params(session.params_schema, request.params)
        if request.idempotency_key is None:
            result = self._fly(call, session, request, admission, watch)
            return _answer(call, request, session.name, result)
        done = self._idempotency.once(
            identity,
            request,
            session,
            # At most, it waits for another request's run and then makes its own.
            2 * self._flights.lease_ms(session),
            lambda: self._fly(call, session, request, admission, _stay),
        )
        call.replayed = isinstance(done, Replay)
        return _answer(call, request, session.name, done)

    def _replayed(
        self, call: Call, identity: Identity, request: ExecuteRequest, replay: Replay
    ) -> ExecuteAnswer:
        call.name, call.script_hash, call.replayed = replay.name, replay.script_hash, True
        call.language = replay.name.language
        require_execute(identity, replay.name.language)
        return _answer(call, request, replay.name, replay)

    def _fly(
        self, call: Call, session: Session, request: ExecuteRequest, admission: Admission, watch: Watch
    ) -> FlightResult:
        execution = self._flights.execution(session, request, call, watch)
        orphan: bytes | None = None
        result: FlightResult | None = None
        while result is None:
            reply, known = self._begin(session, execution.keys, admission)
            if reply.status is BeginStatus.HIT and reply.value is not None:
                result = FlightResult(Outcome.from_json(reply.value), "hit", "active" if known else None)
            else:
                result = self._flights.join(execution, reply, orphan, known=known)
                orphan = reply.value
        if result.state is None:
            call.counted_in_redis = False
        call.lookup = LOOKUPS.get(result.source, "miss" if request.directives.reuse else "refresh")
        if result.outcome.succeeded and not session.retain_session:
            self._sessions.close(session, result.state, shared=result.source == "follower")
        return result

    def _begin(self, session: Session, keys: ExecutionKeys, admission: Admission) -> tuple[BeginReply, bool]:
        """Make the first trip to Redis. Return its reply, and whether Redis knows the session.

        Raises:
            RateLimited: no slot is free.
            NotFound: the session has ended.
        """
        reply = self._begin_once(session, keys, admission, alive=False)
        if reply.status is BeginStatus.SESSION:
            # Redis has lost the session, and `confirm` has put it back.
            reply = self._begin_once(session, keys, admission, alive=False)
        if reply.status is not BeginStatus.SESSION:
            return reply, reply.status is not BeginStatus.AWAY
        return self._begin_once(session, keys, admission, alive=True), False

    def _begin_once(
        self, session: Session, keys: ExecutionKeys, admission: Admission, *, alive: bool
    ) -> BeginReply:
        reply = self._flights.begin(session, keys, admission.window, alive=alive)
        admission.charge(reply.quota)
        if reply.status in (BeginStatus.AWAY, BeginStatus.SESSION):
            self._sessions.confirm(session, None if reply.value is None else reply.value.decode())
        return reply


def _answer(
    call: Call, request: ExecuteRequest, name: LanguageTitle, ended: FlightResult | Replay
) -> ExecuteAnswer:
    """Return the response to an execution that has ended, or raise its error."""
    session_id, version = request.request_id, request.version
    if isinstance(ended, Replay) and ended.session_id is not None:
        session_id, version = ended.session_id, ended.version
    call.cached, call.version = ended.cached, version
    call.run = run = ended.outcome.answer()
    return ExecuteAnswer(
        session_id,
        str(name),
        run.execution_time,
        ended.cached,
        run.result,
        run.stdout or UNSET,
        run.stderr or UNSET,
        version or UNSET,
    )


def _stay(_: Callable[[], object]) -> None:
    """Ignore the callback: the run goes on when the client hangs up."""
