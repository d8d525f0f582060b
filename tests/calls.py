"""Sessions, and the records of calls, as the tests of the controller make them up."""

import uuid
from datetime import timedelta

from msgspec import Raw
from prometheus_client import CollectorRegistry

from controller.call import Call, CallFactory
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script, Session, now
from controller.observability.correlation import log_context
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.request_log.writes import Write
from telemetry.tracing import UNTRACED

SCRIPT = Script.of("result = 1")


def new_session(owner: str = "alice", lives: float = 3600, **changes: object) -> Session:
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
    """Keeps no row: the tests write rows where they want them."""

    def record(self, *writes: Write) -> None: ...

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


class Told:
    """An execution that is told whether Redis has counted it."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: list[bool] = []

    def counting(self) -> None:
        self.asked += 1

    def counted(self, *, by_store: bool) -> None:
        self.answers.append(by_store)

    @property
    def lost(self) -> bool:
        """Whether its end perhaps did not reach Redis."""
        return self.answers == [False]


def execution(session: Session) -> list[Write]:
    """The row of an execution that was answered."""
    run = Run(Raw(b"1"), 1.5)
    made = call(user_id=session.user_id, name=session.name, session_id=session.request_id, run=run)
    return made.rows(duration_ms=1.0)
