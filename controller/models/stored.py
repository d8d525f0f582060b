"""The rows of sessions and functions in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from controller.models.registered import LanguageTitle, Session


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session with its counts.

    Attributes:
        execution_count: executions that have a row.
        uncounted: those of them that Redis did not count because it was away.
    """

    session: Session
    execution_count: int
    uncounted: int
    last_executed_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StoredSession":
        """Read a row of `sessions`."""
        counts = row["execution_count"], row["uncounted"], row["last_executed_at"]
        return cls(Session.from_record(row), *counts)


@dataclass(frozen=True, slots=True)
class StoredFunction:
    """A registered function. If `user_id` is None it is predefined and every user sees it."""

    name: LanguageTitle
    user_id: str | None
    description: str
    version: int
    script_hash: str
    compile_options: Mapping[str, Any]
    schema: Mapping[str, Any]
    examples: Sequence[Any]
    tags: Sequence[str]
    created_at: datetime
    updated_at: datetime

    @property
    def type(self) -> str:
        """The type in the contract: `predefined` or `dynamic`."""
        return "predefined" if self.user_id is None else "dynamic"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StoredFunction":
        """Read a row of `functions`."""
        fields = {name: row[name] for name in cls.__slots__ if name != "name"}
        return cls(name=LanguageTitle(row["language"], row["title"]), **fields)


class FunctionFilter(NamedTuple):
    """The filters of a list of functions. None: any."""

    language: str | None = None
    user_id: str | None = None
    type: str | None = None


class Held(NamedTuple):
    """Counts of one user's live sessions and registered functions. Counting stops at the limit."""

    sessions: int
    functions: int
