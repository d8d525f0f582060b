"""WorkflowManager: the one place that orders what happens in a call (specification 4.3)."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import gevent

from controller.auth import require_execute
from controller.cache.manager import CacheManager
from controller.database.logger import DatabaseLogger
from controller.database.records import (
    Entry,
    Record,
    artifact_records,
    function_records,
    script_records,
    session_records,
)
from controller.errors import ClientGone, DeadlinePassed, RuntimeUnavailable, ScriptFailed, ServiceError
from controller.functions import FunctionCatalog, Registered
from controller.metrics import MetricsCollector
from controller.models import Answer, ArtifactKey, Identity, Run, Script, Session, canonical, now
from controller.params import check_params
from controller.quotas import Quotas
from controller.request import ExecuteCall, InitializeCall
from controller.runtime import Prepared, RuntimeClient, ScriptNeeded
from controller.scripts import ScriptStore
from controller.selector import RuntimeSelector
from controller.session import SessionManager

log = logging.getLogger(__name__)

PREPARE_DEADLINE_MS = 60_000
"""How long we wait for a script to be parsed or compiled; runtimes have limits of their own."""


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
        cache: CacheManager,
        logger: DatabaseLogger,
        metrics: MetricsCollector,
        session_ttl: int,
        script_timeout_max: int,
    ) -> None:
        self._sessions = sessions
        self._scripts = scripts
        self._functions = functions
        self._quotas = quotas
        self._selector = selector
        self._runtimes = runtimes
        self._cache = cache
        self._logger = logger
        self._metrics = metrics
        self._session_ttl = session_ttl
        self._script_timeout_max = script_timeout_max

    def initialize(self, identity: Identity, call: InitializeCall) -> Initialized:
        """Registers a script, or takes up a registered one, and begins a session with it."""
        entry = Entry("initialize", call.trace, identity.subject, call.name)
        entry.payload = {"context": call.context, "script_given": call.script is not None}
        with self._logged(entry):
            address = self._selector.address(call.name)
            function = self._function(identity, call)
            script = function.script
            require_execute(identity, call.name.language)
            self._quotas.check(identity.subject, call.name, registers=call.script is not None)
            entry.script_hash = script.hash
            prepared = self._prepare(address, script, identity, call)
            session = self._session(identity, call, function, prepared)
            entry.session_id = session.request_id
            self._sessions.create(session, _rows(session, call, script, prepared))
            self._keep(session, script, prepared)
        return Initialized(session, prepared.artifact_cached)

    def execute(self, identity: Identity, call: ExecuteCall) -> Answer:
        """Answers with a kept result, or runs the session's script."""
        entry = Entry("execute", call.trace, identity.subject, payload={"params": call.params})
        entry.session_id = call.request_id
        with self._logged(entry):
            session = self._sessions.get(call.request_id, identity.subject)
            entry.name, entry.script_hash = session.name, session.script_hash
            require_execute(identity, session.name.language)
            check_params(session.params_schema, call.params)
            result_key = self._cache.result_key(session, call.params)
            reuse = call.directives.reuse
            state, kept = self._cache.lookup(session, result_key if reuse else None)
            self._sessions.confirm(session, state)
            self._metrics.cache_answered("hit" if kept else "miss" if reuse else "refresh")
            entry.cached = kept is not None
            entry.run = kept or self._run_and_keep(session, call, result_key)
            if not session.retain_session:
                self._sessions.end(session, "closed")
        return Answer(session, entry.run, entry.cached)

    def _run_and_keep(self, session: Session, call: ExecuteCall, result_key: str) -> Run:
        try:
            run = self._run(session, call)
        except (ScriptFailed, DeadlinePassed):
            self._cache.finish(session, result_key, None, None)
            raise
        self._cache.finish(session, result_key, run, call.directives.max_age)
        self._metrics.script_ran(session.name.language, run.execution_time)
        return run

    def _run(self, session: Session, call: ExecuteCall) -> Run:
        address = self._selector.address(session.name)
        try:
            return self._runtimes.run(address, session, call.params, call.trace)
        except ScriptNeeded:
            material = self._scripts.material(session)
        try:
            return self._runtimes.run(address, session, call.params, call.trace, material)
        except ScriptNeeded as error:
            raise RuntimeUnavailable("the runtime did not take the script") from error

    def _function(self, identity: Identity, call: InitializeCall) -> Registered:
        if call.script is not None:
            return Registered(call.script)
        return self._functions.registered(call.name, identity.subject)

    def _prepare(self, address: str, script: Script, identity: Identity, call: InitializeCall) -> Prepared:
        """Parses or compiles the script, unless an artifact proves that this was done before."""
        key = ArtifactKey(script.hash, call.name.language, canonical(call.compile_options))
        if self._scripts.artifact(key) is not None:
            prepared = Prepared(artifact_cached=True)
        else:
            prepared = self._runtimes.prepare(
                address,
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

    @contextmanager
    def _logged(self, entry: Entry) -> Iterator[None]:
        """Writes the call's rows and counts it, however it ends."""
        started = perf_counter()
        try:
            yield
        except gevent.GreenletExit:
            entry.error = ClientGone("the client hung up")
            raise
        except ServiceError as error:
            entry.error = error
            if entry.script_hash is not None and entry.endpoint == "execute":
                error.request_id = entry.session_id
            raise
        except Exception:
            entry.error = ServiceError("an internal error")
            raise
        finally:
            entry.duration_ms = (perf_counter() - started) * 1000
            entry.executed = entry.run is not None or isinstance(entry.error, ScriptFailed | DeadlinePassed)
            self._logger.record(*entry.records())
            if entry.endpoint == "execute" and entry.name is not None:
                self._metrics.execution_answered(entry.name.language, _outcome(entry.error))


def _rows(session: Session, call: InitializeCall, script: Script, prepared: Prepared) -> list[Record]:
    """A session's rows, those that others refer to first."""
    rows = script_records(script)
    if prepared.artifact is not None:
        rows += artifact_records(session.artifact_key, prepared.artifact)
    if call.script is not None:
        rows += function_records(session)
    return rows + session_records(session)


def _outcome(error: ServiceError | None) -> str:
    return "ok" if error is None else error.code.lower()
