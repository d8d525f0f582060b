"""EnvironmentCatalog: what owners see of environments, and the bound of what is kept."""

from typing import Any

from controller.errors import NotFound
from controller.models.environments import Environment
from controller.models.responses import EnvironmentAnswer, EnvironmentPackage
from controller.observability.metrics import MetricsCollector
from controller.registry.rows import EnvironmentOwners, EnvironmentRows, PartStore

#: Most environments that one round evicts.
EVICTED_MAX = 100


class EnvironmentCatalog:
    """Environments in PostgreSQL. All raise StoreUnavailable while it is away.

    Args:
        rows: the permanent store.
        parts: the store of the parts.
        owners: knows who may see an environment.
        metrics: tells how much is kept.
        most: most bytes of all parts.
    """

    def __init__(
        self,
        rows: EnvironmentRows,
        parts: PartStore,
        owners: EnvironmentOwners,
        metrics: MetricsCollector,
        most: int,
    ) -> None:
        self._rows = rows
        self._parts = parts
        self._owners = owners
        self._metrics = metrics
        self._most = most

    def describe(self, digest: str, owner: str) -> tuple[EnvironmentAnswer, str]:
        """Return an environment that a session or a version of the owner's names, and its language.

        Raises:
            NotFound: there is none.
        """
        known = self._rows.environment(digest) if self._owners.names_environment(owner, digest) else None
        if known is None:
            raise NotFound("there is no such environment")
        return _answer(known), known.language

    def clean_up(self) -> int:
        """Evict the environments that were used longest ago, if all have too many bytes. Return how many."""
        evicted = self._rows.evict_environments(self._most, EVICTED_MAX)
        for digest, build in evicted:
            self._parts.drop_parts(digest, build)
        self._metrics.environments_kept(self._rows.environments_bytes(), len(evicted))
        return len(evicted)


def _answer(known: Environment) -> EnvironmentAnswer:
    packages = [
        EnvironmentPackage(one["name"], one["version"], one.get("bytes"), one.get("licence"))
        for one in map(dict[str, Any], known.packages)
    ]
    return EnvironmentAnswer(known.digest, known.state, packages, known.lock, known.bytes, known.built_ms)
