"""FunctionCatalog: the registered functions that a user sees: their own and the predefined ones."""

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

#: Days that the versions of a deleted function are kept.
VERSIONS_KEPT_DAYS = 30
CLEANING_BATCH = 1000


class FunctionRows(Protocol):
    """The permanent store of functions. Every method raises StoreUnavailable while the store is away."""

    def function(self, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str] | None:
        """Return a function and its script: the owner's own, else the predefined one."""

    def function_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """Return the hash of the script that the owner has registered under the name."""

    def functions(self, owner: str, chosen: FunctionFilter, most: int, skipped: int) -> list[StoredFunction]:
        """Return up to `most` functions that the owner sees, by name, without the first `skipped`."""

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """Return how many functions the owner sees."""

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """Delete the owner's function and keep its versions. Return False if there is none."""

    def delete_old_versions(self, days: int, batch: int) -> int:
        """Delete up to `batch` versions of functions that were deleted more than `days` ago. Return how many."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The script of a session, and the JSON Schema of its params if the function has one."""

    script: Script
    params_schema: str | None = None


class FunctionCatalog:
    """Reads and deletes functions in PostgreSQL. Every method raises StoreUnavailable while PostgreSQL is away."""

    def __init__(self, rows: FunctionRows) -> None:
        self._rows = rows

    def registered(self, name: LanguageTitle, owner: str) -> Registered:
        """Return the function that is registered under `name`.

        Raises:
            NotFound: there is none.
        """
        function, content = self._function(name, owner)
        schema = function.schema.get("params")
        return Registered(Script.of(content), None if schema is None else canonical(schema))

    def require_own(self, name: LanguageTitle, owner: str) -> None:
        """Check that the function belongs to the owner.

        Raises:
            NotFound: it does not, or there is none.
        """
        function, _ = self._function(name, owner)
        if function.user_id != owner:
            raise _unknown(name)

    def delete(self, name: LanguageTitle, owner: str) -> None:
        """Delete the owner's function. Its versions stay until they are cleaned up, its sessions until they expire.

        Raises:
            NotFound: there is none.
        """
        if not self._rows.delete_function(name, owner):
            raise _unknown(name)

    def clean_up(self) -> int:
        """Delete old versions of deleted functions. Return how many."""
        return self._rows.delete_old_versions(VERSIONS_KEPT_DAYS, CLEANING_BATCH)

    def script_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """Return the hash of the script that the owner has registered under `name`. None: there is none."""
        return self._rows.function_hash(name, owner)

    def page(self, owner: str, query: Mapping[str, Any]) -> FunctionPage:
        """Return one page of the list, with the filters of `query`, see FunctionsSchema."""
        chosen = FunctionFilter(query.get("language"), query.get("user_id"), query.get("type"))
        page, per_page = query["page"], query["per_page"]
        functions = self._rows.functions(owner, chosen, per_page, (page - 1) * per_page)
        total = self._rows.count_functions(owner, chosen)
        return FunctionPage(total, page, per_page, [FunctionSummary(**_summary(each)) for each in functions])

    def detail(self, name: LanguageTitle, owner: str) -> FunctionDetail:
        """Return a function in detail. The script is included only for its owner.

        Raises:
            NotFound: there is none.
        """
        function, content = self._function(name, owner)
        return FunctionDetail(
            **_summary(function),
            version=function.version,
            tags=list(function.tags),
            # Passed on as they are stored: only clients read these documents.
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
