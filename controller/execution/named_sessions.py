"""NamedSessions: the sessions behind executions by name.

Each user has one for each version that they run. The id is made from user, version and time, so every process finds
the same session. A session that was deleted has a successor.
"""

import hashlib
import time
import uuid
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

import msgspec

from controller.auth.authenticator import require_function
from controller.call import Call
from controller.errors import InvalidRequest
from controller.execution.new_sessions import SessionBounds, session_of_version
from controller.execution.runner import EnvironmentUse, ScriptRunner
from controller.limits.rate_limit import Admission
from controller.models.registered import Identity, Script, Session, canonical
from controller.models.requests import CallByName, ExecuteRequest
from controller.models.stored import NewSession, StoredFunction
from controller.observability.metrics import MetricsCollector
from controller.registry.function_memory import KeyedLocks
from controller.registry.functions import FunctionCatalog, Use
from controller.registry.references import Asker
from controller.registry.scripts import ScriptStore
from controller.registry.sessions import SessionManager
from controller.registry.writes import initialization_writes

#: Of ids of sessions. A change makes new sessions of all.
NAMESPACE = uuid.UUID("6f1c7f2e-52f5-4c0e-9e37-6a1d4b7c9f10")
#: Sessions in memory.
REMEMBERED = 10_000


class SessionKey(NamedTuple):
    """A user and a version of a function."""

    user_id: str
    function_id: str
    version: int


class NamedSessions:
    """Finds the session behind an execution by name, or begins it.

    Args:
        functions: finds versions of functions.
        sessions: finds and creates sessions.
        scripts: reads scripts.
        runner: prepares scripts.
        metrics: counts the references.
        bounds: the limits of every session.
    """

    def __init__(
        self,
        *,
        functions: FunctionCatalog,
        sessions: SessionManager,
        scripts: ScriptStore,
        runner: ScriptRunner,
        metrics: MetricsCollector,
        bounds: SessionBounds,
    ) -> None:
        self._functions = functions
        self._sessions = sessions
        self._scripts = scripts
        self._runner = runner
        self._metrics = metrics
        self._bounds = bounds
        self._known: OrderedDict[SessionKey, Session] = OrderedDict()
        self._locks = KeyedLocks()

    def resolve(
        self, call: Call, identity: Identity, request: ExecuteRequest, named: CallByName, admission: Admission
    ) -> tuple[Session, ExecuteRequest]:
        """Return the session behind an execution by name, and the request as one of an execution of it.

        Args:
            call: the record of the request.
            identity: the caller.
            request: the request.
            named: what it says beyond an execution by id.
            admission: the request's slot in the rate limit, taken before any other trip to a store.

        Raises:
            NotFound: there is no such function or version.
            Forbidden: the token lacks the scope.
            InvalidRequest: a caller without a token has sent an idempotency key.
            ServiceError: the session cannot be begun.
        """
        if identity.anonymous and request.idempotency_key is not None:
            raise InvalidRequest("a request without a token cannot have an Idempotency-Key")
        owner = None if identity.anonymous else identity.subject
        asker = Asker(identity.subject, request.idempotency_key or call.ids.http_request_id)
        use = self._functions.use(named.ref, owner, asker, admission.charge)
        call.name, call.language = named.ref.name, named.ref.name.language
        call.script_hash = use.function.content.script_hash
        require_function(identity, named.ref)
        key = SessionKey(identity.subject, use.function_id, use.function.version)
        session = self._known.get(key)
        if session is None or session.expired():
            admission.charge()
            session = self._found(call, key, use)
        self._metrics.referenced(use.choice.kind, use.choice.side)
        call.session_id = session.request_id
        return self._of_call(identity, session, named), _of_session(request, session, use.function)

    def forget(self, session: Session) -> None:
        """Forget a session that has ended before its time."""
        for key in [key for key, one in self._known.items() if one.request_id == session.request_id]:
            del self._known[key]

    def _of_call(self, identity: Identity, session: Session, named: CallByName) -> Session:
        """Return the session with what the call itself says."""
        changes: dict[str, Any] = {}
        if named.context:
            changes["context"] = {**session.context, **named.context}
        if named.timeout_ms is not None:
            changes["timeout_ms"] = min(named.timeout_ms, self._bounds.timeout_ms)
        if named.isolation is not None:
            changes["isolation"] = named.isolation
        if identity.anonymous:
            # All callers without a token are one user: none may find what another has left in a process.
            changes["isolation"] = "execution"
        return replace(session, **changes) if changes else session

    def _found(self, call: Call, key: SessionKey, use: Use) -> Session:
        with self._locks.of(key):
            session = self._known.get(key)
            if session is None or session.expired():
                session = self._live(call, key, use)
                self._known[key] = session
                self._known.move_to_end(key)
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return session

    def _live(self, call: Call, key: SessionKey, use: Use) -> Session:
        """Return the session that is alive, begun by this or another process."""
        expires_at = _end_of_period(key, self._bounds.ttl)
        for number in count():
            request_id = str(uuid.uuid5(NAMESPACE, canonical([*key, expires_at.isoformat(), number])))
            session, state = self._sessions.state_of(request_id)
            if state is None:
                return self._begun(call, request_id, use, key.user_id, expires_at)
            if state == "active" and session is not None:
                return session
        raise AssertionError("unreachable")

    def _begun(self, call: Call, request_id: str, use: Use, user_id: str, expires_at: datetime) -> Session:
        function, content = use.function, use.function.content
        script = Script(self._scripts.text(content.script_hash), content.script_hash)
        route = self._runner.route(function.name)
        environment = EnvironmentUse(content.environment)
        prepared = self._runner.prepare(
            route, function.name, script, content.compile_options, call, environment
        )
        session = session_of_version(
            request_id,
            user_id,
            function.name,
            content,
            script=script,
            prepared=prepared,
            bounds=self._bounds,
            expires_at=expires_at,
        )
        writes = initialization_writes(NewSession(session, script, prepared.artifact), by_name=True)
        self._sessions.create(session, writes)
        return session


def _of_session(request: ExecuteRequest, session: Session, function: StoredFunction) -> ExecuteRequest:
    directives, cache_ttl = request.directives, function.content.defaults.get("cache_ttl")
    if directives.max_age is None and cache_ttl is not None:
        directives = msgspec.structs.replace(directives, max_age=cache_ttl)
    return msgspec.structs.replace(
        request, request_id=session.request_id, version=function.version, directives=directives
    )


def _end_of_period(key: SessionKey, ttl: int) -> datetime:
    """Return when the session of now ends. The sessions of different keys do not end together."""
    offset = int.from_bytes(hashlib.sha256(canonical(key).encode()).digest()[:8], "big") % ttl
    period = (int(time.time()) + offset) // ttl
    return datetime.fromtimestamp((period + 1) * ttl - offset, UTC)
