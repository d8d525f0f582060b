"""Makes all objects of a process from the settings, and hands them to each other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from configuration.errors import UnusableSetting
from controller import VERSION
from controller.auth.api_keys import ApiKeys
from controller.auth.authenticator import Authenticator
from controller.auth.issued_keys import IssuedKeys
from controller.cache.manager import CacheManager
from controller.cache.near_copy import NearCopy
from controller.cache.near_hits import NearHits
from controller.cache.redis import RedisBackend
from controller.cache.tracking import Tracking
from controller.database.api_keys import PostgresKeys
from controller.database.environments import PostgresEnvironments
from controller.database.folder_parts import FolderParts
from controller.database.history import PostgresHistory
from controller.database.postgres import Postgres
from controller.database.retention import Retention
from controller.database.statistics import Statistics
from controller.database.tables import PostgresTables
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
from controller.health import HealthCheck, IsolationCheck
from controller.history.history import History
from controller.limits.quotas import Quotas
from controller.limits.rate_limit import RateLimiter
from controller.maintenance import Maintenance
from controller.observability.access_log import SERVICE
from controller.observability.masking import Masker
from controller.observability.metrics import MetricsCollector
from controller.registry.environments import EnvironmentCatalog
from controller.registry.functions import FunctionCatalog
from controller.registry.rows import PartStore
from controller.registry.scripts import ScriptStore
from controller.registry.sessions import SessionManager
from controller.request_log.logger import DatabaseLogger
from controller.request_log.spool import Spool
from controller.runtimes.client import RuntimeClient
from controller.runtimes.mappings_file import MappingsFile
from controller.runtimes.packages_client import PackagesClient
from controller.runtimes.selector import RuntimeSelector
from controller.runtimes.transport.balancer import Balancer
from controller.settings import Settings
from controller.web.openapi.document import document
from controller.web.openapi.reference import REFERENCE
from controller.web.pages import CONSOLE, Page
from controller.web.parsing import RequestParser
from controller.web.services import Services
from telemetry.factory import tracer
from telemetry.metric_values import use_unlocked_values
from telemetry.metrics_server import MetricsServer
from telemetry.tracing import Tracer

log = logging.getLogger(__name__)

#: Seconds to wait for Redis. It is short, since a request can go on without Redis.
CACHE_TIMEOUT = 0.5
#: Lease of a run = script timeout + 3 * REQUEST_TIMEOUT: the call, one retry, and overhead.
LEASE_BUDGETS = 3
#: Seconds between two rounds of maintenance.
MAINTENANCE_INTERVAL = 30.0
#: Seconds to write queued log records when the process stops.
LOG_FLUSH_TIMEOUT = 5.0
MONTHS_AHEAD = 3
#: Milliseconds to export queued spans when the process stops.
SPANS_FLUSH_MS = 3000


class Background(Protocol):
    """Work in a greenlet that lasts as long as the process."""

    def start(self) -> None:
        """Start the work."""

    def close(self) -> None:
        """End the work."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The shared objects of one process."""

    settings: Settings
    services: Services
    metrics: MetricsCollector
    tracer: Tracer
    postgres: Postgres
    logger: DatabaseLogger
    masker: Masker
    maintenance: Maintenance
    metrics_server: MetricsServer
    background: Sequence[Background]

    def start(self) -> None:
        """Start the background work. Raises OSError if METRICS_PORT is in use."""
        self.metrics_server.start()
        self.logger.start()
        self.maintenance.start()
        for one in self.background:
            one.start()

    def close(self) -> None:
        """Stop in order: the background work, then the last log records, then the connections."""
        self.maintenance.close()
        for one in self.background:
            one.close()
        self.logger.close(LOG_FLUSH_TIMEOUT)
        self.postgres.close()
        self.metrics_server.close()
        self.tracer.close()


def compose(settings: Settings) -> Controller:
    """Make all objects. Raises UnusableSetting or UnusableTracing."""
    timeout = settings.request_timeout / 1000
    use_unlocked_values()
    metrics, traces = MetricsCollector(), tracer(SERVICE, VERSION, SPANS_FLUSH_MS)
    database, cache = traces.timer(metrics.postgres, "postgresql"), traces.timer(metrics.redis, "redis")
    postgres = Postgres(settings.postgres_url, settings.postgres_connections, timeout, database)
    backend = RedisBackend(settings.redis_url, CACHE_TIMEOUT, cache)
    near = NearHits(backend, NearCopy(settings.near_cache_bytes), metrics)
    tracking = Tracking(settings.redis_url, CACHE_TIMEOUT, near.copy, backend.opened)
    kept = CacheManager(backend, settings.cache_ttl, settings.session_ttl, near)
    masker, spool = Masker(settings.mask_keys, settings.log_payload_max_bytes), _spool(settings, metrics)
    logger = DatabaseLogger(postgres, settings.log_queue_size, metrics, spool, traces)
    tables = PostgresTables(postgres)
    sessions = SessionManager(kept, tables, logger, metrics, settings.sessions_in_memory, traces)
    functions, key_rows = FunctionCatalog(tables), PostgresKeys(postgres)
    followed, selector = _runtime_selector(settings)
    balancer = _balancer(settings, metrics)
    runtimes = RuntimeClient(balancer, settings.runtime_secret, timeout, traces)
    scripts = ScriptStore(kept, tables)
    environments = _environments(settings, postgres, tables, runtimes, metrics)
    runner = ScriptRunner(selector, runtimes, scripts, metrics, environments.sender, timeout)
    quotas = Quotas(tables, settings.sessions_per_user_max, settings.functions_per_user_max)
    workflow, registrar = _workflow(
        settings, kept, quotas, sessions, functions, scripts, runner, environments.packages, metrics
    )
    services = Services(
        parser=RequestParser(settings.script_max_bytes, settings.body_max_bytes),
        authenticator=Authenticator.of(settings.tokens, ApiKeys(key_rows, kept.take)),
        limiter=RateLimiter(kept, settings.rate_limits),
        workflow=workflow,
        sessions=sessions,
        functions=functions,
        registrar=registrar,
        environments=environments.catalog,
        keys=IssuedKeys(key_rows, functions.require, settings.key_ttl_max),
        history=History(PostgresHistory(postgres), functions.aliases),
        health=HealthCheck(kept, postgres, selector, runtimes),
        isolation=IsolationCheck(selector, runtimes.isolation),
        contract=document(),
        console=Page.built(CONSOLE),
        reference=REFERENCE,
    )
    chores = _chores(settings, services, postgres, balancer, metrics)
    server = MetricsServer(settings.metrics_port)
    background: list[Background] = [tracking, near, *followed]
    return Controller(
        settings, services, metrics, traces, postgres, logger, masker, chores, server, background
    )


def _workflow(
    settings: Settings,
    kept: CacheManager,
    quotas: Quotas,
    sessions: SessionManager,
    functions: FunctionCatalog,
    scripts: ScriptStore,
    runner: ScriptRunner,
    packages: ScriptPackages,
    metrics: MetricsCollector,
) -> tuple[WorkflowManager, FunctionRegistrar]:
    bounds = SessionBounds(settings.session_ttl, settings.script_timeout_max)
    flights = SingleFlight(kept, runner, LEASE_BUDGETS * settings.request_timeout)
    initializer = SessionInitializer(
        sessions=sessions,
        functions=functions,
        quotas=quotas,
        runner=runner,
        packages=packages,
        flights=flights,
        bounds=bounds,
    )
    named = NamedSessions(
        functions=functions, sessions=sessions, scripts=scripts, runner=runner, metrics=metrics, bounds=bounds
    )
    idempotency = IdempotencyKeys(kept)
    workflow = WorkflowManager(
        initializer=initializer, sessions=sessions, named=named, flights=flights, idempotency=idempotency
    )
    verifier = ExampleVerifier(runner, bounds)
    registrar = FunctionRegistrar(
        functions=functions, quotas=quotas, runner=runner, packages=packages, verifier=verifier
    )
    return workflow, registrar


def _chores(
    settings: Settings,
    services: Services,
    postgres: Postgres,
    balancer: Balancer,
    metrics: MetricsCollector,
) -> Maintenance:
    tasks: dict[str, Callable[[], object]] = {
        "sessions": services.sessions.clean_up,
        "functions": services.functions.clean_up,
        "environments": services.environments.clean_up,
        "keys": services.keys.clean_up,
        "partitions": lambda: postgres.query("ensure_log_partitions", months_ahead=MONTHS_AHEAD),
        "retention": Retention(postgres, settings.log_retention_days).clean_up,
        "statistics": Statistics(postgres).roll_up,
        "connections": balancer.sweep,
    }
    return Maintenance(tasks, MAINTENANCE_INTERVAL, metrics.task_done)


class Environments(NamedTuple):
    """The parts that have to do with packages of scripts."""

    packages: ScriptPackages
    sender: EnvironmentSender
    catalog: EnvironmentCatalog


def _environments(
    settings: Settings,
    postgres: Postgres,
    tables: PostgresTables,
    runtimes: RuntimeClient,
    metrics: MetricsCollector,
) -> Environments:
    chosen, rows = settings.packages, PostgresEnvironments(postgres)
    parts: PartStore = rows if chosen.folder is None else FolderParts(chosen.folder)
    client = PackagesClient(chosen.url, chosen.secret) if chosen.url and chosen.secret else None
    installer = PackageInstaller(rows, parts, client, metrics)
    return Environments(
        ScriptPackages(installer, chosen.refusal, chosen.wait),
        EnvironmentSender(rows, parts, installer, runtimes.send_part),
        EnvironmentCatalog(rows, parts, tables, metrics, chosen.most_bytes),
    )


def _balancer(settings: Settings, metrics: MetricsCollector) -> Balancer:
    bounds = settings.runtime_connections, settings.circuit_failures, settings.circuit_pause
    return Balancer(*bounds, metrics.circuit_changed, settings.runtime_secret)


def _spool(settings: Settings, metrics: MetricsCollector) -> Spool | None:
    if not settings.spool_max_bytes:
        return None
    try:
        return Spool(settings.spool_dir, settings.spool_max_bytes, metrics)
    except OSError as error:
        raise UnusableSetting(f"SPOOL_DIR {settings.spool_dir}: {error.strerror}") from error


def _runtime_selector(settings: Settings) -> tuple[Sequence[Background], RuntimeSelector]:
    """Return the objects that follow changes, and the selector that reads them."""
    path = settings.runtime_mappings_file
    mappings = MappingsFile(path) if path else None
    discovery = None
    if settings.runtime_discovery == "kubernetes":
        # The client of the API server takes a quarter of the time that all imports take.
        from controller.runtimes.kubernetes import KubernetesDiscovery  # noqa: PLC0415

        discovery = KubernetesDiscovery(settings.kubernetes_namespace)
    selector = RuntimeSelector(settings.runtime_urls, mappings, discovery)
    return [one for one in (mappings, discovery) if one is not None], selector
