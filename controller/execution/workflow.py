"""WorkflowManager: the one place that orders what happens in a call (specification 4.3)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from controller.auth.authenticator import require_execute
from controller.cache.manager import CacheManager
from controller.call_log import CallLog
from controller.errors import NotFound, RuntimeUnavailable, StoreUnavailable
from controller.execution.idempotency import IdempotencyKeys, Replay
from controller.execution.params_schema import check_params
from controller.execution.single_flight import Execution, SingleFlight, Watch
from controller.limits.quotas import Quotas
from controller.limits.rate_limit import Admission
from controller.models.calls import ExecuteCall, InitializeCall
from controller.models.outcome import Answer, Run
from controller.models.registered import ArtifactKey, Identity, Script, Session, canonical, now
from controller.observability.metrics import MetricsCollector
from controller.registry.functions import FunctionCatalog, Registered
from controller.registry.scripts import ScriptStore
from controller.registry.sessions import SessionManager
from controller.registry.writes import initialization_records
from controller.request_log.writes import Entry
from controller.runtimes.client import Prepared, RuntimeClient
from controller.runtimes.responses import ScriptNeeded
from controller.runtimes.selector import Route, RuntimeSelector
from telemetry.tracing import UNTRACED, Tracer

PREPARE_DEADLINE_MS = 60_000
"""How long we wait for a script to be parsed or compiled; runtimes have limits of their own."""
LOOKUPS = {"hit": "hit", "twin": "coalesced"}
"""What the metrics call the source of an answer that took no run."""


@dataclass(frozen=True, slots=True)
class Initialized:
    """A session that is ready, and how its artifact came about."""

    session: Session
    artifact_cached: bool | None


class WorkflowManager:
    """Initializes and executes.

    Args:
        session_ttl: seconds from a session's creation to its end.
        script_timeout_max: milliseconds; a session's deadline is clamped to it.
    """

    def __init__(
        self,
        *,
        sessions: SessionManager,
        scripts: ScriptStore,
        functions: FunctionCatalog,
        quotas: Quotas,
        selector: RuntimeSelector,
        runtimes: RuntimeClient,
        flights: SingleFlight,
        keys: IdempotencyKeys,
        cache: CacheManager,
        calls: CallLog,
        metrics: MetricsCollector,
        session_ttl: int,
        script_timeout_max: int,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._sessions = sessions
        self._scripts = scripts
        self._functions = functions
        self._quotas = quotas
        self._selector = selector
        self._runtimes = runtimes
        self._flights = flights
        self._keys = keys
        self._cache = cache
        self._calls = calls
        self._metrics = metrics
        self._session_ttl = session_ttl
        self._script_timeout_max = script_timeout_max
        self._tracer = tracer

    def initialize(self, identity: Identity, call: InitializeCall) -> Initialized:
        """Registers a script, or takes up a registered one, and begins a session with it."""
        entry = Entry("initialize", call.trace, identity.subject, call.name)
        entry.payload = {"context": call.context, "script_given": call.script is not None}
        with self._calls.logged(entry):
            route = self._selector.route(call.name)
            entry.language = route.language
            function = self._function(identity, call)
            script = function.script
            require_execute(identity, call.name.language)
            registers = call.script is not None
            self._quotas.check(identity.subject, call.name, registers=registers)
            entry.script_hash = script.hash
            prepared = self._prepare(route, script, identity, call, entry)
            session = self._session(identity, call, function, prepared)
            entry.session_id = session.request_id
            replaced = self._replaced(session) if registers else None
            self._sessions.create(
                session, initialization_records(session, script, prepared.artifact, registers=registers)
            )
            self._keep(session, script, prepared)
            if replaced is not None:
                self._cache.drop_results(session.user_id, session.name.language, replaced)
        return Initialized(session, prepared.artifact_cached)

    def execute(self, identity: Identity, call: ExecuteCall, admission: Admission, watch: Watch) -> Answer:
        """Answers with a kept result or a twin's, or runs the session's script.

        Args:
            admission: the request's place in its window; with the first trip to the store it is taken.
            watch: takes what to call when the client hangs up. A request with an idempotency key goes on.
        """
        entry = Entry("execute", call.trace, identity.subject, payload={"params": call.params_text})
        entry.session_id = call.request_id
        with self._calls.logged(entry):
            done = self._execute(identity, call, admission, watch, entry)
            entry.cached = done.cached
            entry.run = done.outcome.answer()
            return Answer(call.request_id, done.name, entry.run, entry.cached)

    def _execute(
        self, identity: Identity, call: ExecuteCall, admission: Admission, watch: Watch, entry: Entry
    ) -> Execution | Replay:
        if call.idempotency_key is not None or not self._sessions.remembers(call.request_id):
            admission.take()
        try:
            with self._tracer.step("session lookup"):
                session = self._sessions.get(call.request_id, identity.subject)
        except NotFound:
            # A key is answered even after its session has ended.
            if call.idempotency_key is None or (replay := self._keys.recall(identity, call)) is None:
                raise
            entry.name, entry.script_hash, entry.replayed = replay.name, replay.script_hash, True
            entry.language = replay.name.language
            require_execute(identity, replay.name.language)
            return replay
        entry.name, entry.script_hash = session.name, session.script_hash
        entry.language = session.name.language
        require_execute(identity, session.name.language)
        check_params(session.params_schema, call.params)
        if call.idempotency_key is None:
            return self._fly(session, call, admission, watch, entry)
        done = self._keys.once(
            identity,
            call,
            # It waits for a twin's run and for one of its own at most.
            2 * self._flights.claim_ms(session),
            lambda: self._fly(session, call, admission, _stay, entry),
        )
        entry.replayed = isinstance(done, Replay)
        return done

    def _fly(
        self, session: Session, call: ExecuteCall, admission: Admission, watch: Watch, entry: Entry
    ) -> Execution:
        run = partial(self._run, session, call, entry)
        execution = self._flights.execute(session, call, admission, watch, run)
        entry.counted = execution.counted
        entry.coalesced = execution.source == "twin"
        fresh = "miss" if call.directives.reuse else "refresh"
        entry.lookup = LOOKUPS.get(execution.source, fresh)
        self._metrics.cache_answered(entry.lookup)
        return execution

    def _run(self, session: Session, call: ExecuteCall, entry: Entry) -> Run:
        with self._calls.remote(entry):
            run = self._run_remotely(session, call)
        self._metrics.script_ran(session.name.language, run.execution_time)
        return run

    def _run_remotely(self, session: Session, call: ExecuteCall) -> Run:
        route = self._selector.route(session.name)
        try:
            return self._runtimes.run(route, session, call.params_text, call.trace)
        except ScriptNeeded:
            material = self._scripts.material(session)
        try:
            return self._runtimes.run(route, session, call.params_text, call.trace, material)
        except ScriptNeeded as error:
            raise RuntimeUnavailable("the runtime did not take the script") from error

    def _replaced(self, session: Session) -> str | None:
        """The hash of the script that the session's one takes the place of, if that can be told."""
        try:
            registered = self._functions.script_hash(session.name, session.user_id)
        except StoreUnavailable:
            return None
        return None if registered == session.script_hash else registered

    def _function(self, identity: Identity, call: InitializeCall) -> Registered:
        if call.script is not None:
            return Registered(call.script)
        return self._functions.registered(call.name, identity.subject)

    def _prepare(
        self, route: Route, script: Script, identity: Identity, call: InitializeCall, entry: Entry
    ) -> Prepared:
        """Parses or compiles the script, unless an artifact proves that this was done before."""
        key = ArtifactKey(script.hash, call.name.language, canonical(call.compile_options))
        if self._scripts.artifact(key) is not None:
            prepared = Prepared(artifact_cached=True)
        else:
            with self._calls.remote(entry):
                prepared = self._runtimes.prepare(
                    route,
                    call.name,
                    script,
                    tenant=identity.subject,
                    compile_options=call.compile_options,
                    deadline_ms=PREPARE_DEADLINE_MS,
                    trace=call.trace,
                )
        if prepared.artifact_cached is not None:
            self._metrics.artifact_made(call.name.language, prepared.artifact_cached)
        return prepared

    def _session(
        self, identity: Identity, call: InitializeCall, function: Registered, prepared: Prepared
    ) -> Session:
        created_at = now()
        return Session(
            request_id=str(uuid.uuid4()),
            user_id=identity.subject,
            name=call.name,
            script_hash=function.script.hash,
            params_schema=function.params_schema,
            compile_options=call.compile_options,
            context=call.context,
            isolation=call.isolation,
            timeout_ms=min(call.timeout_ms, self._script_timeout_max),
            retain_session=call.retain_session,
            compile_status=None if prepared.artifact_cached is None else "compiled",
            created_at=created_at,
            expires_at=created_at + timedelta(seconds=self._session_ttl),
        )

    def _keep(self, session: Session, script: Script, prepared: Prepared) -> None:
        """A runtime that starts anew will ask for these: have them at hand."""
        self._cache.put_script(script.hash, script.content)
        if prepared.artifact is not None:
            self._cache.put_artifact(session.artifact_key, prepared.artifact)


def _stay(_: Callable[[], object]) -> None:
    """A watch for those who see their run through, whether their client hangs up or not."""
