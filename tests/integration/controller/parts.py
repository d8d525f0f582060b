"""The controller's parts, wired as in `controller.composition` but for the HTTP around them."""

from prometheus_client import CollectorRegistry

from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.call import CallFactory
from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from controller.models.registered import Session
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.registry.sessions import SessionManager
from controller.registry.writes import script_writes, session_writes
from controller.request_log.logger import DatabaseLogger
from telemetry.tracing import UNTRACED
from tests.calls import SCRIPT


class Parts:
    """One process's share of the controller, up to the sessions."""

    def __init__(self, postgres_url: str, redis_url: str, queue: int = 1000, remembered: int = 100) -> None:
        self.metrics = MetricsCollector(CollectorRegistry())
        self.postgres = Postgres(postgres_url, size=4, timeout=60)
        self.tables = PostgresTables(self.postgres)
        self.cache = CacheManager(RedisBackend(redis_url, timeout=10), 60, 60)
        self.logger = DatabaseLogger(self.postgres, queue, self.metrics)
        self.sessions = SessionManager(self.cache, self.tables, self.logger, self.metrics, remembered)
        self.calls = CallFactory("execute", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)

    def begin(self, session: Session) -> Session:
        self.sessions.create(session, [*script_writes(SCRIPT), *session_writes(session)])
        return session

    def settle(self) -> None:
        """Wait until Redis has answered or is known to be away, then write what PostgreSQL is to count."""
        self.cache.available()
        self.logger.flush()

    def close(self) -> None:
        self.logger.close(timeout=1)
        self.postgres.close()
