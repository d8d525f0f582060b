"""The controller's parts, wired as in `controller.app` but for the HTTP around them."""

import uuid
from datetime import timedelta

from msgspec import Raw
from prometheus_client import CollectorRegistry

from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.call import Call, CallFactory
from controller.database.postgres import Postgres
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script, Session, now
from controller.observability.correlation import log_context
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.registry.sessions import SessionManager
from controller.registry.writes import script_records, session_records
from controller.request_log.logger import DatabaseLogger
from controller.request_log.writes import Record
from telemetry.tracing import UNTRACED

SCRIPT = Script.of("result = 1")


class Parts:
    """One process's share of the controller, up to the sessions."""

    def __init__(self, postgres_url: str, redis_url: str, queue: int = 1000, remembered: int = 100) -> None:
        self.metrics = MetricsCollector(CollectorRegistry())
        self.postgres = Postgres(postgres_url, size=4, timeout=5)
        self.cache = CacheManager(RedisBackend(redis_url, timeout=1), 60, 60)
        self.logger = DatabaseLogger(self.postgres, queue, self.metrics)
        self.sessions = SessionManager(self.cache, self.postgres, self.logger, self.metrics, remembered)
        self.calls = CallFactory("execute", self.metrics, UNTRACED, self.logger, DEFAULT_MASKER)

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


class NoLog:
    """Keeps no row: the tests write them where they want them."""

    def record(self, *records: Record) -> None: ...

    def flush(self) -> None: ...


#: Begins calls that no request has made.
CALLS = CallFactory("execute", MetricsCollector(CollectorRegistry()), UNTRACED, NoLog(), DEFAULT_MASKER)


def call(calls: CallFactory = CALLS, **known: object) -> Call:
    """The record of an execution of `alice`'s, as far as the workflow fills it in."""
    environ = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/x"}
    made = calls.begin(environ | {"HTTP_X_REQUEST_ID": str(uuid.uuid4()), "HTTP_X_CALL_ID": "call"})
    log_context.set(None)
    fields: dict[str, object] = {
        "user_id": "alice",
        "name": LanguageTitle("python", "hello"),
        "session_id": str(uuid.uuid4()),
        "payload": {"params": {"a": 1}},
    }
    for name, value in (fields | known).items():
        setattr(made, name, value)
    return made


def execution(session: Session) -> list[Record]:
    """The row of an execution that was answered."""
    run = Run(Raw(b"1"), 1.5)
    made = call(user_id=session.user_id, name=session.name, session_id=session.request_id, run=run)
    return made.rows(duration_ms=1.0)
