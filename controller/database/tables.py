"""PostgresTables: the queries of the registry and the quotas.

`memory` has the same methods without a server. Every method raises StoreUnavailable while PostgreSQL is away.
"""

import json
from base64 import b64encode
from typing import Any

from controller.database.postgres import QUERIES, Postgres
from controller.models.registered import FIRST, ArtifactKey, LanguageTitle
from controller.models.stored import (
    Alias,
    AliasWrite,
    Beginning,
    Deletion,
    Ended,
    FunctionContent,
    FunctionFilter,
    FunctionTargets,
    Held,
    NewSession,
    Statements,
    StoredFunction,
    StoredSession,
    StoredVersion,
)

#: Name of the lock for deleting expired sessions: one process at a time does it.
CLEANING = "clean up sessions"


class PostgresTables:
    """Sessions, functions, scripts and artifacts in PostgreSQL."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def write_together(self, statements: Statements) -> None:
        """Execute named queries in one transaction, see `Postgres.write_together`."""
        self._postgres.write_together(statements)

    def session(self, request_id: str) -> StoredSession | None:
        """Return a session, even if it has ended or expired."""
        row = self._postgres.query("session", request_id=request_id)
        return None if row is None else StoredSession.of(row)

    def begin_session(self, new: NewSession, most: Held) -> Beginning:
        """See `SessionRows.begin_session`."""
        row = self._postgres.row("begin_session", _beginning(new, most))
        return Beginning(Ended(row["ended"]), row["replaces"], row["at_bound"])

    def end_session(self, request_id: str, status: str) -> bool:
        """End a session, or record the end of one that is not written yet. Return False if it had ended."""
        with self._postgres.transaction() as connection:
            return bool(QUERIES.end_session(connection, request_id=request_id, status=status))

    def delete_expired_sessions(self, batch: int) -> tuple[int, int] | None:
        """Delete up to `batch` sessions that expired more than a day ago.

        Returns:
            The number of deleted and of active sessions. None: another process is deleting.
        """
        with self._postgres.transaction() as connection:
            if not QUERIES.try_lock(connection, name=CLEANING):
                return None
            deleted = QUERIES.delete_expired_sessions(connection, batch=batch)
            return deleted, QUERIES.count_active_sessions(connection)

    def own_content(self, name: LanguageTitle, owner: str) -> FunctionContent | None:
        """Return the newest version of the owner's function. None: there is none."""
        row = self._postgres.query("own_content", **_owned(name, owner))
        return None if row is None else FunctionContent.of(row)

    def functions(
        self, owner: str, chosen: FunctionFilter, most: int, skipped: int, after: LanguageTitle = FIRST
    ) -> list[StoredFunction]:
        """Return up to `most` functions that the owner sees, by name, without the first `skipped`."""
        rows = self._postgres.query(
            "functions",
            owner=owner,
            per_page=most,
            skipped=skipped,
            after_language=after.language,
            after_title=after.title,
            **chosen._asdict(),
        )
        return [StoredFunction.of(row) for row in rows]

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """Return how many functions the owner sees."""
        found: int = self._postgres.query("count_functions", owner=owner, **chosen._asdict())
        return found

    def function_targets(self, name: LanguageTitle, owner: str | None) -> FunctionTargets | None:
        """See `FunctionRows.function_targets`."""
        row = self._postgres.query("function_targets", **_owned(name, owner))
        if row is None:
            return None
        aliases = {alias: Alias(**target) for alias, target in row["aliases"].items()}
        return FunctionTargets(row["function_id"], row["user_id"], row["version"], row["updated_at"], aliases)

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        """See `FunctionRows.function_version`."""
        row = self._postgres.query("function_version", function_id=function_id, version=version)
        return None if row is None else (StoredFunction.of(row), row["script_content"])

    def versions(self, name: LanguageTitle, owner: str, before: int, most: int) -> list[StoredVersion]:
        """See `FunctionRows.versions`."""
        rows = self._postgres.query("versions", **_owned(name, owner), before=before, most=most)
        return [StoredVersion(**row) for row in rows]

    def put_version(
        self, name: LanguageTitle, owner: str, based_on: int, content: FunctionContent, writes: Statements
    ) -> int | None:
        """See `FunctionRows.put_version`."""
        documents = {
            key: json.dumps(getattr(content, key))
            for key in ("compile_options", "schema", "examples", "defaults")
        }
        with self._postgres.transaction("put_version") as connection:
            for query, parameters in writes:
                getattr(QUERIES, query)(connection, **parameters)
            made: int | None = QUERIES.put_version(
                connection,
                user_id=owner,
                language=name.language,
                title=name.title,
                based_on=based_on,
                script_hash=content.script_hash,
                description=content.description,
                tags=list(content.tags),
                enforce_result=content.enforce_result,
                packages=list(content.packages),
                environment=content.environment,
                **documents,
            )
        return made

    def delete_version(self, name: LanguageTitle, owner: str, version: int) -> Deletion:
        """See `FunctionRows.delete_version`."""
        with self._postgres.transaction("delete_version") as connection:
            function = QUERIES.lock_function(connection, **_owned(name, owner))
            if function is None:
                return Deletion.UNKNOWN
            chosen = {"function_id": function["function_id"], "version": version}
            use = QUERIES.version_use(connection, **chosen)
            if not use["known"]:
                return Deletion.UNKNOWN
            if use["named"]:
                return Deletion.NAMED
            if use["only_one"]:
                return Deletion.ONLY
            QUERIES.delete_version(connection, **chosen)
            QUERIES.show_newest_version(connection, function_id=function["function_id"])
        return Deletion.DONE

    def put_alias(self, name: LanguageTitle, owner: str, alias: str, target: Alias, most: int) -> AliasWrite:
        """See `FunctionRows.put_alias`."""
        with self._postgres.transaction("put_alias") as connection:
            function = QUERIES.lock_function(connection, **_owned(name, owner))
            if function is None:
                return AliasWrite.UNKNOWN
            function_id = function["function_id"]
            for version in {target.version, target.canary_version} - {None}:
                if not QUERIES.version_use(connection, function_id=function_id, version=version)["known"]:
                    return AliasWrite.UNKNOWN
            others = {row["alias"] for row in QUERIES.aliases(connection, function_id=function_id)} - {alias}
            if len(others) >= most:
                return AliasWrite.FULL
            new = QUERIES.put_alias(connection, function_id=function_id, alias=alias, **target._asdict())
        return AliasWrite.CREATED if new else AliasWrite.CHANGED

    def delete_alias(self, name: LanguageTitle, owner: str, alias: str) -> bool:
        """See `FunctionRows.delete_alias`."""
        return bool(self._postgres.query("delete_alias", **_owned(name, owner), alias=alias))

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """Delete the owner's function and its aliases, and keep its versions. Return False if there is none."""
        return bool(self._postgres.query("delete_function", **_owned(name, owner)))

    def delete_old_versions(self, days: int, batch: int) -> int:
        """Delete up to `batch` versions of functions that were deleted more than `days` ago. Return how many."""
        deleted: int = self._postgres.query("delete_old_versions", days=days, batch=batch)
        return deleted

    def names_environment(self, owner: str, digest: str) -> bool:
        """See `EnvironmentOwners.names_environment`."""
        return bool(self._postgres.query("names_environment", owner=owner, digest=digest))

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """Count what the owner has, up to `most`, without the function `other_than`."""
        row = self._postgres.query(
            "held_by_user",
            owner=owner,
            sessions_max=most.sessions,
            functions_max=most.functions,
            language=other_than.language,
            title=other_than.title,
        )
        return Held(row["sessions"], row["functions"])

    def script(self, script_hash: str) -> str | None:
        """Return a script's text."""
        content: str | None = self._postgres.query("script", script_hash=script_hash)
        return content

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """Return a compiled artifact."""
        stored = self._postgres.query(
            "artifact",
            script_hash=key.script_hash,
            language=key.language,
            compile_options=key.compile_options,
        )
        return None if stored is None else bytes(stored)


def _owned(name: LanguageTitle, owner: str | None) -> dict[str, str | None]:
    return {"language": name.language, "title": name.title, "owner": owner}


def _beginning(new: NewSession, most: Held) -> dict[str, Any]:
    session = new.session
    return {
        **session.columns(),
        "script_content": new.script.content,
        "result_schema": session.result_schema,
        "artifact_options": session.artifact_key.compile_options,
        "artifact": None if new.artifact is None else b64encode(new.artifact).decode(),
        "registers": new.registers,
        "plain": new.plain,
        "packages": list(new.packages),
        "sessions_max": most.sessions,
        "functions_max": most.functions,
    }
