"""FunctionCatalog: the registered functions that a user sees: their own and the predefined ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from controller.errors import Conflict, NotFound
from controller.models.cursors import cursor_of
from controller.models.registered import FunctionRef, LanguageTitle, Script, canonical, rfc3339
from controller.models.requests import FunctionsQuery
from controller.models.responses import AliasAnswer, FunctionDetail, FunctionPage, FunctionVersion
from controller.models.stored import (
    Alias,
    AliasWrite,
    Deletion,
    FunctionContent,
    FunctionTargets,
    StoredFunction,
)
from controller.registry.function_answers import alias_answer, detail_answer, summary_answer
from controller.registry.function_memory import FunctionMemory
from controller.registry.references import Asker, Choice, choose
from controller.registry.rows import FunctionRows
from controller.request_log.writes import Write

#: Days that the versions of a deleted function are kept.
VERSIONS_KEPT_DAYS = 30
CLEANING_BATCH = 1000
#: Most aliases of a function.
ALIASES_MAX = 20


@dataclass(frozen=True, slots=True)
class Registered:
    """The script of a session, and the JSON Schemas of its params and results if the function has them.

    Attributes:
        packages: the field `packages` of the function.
        environment: the digest of the version's environment. None: it has no packages.
    """

    script: Script
    params_schema: str | None = None
    result_schema: str | None = None
    packages: Sequence[str] = ()
    environment: str | None = None

    @classmethod
    def of(cls, content: FunctionContent, script: Script) -> "Registered":
        """Return what a session takes from a version, or from the newest one if its script is to replace it."""
        schemas = {name: canonical(schema) for name, schema in content.schema.items()}
        return cls(
            script,
            schemas.get("params"),
            schemas.get("result") if content.enforce_result else None,
            content.packages,
            content.environment,
        )


class OwnFunction(NamedTuple):
    """The newest version of a user's function."""

    version: int
    content: FunctionContent
    script: Script


class Use(NamedTuple):
    """The version that an execution by name runs, and how it was named."""

    function_id: str
    function: StoredFunction
    choice: Choice


class FunctionCatalog:
    """Functions, their versions and aliases in PostgreSQL. All raise StoreUnavailable while it is away.

    Args:
        rows: the permanent store.
        clock: seconds that go on evenly.
    """

    def __init__(self, rows: FunctionRows, clock: Callable[[], float] = monotonic) -> None:
        self._rows = rows
        self._memory = FunctionMemory(rows, clock)

    def registered(self, ref: FunctionRef, owner: str, asker: Asker | None = None) -> Registered:
        """Return what `ref` names, for a new session.

        Args:
            ref: the reference.
            owner: the caller.
            asker: the caller and the request. None: takes no canary.

        Raises:
            NotFound: there is none.
        """
        function, script, _ = self._function(ref, owner, asker)
        return Registered.of(function.content, Script(script, function.content.script_hash))

    def replaced(self, name: LanguageTitle, owner: str, script: Script) -> Registered:
        """Return what a new session with this script takes from the function of the owner that it replaces."""
        content = self._rows.own_content(name, owner)
        return Registered(script) if content is None else Registered.of(content, script)

    def use(
        self, ref: FunctionRef, owner: str | None, asker: Asker, before_wait: Callable[[], object]
    ) -> Use:
        """Return the version that an execution by name runs, as it was less than a second ago.

        Args:
            ref: the reference.
            owner: the caller. None: one who sees predefined functions only.
            asker: the caller and the request.
            before_wait: called before a wait for the store.

        Raises:
            NotFound: there is none.
        """
        known = self._memory.function((owner, ref.name), before_wait)
        choice = None if known is None else choose(known.targets, ref.selector, asker)
        if known is None or choice is None:
            raise unknown(ref)
        function = self._memory.version(known, choice.version)
        if function is None:
            raise unknown(ref)
        return Use(known.targets.function_id, function, choice)

    def forget(self, name: LanguageTitle, owner: str) -> None:
        """Forget what is remembered of a function, since this process changes it."""
        self._memory.forget((owner, name))

    def require_own(self, name: LanguageTitle, owner: str) -> None:
        """Check that the function belongs to the owner.

        Raises:
            NotFound: it does not, or there is none.
        """
        targets = self._rows.function_targets(name, owner)
        if targets is None or targets.user_id != owner:
            raise unknown(name)

    def newest_own(self, name: LanguageTitle, owner: str) -> OwnFunction | None:
        """Return the newest version of the owner's function. None: there is none."""
        targets = self._rows.function_targets(name, owner)
        if targets is None or targets.user_id != owner:
            return None
        found = self._rows.function_version(targets.function_id, targets.newest)
        if found is None:
            return None
        content = found[0].content
        return OwnFunction(targets.newest, content, Script(found[1], content.script_hash))

    def put_version(
        self,
        name: LanguageTitle,
        owner: str,
        based_on: int,
        content: FunctionContent,
        writes: Iterable[Write],
    ) -> int | None:
        """Make a version. Return its number, or None if `based_on` is not the newest any more."""
        statements = [(write.query, write.parameters) for write in writes]
        made = self._rows.put_version(name, owner, based_on, content, statements)
        self.forget(name, owner)
        return made

    def versions(self, name: LanguageTitle, owner: str, before: int, most: int) -> list[FunctionVersion]:
        """Return up to `most` versions with numbers below `before`, the newest first.

        Raises:
            NotFound: there is no such function.
        """
        if self._rows.function_targets(name, owner) is None:
            raise unknown(name)
        return [
            FunctionVersion(one.version, one.script_hash, rfc3339(one.created_at), list(one.aliases))
            for one in self._rows.versions(name, owner, before, most)
        ]

    def delete_version(self, name: LanguageTitle, owner: str, version: int) -> None:
        """Delete a version of the owner's function.

        Raises:
            NotFound: there is no such version.
            Conflict: an alias names it, or it is the only one.
        """
        ended = self._rows.delete_version(name, owner, version)
        self.forget(name, owner)
        if ended is Deletion.UNKNOWN:
            raise unknown(FunctionRef(name, str(version)))
        if ended is Deletion.NAMED:
            raise Conflict(f"an alias names version {version}")
        if ended is Deletion.ONLY:
            raise Conflict("this is the only version: delete the function")

    def put_alias(self, name: LanguageTitle, owner: str, alias: str, target: Alias) -> bool:
        """Set an alias of the owner's function. Return whether it is new.

        Raises:
            NotFound: the function or the version is not there.
            Conflict: the function has as many aliases as it may have.
        """
        written = self._rows.put_alias(name, owner, alias, target, ALIASES_MAX)
        self.forget(name, owner)
        if written is AliasWrite.UNKNOWN:
            raise NotFound("there is no such function or version")
        if written is AliasWrite.FULL:
            raise Conflict(f"a function may have {ALIASES_MAX} aliases: delete one")
        return written is AliasWrite.CREATED

    def delete_alias(self, name: LanguageTitle, owner: str, alias: str) -> None:
        """Delete an alias of the owner's function. Raises NotFound if there is none."""
        deleted = self._rows.delete_alias(name, owner, alias)
        self.forget(name, owner)
        if not deleted:
            raise unknown(FunctionRef(name, alias))

    def aliases(self, name: LanguageTitle, owner: str) -> list[AliasAnswer]:
        """Return the aliases of a function, by name. Raises NotFound if there is no such function."""
        targets = self._rows.function_targets(name, owner)
        if targets is None:
            raise unknown(name)
        return [alias_answer(alias, target) for alias, target in sorted(targets.aliases.items())]

    def require(self, reference: FunctionRef, owner: str) -> None:
        """Check that the reference names a function that the owner sees.

        Raises:
            NotFound: there is none, or it has no such version.
        """
        self._function(reference, owner)

    def delete(self, name: LanguageTitle, owner: str) -> None:
        """Delete the owner's function. Its versions stay until they are cleaned up, its sessions until they expire.

        Raises:
            NotFound: there is none.
        """
        deleted = self._rows.delete_function(name, owner)
        self.forget(name, owner)
        if not deleted:
            raise unknown(name)

    def clean_up(self) -> int:
        """Delete old versions of deleted functions. Return how many."""
        return self._rows.delete_old_versions(VERSIONS_KEPT_DAYS, CLEANING_BATCH)

    def page(self, owner: str, query: FunctionsQuery) -> FunctionPage:
        """Return one page of the list. A page that a cursor names costs the same however many functions there are."""
        skipped = 0 if query.page is None else (query.page - 1) * query.per_page
        found = self._rows.functions(owner, query.chosen, query.per_page + 1, skipped, query.after)
        functions = [summary_answer(each) for each in found[: query.per_page]]
        last = found[query.per_page - 1].name if len(found) > query.per_page else None
        cursor = None if last is None else cursor_of([last.language, last.title])
        if query.page is None:
            return FunctionPage(per_page=query.per_page, functions=functions, cursor=cursor)
        total = self._rows.count_functions(owner, query.chosen)
        return FunctionPage(
            total=total, page=query.page, per_page=query.per_page, functions=functions, cursor=cursor
        )

    def detail(self, ref: FunctionRef, owner: str) -> FunctionDetail:
        """Return a version of a function in detail. The script is included only for its owner.

        Raises:
            NotFound: there is none.
        """
        function, script, targets = self._function(ref, owner)
        return detail_answer(function, script, targets)

    def _function(
        self, ref: FunctionRef, owner: str, asker: Asker | None = None
    ) -> tuple[StoredFunction, str, FunctionTargets]:
        targets = self._rows.function_targets(ref.name, owner)
        choice = None if targets is None else choose(targets, ref.selector, asker)
        if targets is None or choice is None:
            raise unknown(ref)
        found = self._rows.function_version(targets.function_id, choice.version)
        if found is None:
            raise unknown(ref)
        return *found, targets


def unknown(ref: FunctionRef | LanguageTitle) -> NotFound:
    """Return the error for a reference that names nothing that the caller sees."""
    return NotFound(f"there is no function {ref}")
