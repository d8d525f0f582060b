"""FunctionCatalog: the registered functions a user sees: their own, and the predefined ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.database.postgres import Postgres
from controller.errors import NotFound
from controller.models.registered import LanguageTitle, Script, canonical, rfc3339

Row = Mapping[str, Any]
VERSIONS_KEPT_DAYS = 30
"""Days that the versions of a deleted function stay."""
CLEANING_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Registered:
    """What a session begins with: a script, and the JSON Schema of its params where the function has one."""

    script: Script
    params_schema: str | None = None


class FunctionCatalog:
    """Reads functions from PostgreSQL; every method raises StoreUnavailable when that is away."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def registered(self, name: LanguageTitle, owner: str) -> Registered:
        """What is registered under `name`.

        Raises:
            NotFound: nothing is.
        """
        row = self._row(name, owner)
        schema = row["schema"].get("params")
        return Registered(Script.of(row["script_content"]), None if schema is None else canonical(schema))

    def require_own(self, name: LanguageTitle, owner: str) -> None:
        """Raises NotFound unless the function is the owner's own."""
        if self._row(name, owner)["user_id"] != owner:
            raise _unknown(name)

    def delete(self, name: LanguageTitle, owner: str) -> None:
        """Ends an own function; its versions, and the sessions that began with it, go on until their own end.

        Raises:
            NotFound: there is none.
        """
        if not self._postgres.query("delete_function", language=name.language, title=name.title, owner=owner):
            raise _unknown(name)

    def clean_up(self) -> int:
        """Deletes old versions of deleted functions; returns how many."""
        deleted: int = self._postgres.query(
            "delete_old_versions", days=VERSIONS_KEPT_DAYS, batch=CLEANING_BATCH
        )
        return deleted

    def script_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """The hash of what the owner has registered under `name`; None: nothing of their own."""
        found: str | None = self._postgres.query(
            "function_hash", language=name.language, title=name.title, owner=owner
        )
        return found

    def page(self, owner: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """One page of the list, with the filters of `query`, see FunctionsSchema."""
        filters = {name: query.get(name) for name in ("language", "user_id", "type")}
        page, per_page = query["page"], query["per_page"]
        rows = self._postgres.query(
            "functions", owner=owner, per_page=per_page, skipped=(page - 1) * per_page, **filters
        )
        return {
            "total": self._postgres.query("count_functions", owner=owner, **filters),
            "page": page,
            "per_page": per_page,
            "functions": [_summary(row) for row in rows],
        }

    def detail(self, name: LanguageTitle, owner: str) -> dict[str, Any]:
        """All there is to know of a function; the script only of one's own.

        Raises:
            NotFound: there is none.
        """
        row = self._row(name, owner)
        document = _summary(row) | {
            "version": row["version"],
            "tags": row["tags"],
            "schema": row["schema"],
            "examples": row["examples"],
            "compile_options": row["compile_options"],
        }
        return document | ({"script_content": row["script_content"]} if row["type"] == "dynamic" else {})

    def _row(self, name: LanguageTitle, owner: str) -> Row:
        row: Row | None = self._postgres.query(
            "function", language=name.language, title=name.title, owner=owner
        )
        if row is None:
            raise _unknown(name)
        return row


def _unknown(name: LanguageTitle) -> NotFound:
    return NotFound(f"there is no function {name}")


def _summary(row: Row) -> dict[str, Any]:
    return {
        "language": row["language"],
        "title": row["title"],
        "language_title": f"{row['language']}-{row['title']}",
        "description": row["description"],
        "type": row["type"],
        "user_id": row["user_id"],
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]),
    }
