"""FunctionRows: the permanent store of functions, their versions and aliases."""

from typing import Protocol

from controller.models.registered import FIRST, LanguageTitle
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


class FunctionRows(Protocol):
    """The permanent store of functions. Every method raises StoreUnavailable while the store is away."""

    def function_targets(self, name: LanguageTitle, owner: str | None) -> FunctionTargets | None:
        """Return what references to a function may name: the owner's own, else the predefined one.

        The owner None sees predefined functions only.
        """

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        """Return a version and its script. None: the function or the version is not there."""

    def versions(self, name: LanguageTitle, owner: str, before: int, most: int) -> list[StoredVersion]:
        """Return up to `most` versions below the number `before`, the newest first."""

    def put_version(
        self, name: LanguageTitle, owner: str, based_on: int, content: FunctionContent, writes: Statements
    ) -> int | None:
        """Make a version of the owner's function, after `writes`, and return its number.

        Args:
            name: the function.
            owner: its owner.
            based_on: the number of the newest version. 0: there is no such function.
            content: the new version.
            writes: statements of its script and artifact, see `registry.writes`.

        Returns:
            The number. None: `based_on` does not hold any more, and nothing was written.
        """

    def delete_version(self, name: LanguageTitle, owner: str, version: int) -> Deletion:
        """Delete a version of the owner's function, unless an alias names it or it is the only one."""

    def put_alias(self, name: LanguageTitle, owner: str, alias: str, target: Alias, most: int) -> AliasWrite:
        """Set an alias of the owner's function, which may have `most` of them."""

    def delete_alias(self, name: LanguageTitle, owner: str, alias: str) -> bool:
        """Delete an alias of the owner's function. Return False if there is none."""

    def own_content(self, name: LanguageTitle, owner: str) -> FunctionContent | None:
        """Return the newest version of the owner's function. None: there is none."""

    def functions(
        self, owner: str, chosen: FunctionFilter, most: int, skipped: int, after: LanguageTitle = FIRST
    ) -> list[StoredFunction]:
        """Return up to `most` functions that the owner sees, by name after `after`, without the first `skipped`."""

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """Return how many functions the owner sees."""

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """Delete the owner's function and keep its versions. Return False if there is none."""

    def delete_old_versions(self, days: int, batch: int) -> int:
        """Delete up to `batch` versions of functions that were deleted more than `days` ago. Return how many."""
