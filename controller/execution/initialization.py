"""SessionInitializer: begins sessions (`POST /initialize`), the first half of `WorkflowManager`."""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace

from msgspec import UNSET

from controller.auth.authenticator import require_execute, require_write
from controller.call import Call
from controller.declarations.declared import Declared
from controller.errors import InitializationFailed, StoreUnavailable
from controller.execution.new_sessions import SessionBounds, session_of_request
from controller.execution.runner import EnvironmentUse, ScriptRunner
from controller.execution.script_packages import Pinned, ScriptPackages
from controller.execution.single_flight import SingleFlight
from controller.limits.quotas import Quotas
from controller.models.registered import FunctionRef, Identity, LanguageTitle, Script, Session, rfc3339
from controller.models.requests import InitializeRequest, PackagesAsked
from controller.models.responses import InitializeAnswer
from controller.models.stored import Ended, NewSession
from controller.registry.functions import FunctionCatalog, Registered
from controller.registry.references import Asker
from controller.registry.sessions import SessionManager
from controller.runtimes.selector import RuntimeRoute

#: Most functions of which it is remembered that they have schemas or packages.
REMEMBERED = 10_000


class _FunctionLends(Exception):
    """The function that a plain session's script replaces has schemas or packages for it."""


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
        #: Functions of users that had schemas or packages.
        self._lending: OrderedDict[tuple[str, LanguageTitle], None] = OrderedDict()

    def initialize(self, call: Call, identity: Identity, request: InitializeRequest) -> InitializeAnswer:
        """Begin a session, see `WorkflowManager.initialize`."""
        call.name = request.name
        call.payload = {"context": request.context, "script_given": request.script is not None}
        route = self._runner.route(request.name)
        call.language = route.language
        registers = request.script is not None
        function = self._function(call, identity, request)
        require_execute(identity, request.name.language)
        if registers and not identity.anonymous:
            require_write(identity, request.name.language)
        self._quotas.expect_room(identity.subject, request.name, registers=registers)
        call.script_hash = function.script.hash
        if registers and self._plain(identity.subject, request, function.script, route.language):
            with suppress(_FunctionLends):
                return self._begun(call, request, route, function, plain=True)
            self._remember_lending((identity.subject, request.name))
        if registers:
            function = self._replaced(identity.subject, request.name, function.script)
        return self._begun(call, request, route, function, plain=False)

    def _plain(self, user: str, request: InitializeRequest, script: Script, language: str) -> bool:
        """Return whether the session needs nothing of the function that its script replaces, as far as is known."""
        known = (user, request.name) in self._lending
        return not known and self._packages.none(language, script.content, request.packages)

    def _begun(
        self,
        call: Call,
        request: InitializeRequest,
        route: RuntimeRoute,
        function: Registered,
        *,
        plain: bool,
    ) -> InitializeAnswer:
        """Prepare the script and begin the session.

        Raises:
            _FunctionLends: it is plain, and needs more than that.
        """
        registers = request.script is not None
        until = self._packages.deadline()
        if registers and not plain:
            function = self._with_packages(call, route.language, request.packages, function, until)
        use = EnvironmentUse(function.environment, until)
        # Before any row is written: what is refused leaves nothing, and no lock is held while a script is compiled.
        try:
            prepared = self._runner.prepare(
                route, request.name, function.script, request.compile_options, call, use
            )
        except InitializationFailed:
            if plain and self._replaced(call.user_id, request.name, function.script).environment:
                # It may fail for the lack of packages.
                raise _FunctionLends from None
            raise
        session = session_of_request(call.user_id, request, function, prepared, self._bounds)
        packages = function.packages if registers else ()
        new = NewSession(session, function.script, prepared.artifact, registers, plain, packages)
        beginning = self._sessions.begin(new, self._quotas.most)
        if beginning.ended is Ended.DIFFERS:
            raise _FunctionLends
        self._quotas.began(session.user_id, beginning)
        call.session_id = session.request_id
        if registers:
            self._functions.forget(session.name, session.user_id)
        if beginning.replaces is not None:
            self._flights.drop_results(session, beginning.replaces)
        return _initialized(session, prepared.artifact_cached)

    def _remember_lending(self, function: tuple[str, LanguageTitle]) -> None:
        self._lending[function] = None
        if len(self._lending) > REMEMBERED:
            self._lending.popitem(last=False)

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
        """Return the script of the request, or the function that it names."""
        if request.script is not None:
            return Registered(request.script)
        ref, user = FunctionRef(request.name, request.selector), identity.subject
        return self._functions.registered(ref, user, Asker(user, call.ids.http_request_id))

    def _replaced(self, user: str, name: LanguageTitle, script: Script) -> Registered:
        """Return the script with what a session takes from the function that it replaces."""
        try:
            return self._functions.replaced(name, user, script)
        except StoreUnavailable:
            return Registered(script)


def _initialized(session: Session, artifact_cached: bool | None) -> InitializeAnswer:
    """Return the response to initialize. `artifact_cached` is None for a language without artifacts."""
    return InitializeAnswer(
        session.request_id,
        "initialized",
        rfc3339(session.expires_at),
        compile_status=session.compile_status or UNSET,
        artifact_cached=UNSET if artifact_cached is None else artifact_cached,
    )
