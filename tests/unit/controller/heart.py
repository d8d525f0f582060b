"""The heart of the controller on stores in memory: whole processes of it, without a process or a socket.

The parts are the real ones, wired as in `controller.composition`, from the workflow down. Stores can be taken away,
and the runtime holds runs until a test releases them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import gevent
from gevent.greenlet import Greenlet
from msgspec import Raw
from prometheus_client import CollectorRegistry

from controller.auth.issued_keys import IssuedKeys
from controller.cache.backend import Backend, Window
from controller.cache.keys import session_key
from controller.cache.manager import CacheManager
from controller.cache.memory import MemoryBackend
from controller.call import Call, CallFactory
from controller.database.memory import MemoryTables
from controller.database.memory_environments import MemoryEnvironments
from controller.database.memory_history import MemoryHistory
from controller.database.memory_keys import MemoryKeys
from controller.errors import (
    CacheUnavailable,
    ServiceError,
    StoreUnavailable,
)
from controller.execution.environment_sender import EnvironmentSender
from controller.execution.idempotency import IdempotencyKeys
from controller.execution.initialization import SessionInitializer
from controller.execution.named_sessions import NamedSessions
from controller.execution.new_sessions import SessionBounds
from controller.execution.package_installer import PackageInstaller
from controller.execution.registration import FunctionRegistrar
from controller.execution.runner import ScriptRunner
from controller.execution.script_packages import ScriptPackages
from controller.execution.single_flight import SingleFlight
from controller.execution.verification import ExampleVerifier
from controller.execution.workflow import WorkflowManager
from controller.history.history import History
from controller.limits.quotas import Quotas
from controller.limits.rate_limit import MINUTE_MS, Admission
from controller.models.registered import FunctionRef, Identity, LanguageTitle, Script, Session, now
from controller.models.requests import (
    NO_PACKAGES,
    CacheDirectives,
    CallByName,
    ExecuteRequest,
    InitializeRequest,
    PackagesAsked,
    PutFunctionRequest,
)
from controller.models.responses import ExecuteAnswer, FunctionDetail, InitializeAnswer
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.registry.environments import EnvironmentCatalog
from controller.registry.functions import FunctionCatalog
from controller.registry.scripts import ScriptStore
from controller.registry.sessions import SessionManager
from controller.request_log.logger import DatabaseLogger
from controller.runtimes.selector import RuntimeSelector
from telemetry.tracing import UNTRACED
from tests.unit.controller.doubles import HeldPackages, HeldRuntime, Outage, settle

ALICE = Identity("alice", frozenset({"execute:all"}))
BOB = Identity("bob", frozenset({"execute:all"}))
PYTHONIST = Identity("alice", frozenset({"execute:python"}))
HELLO = LanguageTitle("python", "hello")
#: Milliseconds that a run may take beyond its script's deadline.
LEASE_MS = 20_000
#: Seconds after which a request that is not answered fails its test.
PATIENCE = 10
ADDRESSES = {language: (f"http://{language}",) for language in ("python", "nodejs", "rust")}


class Stores:
    """What all processes share."""

    def __init__(self, backend: MemoryBackend | None = None) -> None:
        self.redis = Outage(backend or MemoryBackend(), CacheUnavailable)
        self.postgres = Outage(MemoryTables(), StoreUnavailable)
        self.keys = Outage(MemoryKeys(), StoreUnavailable)
        self.runtime = HeldRuntime()
        self.clock = Clock(1.0)  # no lease that was never taken
        self.kept = MemoryEnvironments(self.clock)
        self.environments = Outage(self.kept, StoreUnavailable)
        self.packages = HeldPackages()

    def lose_redis(self) -> None:
        """Redis comes back empty."""
        self.redis.store = MemoryBackend()

    def lose_session(self, session: Session) -> None:
        """Redis forgets a session and keeps the rest."""
        self.redis.end_session(session_key(session.request_id), "lost", now() - timedelta(seconds=1))


class Client:
    """One client's connection, which can be hung up."""

    def __init__(self) -> None:
        self._gone: Callable[[], object] = lambda: None

    def watch(self, gone: Callable[[], object]) -> None:
        self._gone = gone

    def hang_up(self) -> None:
        self._gone()
        settle()


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Process:
    """One process's share of the controller."""

    def __init__(
        self,
        stores: Stores,
        *,
        lease_ms: int = LEASE_MS,
        remembered: int = 100,
        quotas: tuple[int, int] = (0, 0),
        wait: float = PATIENCE,
        refusal: str = "",
    ) -> None:
        self.stores = stores
        self.registry = CollectorRegistry()
        self.metrics = MetricsCollector(self.registry)
        #: The records of the executions, in the order in which they began.
        self.calls: list[Call] = []
        tables = cast(MemoryTables, stores.postgres)
        self.cache = CacheManager(cast(Backend, stores.redis), ttl=60, scripts_ttl=60)
        self.logger = DatabaseLogger(tables, 1000, self.metrics)
        self.sessions = SessionManager(self.cache, tables, self.logger, self.metrics, remembered)
        self.clock = Clock()
        self.functions = FunctionCatalog(tables, self.clock)
        self.key_rows = cast(MemoryKeys, stores.keys)
        self.keys = IssuedKeys(self.key_rows, self.functions.require, ttl_max=3600)
        self.history = History(MemoryHistory(tables), self.functions.aliases)
        self.scripts = ScriptStore(self.cache, tables)
        selector = RuntimeSelector(ADDRESSES)
        kept = cast(MemoryEnvironments, stores.environments)
        self.installer = PackageInstaller(kept, kept, stores.packages, self.metrics)
        self.catalog = EnvironmentCatalog(kept, kept, tables, self.metrics, most=1000)
        sender = EnvironmentSender(kept, kept, self.installer, stores.runtime.send_part)
        self.packages = ScriptPackages(self.installer, refusal, wait)
        self.runner = ScriptRunner(selector, stores.runtime, self.scripts, self.metrics, sender, wait)
        self.flights = SingleFlight(self.cache, self.runner, lease_ms)
        bounds, of_sessions = Quotas(tables, *quotas), SessionBounds(ttl=3600, timeout_ms=5000)
        self.named = NamedSessions(
            functions=self.functions,
            sessions=self.sessions,
            scripts=self.scripts,
            runner=self.runner,
            metrics=self.metrics,
            bounds=of_sessions,
        )
        self.registrar = FunctionRegistrar(
            functions=self.functions,
            quotas=bounds,
            runner=self.runner,
            packages=self.packages,
            verifier=ExampleVerifier(self.runner, of_sessions),
        )
        initializer = SessionInitializer(
            sessions=self.sessions,
            functions=self.functions,
            quotas=bounds,
            runner=self.runner,
            packages=self.packages,
            flights=self.flights,
            bounds=of_sessions,
        )
        self.workflow = WorkflowManager(
            initializer=initializer,
            sessions=self.sessions,
            named=self.named,
            flights=self.flights,
            idempotency=IdempotencyKeys(self.cache),
        )

    def initialize(
        self,
        script: str | None = "result = 1",
        identity: Identity = ALICE,
        name: LanguageTitle = HELLO,
        **asked: Any,
    ) -> InitializeAnswer:
        """Serve a request that begins a session."""
        fields: dict[str, Any] = {
            "context": {},
            "compile_options": {},
            "isolation": "session",
            "timeout_ms": 100,
        }
        request = InitializeRequest(
            name=name,
            script=None if script is None else Script.of(script),
            **(fields | {"retain_session": True} | asked),
        )
        calls = CallFactory("initialize", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)
        with self._served(calls, "/initialize", identity) as call:
            return self.workflow.initialize(call, identity, request)

    def begin(self, identity: Identity = ALICE, **asked: Any) -> Session:
        """Begin a session."""
        return self.sessions.get(self.initialize(identity=identity, **asked).request_id, identity.subject)

    def ask(
        self, session: Session, params: Mapping[str, Any] | None = None, **asked: Any
    ) -> "Greenlet[..., ExecuteAnswer]":
        """Begin a request. It goes as far as it gets."""
        greenlet = gevent.spawn(self.execute, session, params, **asked)
        settle()
        return greenlet

    def put(
        self,
        identity: Identity = ALICE,
        script: str | None = None,
        *,
        verify: bool = False,
        asked: PackagesAsked = NO_PACKAGES,
        **fields: Any,
    ) -> FunctionDetail:
        """Serve a request that makes a version of the function."""
        content = None if script is None else Script.of(script)
        calls = CallFactory("functions", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)
        with self._served(calls, "/hello", identity) as call:
            detail, _ = self.registrar.put(
                call, identity, PutFunctionRequest(HELLO, content, fields, verify=verify, packages=asked)
            )
        return detail

    def by_name(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        ref: str = "",
        identity: Identity = ALICE,
        key: str | None = None,
        directives: CacheDirectives | None = None,
        request: str | None = None,
        **named: Any,
    ) -> ExecuteAnswer:
        """Serve an execution by name. `request`: its X-Request-ID."""
        by_name = CallByName(FunctionRef(HELLO, ref), **named)
        asked = _request("", params, directives, key, by_name)
        calls = CallFactory("execute", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)
        with self._served(calls, "/hello/execute", identity, request) as call:
            self.calls.append(call)
            return self.workflow.execute_by_name(
                call, identity, asked, by_name, self.admission(0), Client().watch
            )

    def ask_by_name(self, params: Mapping[str, Any]) -> "Greenlet[..., ExecuteAnswer]":
        """Begin an execution by name. It goes as far as it gets."""
        return gevent.spawn(self.by_name, params)

    def execute(
        self,
        session: Session,
        params: Mapping[str, Any] | None = None,
        *,
        identity: Identity = ALICE,
        key: str | None = None,
        directives: CacheDirectives | None = None,
        admission: Admission | None = None,
        client: Client | None = None,
    ) -> ExecuteAnswer:
        """Serve an execution from its beginning to its rows in the log."""
        watch = (client or Client()).watch
        request = _request(session.request_id, params, directives, key)
        calls = CallFactory("execute", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)
        with self._served(calls, f"/{session.request_id}", identity) as call:
            self.calls.append(call)
            return self.workflow.execute(call, identity, request, admission or self.admission(0), watch)

    @contextmanager
    def _served(
        self, calls: CallFactory, path: str, identity: Identity, request_id: str | None = None
    ) -> Iterator[Call]:
        """The record of a request, from its first byte to its rows in the log."""
        call = calls.begin(environ(path) | ({} if request_id is None else {"HTTP_X_REQUEST_ID": request_id}))
        call.called_by(identity)
        try:
            with gevent.Timeout(PATIENCE, AssertionError("a request was not answered")):
                yield call
            call.answered(200)
        except ServiceError as error:
            call.failed(error)
            call.answered(error.status)
            raise
        finally:
            call.end()

    def admission(self, limit: int) -> Admission:
        """A place in Alice's window. 0: no limit."""
        return Admission(self.cache, Window("rate:alice", limit, MINUTE_MS) if limit else None)

    def count(self, session: Session) -> int:
        """How often the session was executed."""
        return self.sessions.describe(session.request_id, session.user_id).execution_count

    def sample(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0


def result(asked: "ExecuteAnswer | Greenlet[..., ExecuteAnswer]") -> tuple[int, bool]:
    """The result of a request, and whether it is another run's."""
    answer = asked.get(timeout=PATIENCE) if isinstance(asked, Greenlet) else asked
    return int(bytes(answer.result)), answer.cached


def _request(
    request_id: str,
    params: Mapping[str, Any] | None,
    directives: CacheDirectives | None,
    key: str | None,
    by_name: CallByName | None = None,
) -> ExecuteRequest:
    given = params or {}
    text = Raw(json.dumps(given).encode())
    return ExecuteRequest(request_id, given, text, directives or CacheDirectives(), key, by_name)


def predefine(stores: Stores, name: LanguageTitle, **fields: Any) -> None:
    """Put a function that all may run."""
    script = Script.of("return 0")
    content = {"description": "", "tags": [], "schema": "{}", "examples": "[]", "script_hash": script.hash}
    named = {"language": name.language, "title": name.title}
    stores.postgres.write_together(
        [
            ("put_script", {"script_hash": script.hash, "script_content": script.content}),
            ("put_predefined_function", named | content | fields),
        ]
    )


def environ(path: str) -> dict[str, Any]:
    """A request, as far as its record reads it."""
    return {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path}
