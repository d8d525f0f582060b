"""What the contract suites of the tables write and read."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from controller.limits.quotas import HeldByUser
from controller.models.registered import LanguageTitle, Script, Session, now
from controller.models.stored import (
    Beginning,
    FunctionFilter,
    Held,
    NewSession,
    StoredFunction,
    StoredSession,
)
from controller.registry.rows import EnvironmentOwners, FunctionRows, SessionRows
from controller.registry.scripts import ScriptRows
from controller.registry.writes import (
    function_writes,
    script_writes,
    session_writes,
)
from controller.request_log.rows import ordered_id
from controller.request_log.writes import Write
from tests.calls import SCRIPT, execution, new_session

NAME = LanguageTitle("python", "hello")
ANY = FunctionFilter()
PLENTY = Held(100, 100)
UNBOUND = Held(0, 0)


class Tables(SessionRows, FunctionRows, ScriptRows, HeldByUser, EnvironmentOwners, Protocol):
    """All that the heart asks of PostgreSQL."""


def statements(writes: Iterable[Write]) -> list[tuple[str, Mapping[str, Any]]]:
    """As the writer of the log makes them: one statement for all rows of a kind."""
    alone = [(one.query, one.parameters) for one in writes if one.row is None]
    rows = [one.row for one in writes if one.row is not None]
    return alone + ([("write_requests", {"rows": f"[{','.join(rows)}]"})] if rows else [])


def write(tables: Tables, *writes: Write) -> None:
    tables.write_together(statements(writes))


def begin(tables: Tables, session: Session) -> Session:
    write(tables, *script_writes(SCRIPT), *session_writes(session))
    return session


def begun(tables: Tables, session: Session, most: Held = UNBOUND, **new: Any) -> Beginning:
    return tables.begin_session(NewSession(session, new.pop("script", SCRIPT), **new), most)


def stored(tables: Tables, session: Session) -> StoredSession:
    found = tables.session(session.request_id)
    assert found is not None
    return found


def executions(session: Session, *, counted: bool = True, executed: bool = True) -> list[Write]:
    """One execution's row, with a new id."""
    (row_write,) = execution(session)
    assert row_write.row is not None
    row = json.loads(row_write.row) | {"id": ordered_id(), "counted": counted, "executed": executed}
    return [Write("write_requests", row=json.dumps(row))]


def register(tables: Tables, owner: str, name: LanguageTitle, text: str, made: datetime | None = None) -> str:
    script = Script.of(text)
    session = new_session(owner, name=name, script_hash=script.hash, created_at=made or now())
    write(tables, *script_writes(script), *function_writes(session))
    return script.hash


def function(tables: Tables, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str]:
    targets = tables.function_targets(name, owner)
    assert targets is not None
    found = tables.function_version(targets.function_id, targets.newest)
    assert found is not None
    return found


def own_hash(tables: Tables, name: LanguageTitle, owner: str) -> str:
    content = tables.own_content(name, owner)
    assert content is not None
    return content.script_hash


def predefine(tables: Tables, name: LanguageTitle, text: str = "return 0", about: str = "x") -> None:
    script = Script.of(text)
    parameters = {
        "language": name.language,
        "title": name.title,
        "description": about,
        "tags": ["a", "b"],
        "schema": '{"params": {"type": "object"}}',
        "examples": '[{"params": {}}]',
        "script_hash": script.hash,
    }
    tables.write_together([*statements(script_writes(script)), ("put_predefined_function", parameters)])
