"""SessionInitializer: begins sessions (`POST /initialize`), the first half of `WorkflowManager`."""

from dataclasses import replace

from msgspec import UNSET

from controller.auth.authenticator import require_execute, require_write
from controller.call import Call
from controller.declarations.declared import Declared
from controller.errors import StoreUnavailable
from controller.execution.new_sessions import SessionBounds, session_of_request
from controller.execution.runner import EnvironmentUse, ScriptRunner
from controller.execution.script_packages import Pinned, ScriptPackages
from controller.execution.single_flight import SingleFlight
from controller.limits.quotas import Quotas
from controller.models.registered import FunctionRef, Identity, Session, rfc3339
from controller.models.requests import InitializeRequest, PackagesAsked
from controller.models.responses import InitializeAnswer
from controller.registry.functions import FunctionCatalog, Registered
from controller.registry.references import Asker
from controller.registry.sessions import SessionManager
from controller.registry.writes import initialization_writes


class SessionInitializer:
    """Begins sessions.

    Args:
        sessions: creates sessions.
        functions: finds registered functions.
        quotas: bound what one user may have.
        runner: prepares scripts, and knows which languages have a runtime.
        packages: finds and installs the packages of scripts.
        flights: drops the results of a replaced script.
        bounds: the limits of every session.
    """

    def __init__(
        self,
        *,
        sessions: SessionManager,
        functions: FunctionCatalog,
        quotas: Quotas,
        runner: ScriptRunner,
        packages: ScriptPackages,
        flights: SingleFlight,
        bounds: SessionBounds,
    ) -> None:
        self._sessions = sessions
        self._functions = functions
        self._quotas = quotas
        self._runner = runner
        self._packages = packages
        self._flights = flights
        self._bounds = bounds

    def initialize(self, call: Call, identity: Identity, request: InitializeRequest) -> InitializeAnswer:
        """Begin a session, see `WorkflowManager.initialize`."""
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
