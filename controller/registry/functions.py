"""FunctionCatalog: the registered functions a user sees: their own, and the predefined ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from msgspec import UNSET

from controller.errors import NotFound
from controller.models.registered import LanguageTitle, Script, canonical, rfc3339
from controller.models.responses import (
    FunctionDetail,
    FunctionExample,
    FunctionPage,
    FunctionSchemas,
    FunctionSummary,
)
from controller.models.stored import FunctionFilter, StoredFunction

#: Days that the versions of a deleted function stay.
VERSIONS_KEPT_DAYS = 30
CLEANING_BATCH = 1000


class FunctionRows(Protocol):
    """Where functions last. Every method raises StoreUnavailable while it is away."""

    def function(self, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str] | None:
        """Return a function and its script: the owner's own, else the predefined one."""

    def function_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """Return the hash of the script that the owner has registered under the name."""

    def functions(self, owner: str, chosen: FunctionFilter, most: int, skipped: int) -> list[StoredFunction]:
        """Return up to `most` functions that the owner sees, by name, without the first `skipped`."""

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """Return how many functions the owner sees."""

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """Delete an own function and keep its versions. Returns False if there is none."""

    def delete_old_versions(self, days: int, batch: int) -> int:
        """Delete up to `batch` versions of functions that were deleted before `days`. Returns how many."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What a session begins with: a script, and the JSON Schema of its params where the function has one."""

    script: Script
    params_schema: str | None = None


class FunctionCatalog:
    """Reads functions from PostgreSQL. Every method raises StoreUnavailable while that is away."""

    def __init__(self, rows: FunctionRows) -> None:
        self._rows = rows

    def registered(self, name: LanguageTitle, owner: str) -> Registered:
        """What is registered under `name`.

        Raises:
            NotFound: nothing is.
        """
        function, content = self._function(name, owner)
        schema = function.schema.get("params")
        return Registered(Script.of(content), None if schema is None else canonical(schema))

    def require_own(self, name: LanguageTitle, owner: str) -> None:
        """Raises NotFound unless the function is the owner's own."""
        function, _ = self._function(name, owner)
        if function.user_id != owner:
            raise _unknown(name)

    def delete(self, name: LanguageTitle, owner: str) -> None:
        """Ends an own function; its versions, and the sessions that began with it, go on until their own end.

        Raises:
            NotFound: there is none.
        """
        if not self._rows.delete_function(name, owner):
            raise _unknown(name)

    def clean_up(self) -> int:
        """Deletes old versions of deleted functions; returns how many."""
        return self._rows.delete_old_versions(VERSIONS_KEPT_DAYS, CLEANING_BATCH)

    def script_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """The hash of what the owner has registered under `name`; None: nothing of their own."""
        return self._rows.function_hash(name, owner)

    def page(self, owner: str, query: Mapping[str, Any]) -> FunctionPage:
        """One page of the list, with the filters of `query`, see FunctionsSchema."""
        chosen = FunctionFilter(query.get("language"), query.get("user_id"), query.get("type"))
        page, per_page = query["page"], query["per_page"]
        functions = self._rows.functions(owner, chosen, per_page, (page - 1) * per_page)
        total = self._rows.count_functions(owner, chosen)
        return FunctionPage(total, page, per_page, [FunctionSummary(**_summary(each)) for each in functions])

    def detail(self, name: LanguageTitle, owner: str) -> FunctionDetail:
        """All there is to know of a function; the script only of one's own.

        Raises:
            NotFound: there is none.
        """
        function, content = self._function(name, owner)
        return FunctionDetail(
            **_summary(function),
            version=function.version,
            tags=list(function.tags),
            # As they are stored: documents that only clients read.
            schema=cast(FunctionSchemas, function.schema),
            examples=cast(list[FunctionExample], function.examples),
            compile_options=dict(function.compile_options),
            script_content=content if function.type == "dynamic" else UNSET,
        )

    def _function(self, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str]:
        found = self._rows.function(name, owner)
        if found is None:
            raise _unknown(name)
        return found


def _unknown(name: LanguageTitle) -> NotFound:
    return NotFound(f"there is no function {name}")


def _summary(function: StoredFunction) -> dict[str, Any]:
    return {
        "language": function.name.language,
        "title": function.name.title,
        "language_title": str(function.name),
        "description": function.description,
        "type": function.type,
        "user_id": function.user_id,
        "created_at": rfc3339(function.created_at),
        "updated_at": rfc3339(function.updated_at),
    }
