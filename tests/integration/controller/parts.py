"""The controller's parts, wired as in `controller.app` but for the HTTP around them."""

import uuid
from datetime import timedelta

from prometheus_client import CollectorRegistry

from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.call_log import CallLog
from controller.database.postgres import Postgres
from controller.models.registered import LanguageTitle, Script, Session, now
from controller.observability.correlation import Trace
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.registry.sessions import SessionManager
from controller.registry.writes import script_records, session_records
from controller.request_log.logger import DatabaseLogger
from controller.request_log.writes import Entry, Record

SCRIPT = Script.of("result = 1")


class Parts:
    """One process's share of the controller, up to the sessions."""

    def __init__(self, postgres_url: str, redis_url: str, queue: int = 1000, remembered: int = 100) -> None:
        self.metrics = MetricsCollector(CollectorRegistry())
        self.postgres = Postgres(postgres_url, size=4, timeout=5)
        self.cache = CacheManager(RedisBackend(redis_url, timeout=1), 60, 60, self.metrics)
        self.logger = DatabaseLogger(self.postgres, queue, self.metrics)
        self.sessions = SessionManager(self.cache, self.postgres, self.logger, self.metrics, remembered)
        self.calls = CallLog(self.logger, self.metrics)

    def begin(self, session: Session) -> Session:
        self.sessions.create(session, [*script_records(SCRIPT), *session_records(session)])
        return session

    def close(self) -> None:
        self.logger.close(timeout=1)
        self.postgres.close()


def new_session(owner: str = "alice", lives: float = 60, **changes: object) -> Session:
    fields: dict[str, object] = {
        "request_id": str(uuid.uuid4()),
        "user_id": owner,
        "name": LanguageTitle("python", "hello"),
        "script_hash": SCRIPT.hash,
        "compile_options": {},
        "context": {"text": "\0\ud800"},
        "isolation": "session",
        "timeout_ms": 100,
        "retain_session": True,
        "compile_status": None,
        "created_at": now(),
        "expires_at": now() + timedelta(seconds=lives),
    }
    return Session(**(fields | changes))  # type: ignore[arg-type]


def execution_entry(session: Session) -> Entry:
    """The beginning of an execution's row."""
    return Entry("execute", Trace(str(uuid.uuid4())), session.user_id, session.name, session.request_id)


def execution(session: Session) -> list[Record]:
    """The row of an execution that was answered."""
    entry = execution_entry(session)
    entry.executed = True
    return entry.records(DEFAULT_MASKER)
