"""MemoryFunctions: the part of `MemoryTables` that has functions, their versions and aliases."""

import json
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

from controller.database.memory_state import Function, FunctionKey, MemoryState, Version
from controller.models.registered import FIRST, LanguageTitle, now
from controller.models.stored import (
    Alias,
    AliasWrite,
    Deletion,
    FunctionContent,
    FunctionFilter,
    FunctionTargets,
    Statements,
    StoredFunction,
    StoredVersion,
)

#: Most difference between the clocks of controllers. Within it, the last write wins.
CLOCK_SKEW = timedelta(seconds=10)
#: Most versions of a function.
VERSIONS_MAX = 1000


class MemoryFunctions(ABC):
    """Functions in dictionaries. See `controller.registry.rows.FunctionRows` for what the methods do."""

    def __init__(self) -> None:
        self._state = MemoryState()

    @abstractmethod
    def write_together(self, statements: Statements) -> None:
        """Execute named statements, all or none."""

    def function_targets(self, name: LanguageTitle, owner: str | None) -> FunctionTargets | None:
        """See `FunctionRows.function_targets`."""
        found = self._visible(name, owner)
        if found is None:
            return None
        return FunctionTargets(
            found.id, found.row.user_id, found.row.newest, found.row.updated_at, self._aliases(found.id)
        )

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        """See `FunctionRows.function_version`."""
        state = self._state
        found = next((one for one in state.functions.values() if one.id == function_id), None)
        known = state.versions.get((function_id, version))
        if found is None or known is None:
            return None
        row = replace(found.row, version=version, content=known.content)
        return row, state.scripts[known.content.script_hash]

    def versions(self, name: LanguageTitle, owner: str, before: int, most: int) -> list[StoredVersion]:
        """See `FunctionRows.versions`."""
        found = self._visible(name, owner)
        if found is None:
            return []
        aliases = self._aliases(found.id)
        numbers = (number for number in self._numbers(found.id)[::-1] if number < before)
        return [
            StoredVersion(
                number,
                self._state.versions[found.id, number].content.script_hash,
                self._state.versions[found.id, number].created_at,
                sorted(alias for alias, target in aliases.items() if number in target[:2]),
            )
            for number in islice(numbers, most)
        ]

    def put_version(
        self, name: LanguageTitle, owner: str, based_on: int, content: FunctionContent, writes: Statements
    ) -> int | None:
        """See `FunctionRows.put_version`."""
        known = self._state.functions.get((owner, name))
        if based_on != (0 if known is None else known.row.newest):
            return None
        self.write_together(writes)
        moment = now()
        created_at = moment if known is None else known.row.created_at
        row = StoredFunction(name, owner, 0, 0, content, created_at, moment)
        return self._put((owner, name), known, row, makes_version=True).row.newest

    def delete_version(self, name: LanguageTitle, owner: str, version: int) -> Deletion:
        """See `FunctionRows.delete_version`."""
        found = self._state.functions.get((owner, name))
        if found is None or (found.id, version) not in self._state.versions:
            return Deletion.UNKNOWN
        if any(version in target[:2] for target in self._aliases(found.id).values()):
            return Deletion.NAMED
        if len(self._numbers(found.id)) == 1:
            return Deletion.ONLY
        del self._state.versions[found.id, version]
        newest = self._numbers(found.id)[-1]
        content = self._state.versions[found.id, newest].content
        row = replace(found.row, version=newest, newest=newest, content=content, updated_at=now())
        self._state.functions[owner, name] = found._replace(row=row)
        return Deletion.DONE

    def put_alias(self, name: LanguageTitle, owner: str, alias: str, target: Alias, most: int) -> AliasWrite:
        """See `FunctionRows.put_alias`."""
        found = self._state.functions.get((owner, name))
        if found is None or not {target.version, target.canary_version} - {None} <= set(
            self._numbers(found.id)
        ):
            return AliasWrite.UNKNOWN
        present = self._aliases(found.id)
        if len(present.keys() - {alias}) >= most:
            return AliasWrite.FULL
        self._state.aliases[found.id, alias] = target
        return AliasWrite.CHANGED if alias in present else AliasWrite.CREATED

    def delete_alias(self, name: LanguageTitle, owner: str, alias: str) -> bool:
        """See `FunctionRows.delete_alias`."""
        found = self._state.functions.get((owner, name))
        return found is not None and self._state.aliases.pop((found.id, alias), None) is not None

    def own_content(self, name: LanguageTitle, owner: str) -> FunctionContent | None:
        """See `FunctionRows.own_content`."""
        found = self._state.functions.get((owner, name))
        return None if found is None else found.row.content

    def functions(
        self, owner: str, chosen: FunctionFilter, most: int, skipped: int, after: LanguageTitle = FIRST
    ) -> list[StoredFunction]:
        """See `FunctionRows.functions`."""
        listed = [one for one in self._listed(owner, chosen) if _order(one.name) > _order(after)]
        return listed[skipped : skipped + most]

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """See `FunctionRows.count_functions`."""
        return len(self._listed(owner, chosen))

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """See `FunctionRows.delete_function`."""
        state = self._state
        gone = state.functions.pop((owner, name), None)
        if gone is None:
            return False
        state.numbers[owner, name] = gone.last_version
        state.aliases = {key: target for key, target in state.aliases.items() if key[0] != gone.id}
        for number in self._numbers(gone.id):
            state.versions[gone.id, number] = state.versions[gone.id, number]._replace(deleted_at=now())
        return True

    def delete_old_versions(self, days: int, batch: int) -> int:
        """See `FunctionRows.delete_old_versions`."""
        versions, before = self._state.versions, now() - timedelta(days=days)
        old = (key for key, one in versions.items() if one.deleted_at and one.deleted_at < before)
        gone = list(islice(old, batch))
        for key in gone:
            del versions[key]
        return len(gone)

    def put_function(
        self,
        user_id: str,
        language: str,
        title: str,
        script_hash: str,
        compile_options: str,
        updated_at: str,
        packages: list[str] | None = None,
        environment: str | None = None,
    ) -> None:
        """Execute the statement `put_function`."""
        moment, key = datetime.fromisoformat(updated_at), (user_id, LanguageTitle(language, title))
        known = self._state.functions.get(key)
        if known and known.row.updated_at > moment and moment <= now() - CLOCK_SKEW:
            return
        before = FunctionContent("", {}) if known is None else known.row.content
        content = replace(
            before,
            script_hash=script_hash,
            compile_options=json.loads(compile_options),
            packages=packages or [],
            environment=environment,
        )
        created_at = moment if known is None else known.row.created_at
        latest = moment if known is None else max(moment, known.row.updated_at)
        row = StoredFunction(key[1], user_id, 0, 0, content, created_at, latest)
        self._put(key, known, row, makes_version=content != before)

    def put_predefined_function(
        self, language: str, title: str, script_hash: str, *, schema: str, examples: str, **texts: Any
    ) -> None:
        """Execute the statement `put_predefined_function`."""
        key, moment = (None, LanguageTitle(language, title)), now()
        known = self._state.functions.get(key)
        content = FunctionContent(
            script_hash, {}, schema=json.loads(schema), examples=json.loads(examples), **texts
        )
        if known is None or content != known.row.content:
            created_at = moment if known is None else known.row.created_at
            row = StoredFunction(key[1], None, 0, 0, content, created_at, moment)
            self._put(key, known, row, makes_version=True)

    def _put(
        self, key: FunctionKey, known: Function | None, row: StoredFunction, *, makes_version: bool
    ) -> Function:
        """Store a function with the number that its version gets."""
        state = self._state
        state.require_script(row.content.script_hash)
        last = state.numbers.get(key, 0) if known is None else known.last_version
        number = last + 1 if known is None or makes_version else known.row.newest
        function_id = str(uuid4()) if known is None else known.id
        made = Function(function_id, replace(row, version=number, newest=number), max(last, number))
        state.functions[key] = made
        state.versions.setdefault((function_id, number), Version(row.content, now()))
        named = {one for target in self._aliases(function_id).values() for one in target[:2]} | {number}
        numbers = self._numbers(function_id)
        for old in [one for one in numbers if one not in named][: max(0, len(numbers) - VERSIONS_MAX)]:
            del state.versions[function_id, old]
        return made

    def _visible(self, name: LanguageTitle, owner: str | None) -> Function | None:
        return self._state.functions.get((owner, name)) or self._state.functions.get((None, name))

    def _numbers(self, function_id: str) -> list[int]:
        """Return the numbers of a function's versions, in order."""
        return sorted(number for one, number in self._state.versions if one == function_id)

    def _aliases(self, function_id: str) -> dict[str, Alias]:
        return {alias: target for (one, alias), target in self._state.aliases.items() if one == function_id}

    def _listed(self, owner: str, chosen: FunctionFilter) -> list[StoredFunction]:
        """Return the functions that the owner sees, by name. The owner's functions hide predefined ones."""
        functions = self._state.functions
        seen = [
            one.row
            for (user, name), one in functions.items()
            if user == owner or (user is None and (owner, name) not in functions)
        ]
        return sorted((one for one in seen if _chosen(one, chosen)), key=lambda one: _order(one.name))


def _chosen(one: StoredFunction, chosen: FunctionFilter) -> bool:
    values = one.name.language, one.user_id, one.type
    content = one.content
    searched = "\n".join((str(one.name), content.description, *content.tags)).lower()
    return (
        all(wanted in (None, value) for wanted, value in zip(chosen[:3], values, strict=True))
        and (chosen.words is None or chosen.words.lower() in searched)
        and (chosen.tag is None or chosen.tag in content.tags)
    )


def _order(name: LanguageTitle) -> tuple[str, str]:
    return name.language, name.title
