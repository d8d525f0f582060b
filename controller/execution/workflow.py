"""WorkflowManager: the steps of initialize and execute, in order (specification 4.3)."""

from collections.abc import Callable
from dataclasses import replace

from msgspec import UNSET

from controller.auth.authenticator import require_execute, require_write
from controller.cache.backend import BeginReply, BeginStatus, ExecutionKeys
from controller.call import Call
from controller.declarations.declared import Declared
from controller.errors import NotFound, SessionEnded, StoreUnavailable
from controller.execution.idempotency import IdempotencyKeys, Replay
from controller.execution.named_sessions import NamedSessions
from controller.execution.new_sessions import SessionBounds, session_of_request
from controller.execution.runner import EnvironmentUse, ScriptRunner
from controller.execution.script_packages import Pinned, ScriptPackages
from controller.execution.single_flight import FlightResult, SingleFlight, Watch
from controller.json_schema.checks import check_params
from controller.limits.quotas import Quotas
from controller.limits.rate_limit import Admission
from controller.models.outcome import Outcome
from controller.models.registered import FunctionRef, Identity, LanguageTitle, Session, rfc3339
from controller.models.requests import CallByName, ExecuteRequest, InitializeRequest, PackagesAsked
from controller.models.responses import ExecuteAnswer, InitializeAnswer
from controller.registry.functions import FunctionCatalog, Registered
from controller.registry.references import Asker
from controller.registry.sessions import SessionManager
from controller.registry.writes import initialization_writes

#: Source of a result to its name in metrics and logs. The request's own run is a miss, or a refresh if asked for.
LOOKUPS = {"hit": "hit", "follower": "coalesced"}


class WorkflowManager:
    """Initializes sessions and executes their scripts.

    Args:
        sessions: creates, finds and ends sessions.
        functions: finds registered functions.
        named: finds the sessions behind executions by name.
        quotas: bound what one user may have.
        runner: prepares scripts, and knows which languages have a runtime.
        packages: finds and installs the packages of scripts.
        flights: runs scripts, and shares runs.
        idempotency: answers repeated requests.
        bounds: the limits of every session.
    """

    def __init__(
        self,
        *,
        sessions: SessionManager,
        functions: FunctionCatalog,
        named: NamedSessions,
        quotas: Quotas,
        runner: ScriptRunner,
        packages: ScriptPackages,
        flights: SingleFlight,
        idempotency: IdempotencyKeys,
        bounds: SessionBounds,
    ) -> None:
        self._sessions = sessions
        self._functions = functions
        self._named = named
        self._quotas = quotas
        self._runner = runner
        self._packages = packages
        self._flights = flights
        self._idempotency = idempotency
        self._bounds = bounds

    def initialize(self, call: Call, identity: Identity, request: InitializeRequest) -> InitializeAnswer:
        """Begin a session with the script of the request, which is registered, or with a registered one.

        Raises:
            ServiceError: one of its subclasses, see the contract.
        """
        call.name = request.name
        call.payload = {"context": request.context, "script_given": request.script is not None}
        route = self._runner.route(request.name)
        call.language = route.language
        function = self._function(call, identity, request)
        require_execute(identity, request.name.language)
        registers = request.script is not None
        if registers and not identity.anonymous:
            require_write(identity, request.name.language)
        self._quotas.check(identity.subject, request.name, registers=registers)
        call.script_hash = function.script.hash
        until = self._packages.deadline()
        if registers:
            function = self._with_packages(call, route.language, request.packages, function, until)
        use = EnvironmentUse(function.environment, until)
        prepared = self._runner.prepare(
            route, request.name, function.script, request.compile_options, call, use
        )
        session = session_of_request(identity.subject, request, function, prepared, self._bounds)
        call.session_id = session.request_id
        writes = initialization_writes(
            session, function.script, prepared.artifact, registers=registers, packages=function.packages
        )
        self._sessions.create(session, writes)
        if registers:
            self._functions.forget(session.name, session.user_id)
        if registers and function.replaces is not None:
            self._flights.drop_results(session, function.replaces)
        return _initialized(session, prepared.artifact_cached)

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
                result = self._flights.join(execution, reply, orphan)
                orphan = reply.value
        call.counted_in_redis = result.state is not None
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
        reply = self._flights.begin(keys, admission.window, alive=alive)
        admission.charge(reply.quota)
        if reply.status in (BeginStatus.AWAY, BeginStatus.SESSION):
            self._sessions.confirm(session, None if reply.value is None else reply.value.decode())
        return reply

    def _with_packages(
        self, call: Call, language: str, asked: PackagesAsked, function: Registered, until: float
    ) -> Registered:
        """Return what a new script is registered with, its packages installed."""
        wanted = self._packages.wanted(language, function.script.content, asked, function.packages)
        # Without the field, the environment was that of the script before.
        newest = Pinned(
            Declared(tuple(function.packages)), function.environment if function.packages else None
        )
        environment = self._packages.environment(call, language, wanted.declared, asked, newest, until)
        return replace(function, packages=wanted.field, environment=environment)

    def _function(self, call: Call, identity: Identity, request: InitializeRequest) -> Registered:
        if request.script is not None:
            try:
                return self._functions.replaced(request.name, identity.subject, request.script)
            except StoreUnavailable:
                return Registered(request.script)
        ref, user = FunctionRef(request.name, request.selector), identity.subject
        return self._functions.registered(ref, user, Asker(user, call.ids.http_request_id))


def _initialized(session: Session, artifact_cached: bool | None) -> InitializeAnswer:
    """Return the response to initialize. `artifact_cached` is None for a language without artifacts."""
    return InitializeAnswer(
        session.request_id,
        "initialized",
        rfc3339(session.expires_at),
        compile_status=session.compile_status or UNSET,
        artifact_cached=UNSET if artifact_cached is None else artifact_cached,
    )


def _answer(
    call: Call, request: ExecuteRequest, name: LanguageTitle, ended: FlightResult | Replay
) -> ExecuteAnswer:
    """Return the response to an execution that has ended, or raise its error."""
    call.cached = ended.cached
    call.run = run = ended.outcome.answer()
    session_id, version = request.request_id, request.version
    if isinstance(ended, Replay) and ended.session_id is not None:
        session_id, version = ended.session_id, ended.version
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
