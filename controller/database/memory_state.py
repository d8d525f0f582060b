"""MemoryState: the rows of `MemoryTables`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from controller.errors import StoreRejected
from controller.models.registered import ArtifactKey, LanguageTitle
from controller.models.stored import Alias, FunctionContent, StoredFunction, StoredSession

#: Owner and name. The owner None: a predefined function.
FunctionKey = tuple[str | None, LanguageTitle]


class Function(NamedTuple):
    """A function, and its newest version."""

    id: str
    row: StoredFunction
    #: The highest number that a version of it ever had.
    last_version: int


class Version(NamedTuple):
    """A version of a function."""

    content: FunctionContent
    created_at: datetime
    #: When its function was deleted.
    deleted_at: datetime | None = None


class Execution(NamedTuple):
    """An execution of a session."""

    session_id: str
    created_at: datetime
    counted: bool


@dataclass
class MemoryState:
    """All rows. Rows are immutable, so a copy of the collections is a snapshot."""

    scripts: dict[str, str] = field(default_factory=dict)
    artifacts: dict[ArtifactKey, bytes] = field(default_factory=dict)
    functions: dict[FunctionKey, Function] = field(default_factory=dict)
    #: By function and number.
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    #: By function and alias.
    aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    #: The last numbers of deleted functions.
    numbers: dict[FunctionKey, int] = field(default_factory=dict)
    sessions: dict[str, StoredSession] = field(default_factory=dict)
    #: Sessions behind executions by name.
    by_name: set[str] = field(default_factory=set)
    #: Ends of sessions with rows that are not written yet.
    ends: dict[str, str] = field(default_factory=dict)
    executions: dict[UUID, Execution] = field(default_factory=dict)
    #: The rows of the log.
    requests: dict[UUID, Mapping[str, Any]] = field(default_factory=dict)

    def copy(self) -> "MemoryState":
        """Return a snapshot."""
        return MemoryState(*(getattr(self, one.name).copy() for one in fields(self)))

    def require_script(self, script_hash: str) -> None:
        """Raise StoreRejected if the script of a row is missing."""
        if script_hash not in self.scripts:
            raise StoreRejected(f"there is no script {script_hash}")
