"""What the registry asks of the tables: of sessions, functions, their versions and aliases, and environments."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from controller.models.environments import BuildState, Built, Environment, KeptLock
from controller.models.registered import FIRST, LanguageTitle
from controller.models.stored import (
    Alias,
    AliasWrite,
    Beginning,
    Deletion,
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


class SessionRows(Protocol):
    """The permanent store of sessions. Every method raises StoreUnavailable while the store is away."""

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Execute named statements, all or none, see `registry.writes`.

        Raises:
            StoreRejected: a statement was refused.
        """

    def begin_session(self, new: NewSession, most: Held) -> Beginning:
        """Begin a session with all its rows, unless its user has all that they may have. 0: no bound.

        Raises:
            StoreRejected: the rows were refused.
        """

    def session(self, request_id: str) -> StoredSession | None:
        """Return a session, even if it has ended or expired."""

    def end_session(self, request_id: str, status: str) -> bool:
        """End a session, or record the end of one that is not written yet. Return False if it had ended."""

    def delete_expired_sessions(self, batch: int) -> tuple[int, int] | None:
        """Delete up to `batch` sessions that expired more than a day ago.

        Returns:
            The number of deleted and of active sessions. None: another process is deleting.
        """


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


class EnvironmentRows(Protocol):
    """Environments, and the locks of declarations. Every method raises StoreUnavailable while the store is away.

    Leases are in seconds. A process that dies loses its leases when they run out.
    """

    def kept_lock(self, user_id: str, declaration: str) -> KeptLock | None:
        """Return the environment that a declaration of a user has, and record that it is used."""

    def claim_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """Take the lease to resolve a declaration. False: another process has it, or has resolved it."""

    def renew_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """Lengthen that lease. False: it is lost."""

    def release_lock(self, user_id: str, declaration: str) -> None:
        """Give up that lease."""

    def keep_lock(self, user_id: str, declaration: str, digest: str) -> None:
        """Keep the environment that a declaration has been resolved to."""

    def put_environment(self, environment: Environment) -> None:
        """Store a resolved environment, unless it is known."""

    def environment(self, digest: str) -> Environment | None:
        """Return an environment, whatever its state."""

    def build_state(self, digest: str) -> BuildState | None:
        """Return how far the build of an environment is. None: it is not known."""

    def claim_build(self, digest: str, build: str, seconds: float) -> bool:
        """Take the lease to build an environment. False: it is ready, or another process has the lease."""

    def renew_build(self, digest: str, build: str, seconds: float) -> bool:
        """Lengthen that lease. False: it is lost."""

    def finish_build(self, digest: str, build: str, built: Built) -> bool:
        """Make an environment ready: all its parts are stored. False: the lease is lost, and nothing was changed."""

    def fail_build(self, digest: str, build: str, failure: Mapping[str, Any]) -> None:
        """Record that a build failed, for those who wait for it."""

    def use_environment(self, digest: str) -> str | None:
        """Return the build that made the parts, and record that these are used. None: it is not ready."""

    def lose_part(self, digest: str, build: str, part: int) -> None:
        """Record that a part is lost which the environment should have. The next use builds it again."""

    def evict_environments(self, most: int, batch: int) -> list[tuple[str, str]]:
        """Give up those that were used longest ago, until the parts of the rest have `most` bytes.

        Returns:
            Their digests, each with the build that made the parts, which are still there.
        """

    def environments_bytes(self) -> int:
        """Return the bytes of all parts."""


class PartStore(Protocol):
    """The parts of environments, bytes that are not read here. Raises StoreUnavailable while the store is away."""

    def put_part(self, digest: str, build: str, part: int, content: bytes) -> bool:
        """Store a part. False: the build has lost its lease."""

    def part(self, digest: str, build: str, part: int) -> bytes | None:
        """Return a part. None: it is not there."""

    def drop_parts(self, digest: str, build: str) -> None:
        """Delete the parts that a build made."""


class EnvironmentOwners(Protocol):
    """Who may see an environment."""

    def names_environment(self, owner: str, digest: str) -> bool:
        """Return whether a session or a version of the owner's names the environment."""
