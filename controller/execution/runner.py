"""ScriptRunner: prepares or runs one script. It chooses the runtime and sends the script if the runtime lacks it."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic, perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Raw

from controller.call import Call
from controller.errors import InvalidParams, RuntimeUnavailable, ScriptFailed
from controller.execution.environment_sender import EnvironmentSender
from controller.json_schema.checks import errors_of
from controller.models.outcome import Run
from controller.models.registered import ArtifactKey, LanguageTitle, Script, ScriptPayload, Session, canonical
from controller.models.requests import ExecuteRequest
from controller.observability.correlation import CorrelationIds
from controller.observability.metrics import MetricsCollector
from controller.registry.scripts import ScriptStore
from controller.runtimes.client import Destination, Prepared
from controller.runtimes.responses import ScriptNeeded
from controller.runtimes.selector import RuntimeRoute, RuntimeSelector

T = TypeVar("T")
#: Milliseconds that a runtime may take to parse or compile a script. The runtimes' own limits are lower.
PREPARE_DEADLINE_MS = 60_000


class Runtimes(Protocol):
    """The calls to runtimes, see `controller.runtimes.client.RuntimeClient`."""

    def prepare(
        self,
        route: RuntimeRoute,
        name: LanguageTitle,
        script: Script,
        *,
        tenant: str,
        compile_options: Mapping[str, Any],
        deadline_ms: int,
        ids: CorrelationIds,
        environment: str | None = None,
    ) -> Prepared:
        """Parse or compile a script.

        Raises:
            EnvironmentNeeded: the runtime lacks parts of the environment.
        """

    def run(
        self,
        route: RuntimeRoute,
        session: Session,
        params: Raw,
        ids: CorrelationIds,
        payload: ScriptPayload | None = None,
    ) -> Run:
        """Run a session's script once.

        Raises:
            ScriptNeeded: the runtime lacks the script. Call again with `payload`.
            EnvironmentNeeded: the runtime lacks parts of the session's environment.
        """


class EnvironmentUse(NamedTuple):
    """The environment that a script is prepared in, and until when its request waits for the runtime to have it.

    Attributes:
        until: on the monotonic clock. None: as long as an execution waits.
    """

    digest: str | None = None
    until: float | None = None


NO_ENVIRONMENT = EnvironmentUse()


class ScriptRunner:
    """Prepares and runs scripts.

    Args:
        selector: chooses the runtime for a title.
        runtimes: calls the runtime.
        scripts: reads the scripts and artifacts that a runtime may ask for.
        metrics: counts artifacts and runs.
        environments: brings environments to runtimes.
        patience: seconds that an execution waits for that.
    """

    def __init__(
        self,
        selector: RuntimeSelector,
        runtimes: Runtimes,
        scripts: ScriptStore,
        metrics: MetricsCollector,
        environments: EnvironmentSender,
        patience: float,
    ) -> None:
        self._selector = selector
        self._runtimes = runtimes
        self._scripts = scripts
        self._metrics = metrics
        self._environments = environments
        self._patience = patience
        #: Languages without artifacts, as their runtimes' answers have shown. The lookup is skipped for them.
        self._interpreted: set[str] = set()

    def route(self, name: LanguageTitle) -> RuntimeRoute:
        """Return the runtime that serves a title.

        Raises:
            NotFound, RuntimeUnavailable: see `RuntimeSelector.route`.
        """
        return self._selector.route(name)

    def prepare(
        self,
        route: RuntimeRoute,
        name: LanguageTitle,
        script: Script,
        compile_options: Mapping[str, Any],
        call: Call,
        use: EnvironmentUse = NO_ENVIRONMENT,
    ) -> Prepared:
        """Parse or compile a script, unless a stored artifact shows that this was done before. Cache the script.

        Raises:
            InitializationFailed: the script does not parse or compile.
            RuntimeUnavailable, RateLimited, DeadlinePassed: the runtime gave no answer, or a late one.
        """
        key = ArtifactKey(script.hash, name.language, canonical(compile_options))
        if route.language not in self._interpreted and self._scripts.artifact(key) is not None:
            prepared = Prepared(artifact_cached=True)
        else:
            prepare = partial(
                self._runtimes.prepare,
                route,
                name,
                script,
                tenant=call.user_id,
                compile_options=compile_options,
                deadline_ms=PREPARE_DEADLINE_MS,
                ids=call.ids,
                environment=use.digest,
            )
            to = Destination.of(route, call.user_id, script.hash)
            with call.at_runtime():
                prepared = self._in_environment(prepare, to, use)
        if prepared.artifact_cached is None:
            self._interpreted.add(route.language)
        else:
            self._metrics.artifact_made(name.language, prepared.artifact_cached)
        self._scripts.keep(script, key, prepared.artifact)
        return prepared

    def run(self, session: Session, request: ExecuteRequest, call: Call) -> Run:
        """Run a session's script once.

        Raises:
            ScriptFailed, DeadlinePassed: the script failed, or its result breaks the schema of the session.
            RuntimeUnavailable, RateLimited, NotFound, StoreUnavailable: the script did not run.
        """
        started = perf_counter()  # `at_runtime` would take three times as long
        try:
            run = self._run(session, request, call)
        finally:
            call.runtime_ms += (perf_counter() - started) * 1000
        if session.result_schema is not None:
            _check_result(session.result_schema, run)
        self._metrics.script_ran(session.name.language, run.execution_time)
        return run

    def _run(self, session: Session, request: ExecuteRequest, call: Call) -> Run:
        route = self._selector.route(session.name)
        if session.environment is None:
            return self._run_at(route, session, request, call)
        run = partial(self._run_at, route, session, request, call)
        to = Destination.of(route, session.user_id, session.script_hash)
        return self._in_environment(run, to, EnvironmentUse(session.environment))

    def _in_environment(self, call: Callable[[], T], to: Destination, use: EnvironmentUse) -> T:
        """Return what a call of a runtime returns, which is given the environment if it lacks it."""
        if use.digest is None:
            return call()
        until = monotonic() + self._patience if use.until is None else use.until
        return self._environments.called(call, to, use.digest, until)

    def _run_at(self, route: RuntimeRoute, session: Session, request: ExecuteRequest, call: Call) -> Run:
        try:
            return self._runtimes.run(route, session, request.params_text, call.ids)
        except ScriptNeeded:
            payload = self._scripts.payload(session)
        try:
            return self._runtimes.run(route, session, request.params_text, call.ids, payload)
        except ScriptNeeded as error:
            raise RuntimeUnavailable("the runtime did not take the script") from error


def _check_result(schema: str, run: Run) -> None:
    """Check a result against a schema.

    Raises:
        ScriptFailed: the result breaks the schema, or the check reached its bound. The details have a JSON pointer
            to each error.
    """
    message = "the result breaks the function's schema"
    try:
        errors = errors_of(schema, json.loads(bytes(run.result)))
    except InvalidParams as error:
        errors, message = [{"pointer": "", "message": error.message}], error.message
    except ValueError:
        errors = [{"pointer": "", "message": "an integer is too long to be checked"}]
    if errors:
        details: dict[str, Any] = {
            "kind": "result_invalid",
            "type": None,
            "line": None,
            "column": None,
            "stack_trace": "",
            "stdout": run.stdout,
            "stderr": run.stderr,
            "errors": errors,
        }
        failure = ScriptFailed(message, details=details)
        failure.usage = run.usage
        raise failure
