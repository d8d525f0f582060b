"""Gives the workers of a language their environments, and only those.

A Python worker may list folders. So when it loads a script with packages, a second layer of Landlock leaves it its
environment and what it needs of the machine. Other workers may read what they know the path of. All that they could
list is the top folder, and its mode forbids that.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from runtime.environments.store import Environments
from runtime.errors import InvalidRequest
from runtime.languages.base import Language
from runtime.metrics import RuntimeMetrics
from runtime.process.process import Launch
from runtime.process.worker import Worker
from runtime.sandbox import landlock
from runtime.sandbox.confine import Confinement, narrows, readable
from runtime.settings import Settings


class Provision:
    """The environments of one language's runtime; none if its scripts have no packages.

    Args:
        language: The language.
        settings: The settings of the runtime.
        metrics: Count uses and evictions.
        end_idle: Ends one idle worker that has an environment, if there is one.
    """

    def __init__(
        self, language: Language, settings: Settings, metrics: RuntimeMetrics, end_idle: Callable[[], object]
    ) -> None:
        self._language = language
        lists = language.environments_access & ~landlock.READ_FILES
        self._narrows = bool(lists) and narrows(settings.isolation_off)
        self._store: Environments | None = None
        if language.environments_access:
            self._store = Environments(settings.state, settings.environments_max_bytes, metrics, end_idle)

    def check(self, digest: str) -> None:
        """Note that a call asks for an environment; an empty `digest` is none.

        Raises:
            EnvironmentNeeded: It is not here, or not all of it.
            InvalidRequest: Scripts of this language have none.
        """
        if digest:
            self._existing().check(digest)

    def receive(self, digest: str, part: int, body: bytes) -> None:
        """Take a part of an environment, see `Environments.receive`."""
        self._existing().receive(digest, part, body)

    def launch(self) -> Launch:
        """Return how a worker starts, as the language says, with its rights to environments."""
        launch = self._language.launch()
        if self._store is None:
            return launch
        confinement = replace(
            launch.confinement,
            environments=str(self._store.folder),
            environments_access=self._language.environments_access,
        )
        return replace(launch, confinement=confinement)

    def members(self, digest: str, worker: Worker) -> dict[str, Any]:
        """Return what a worker's load needs for an environment, which is kept as long as the worker lives.

        Raises:
            EnvironmentNeeded: It is not here any more.
        """
        store = self._store
        # Root lists folders whatever their mode is.
        if store is None or not (digest or store.listable):
            return {}
        members: dict[str, Any] = {}
        if digest:
            packages = store.hold(digest)
            worker.holds(packages)
            members["environment"] = packages.folder
        if self._narrows:
            machine = beside(store.folder, self._language.launch().confinement, worker.process.folder.parent)
            members["readable"] = [*machine, *members.values()]
        return members

    def close(self) -> None:
        """Remove all environments. No worker may use one any more."""
        if self._store is not None:
            self._store.close()

    def _existing(self) -> Environments:
        if self._store is None:
            raise InvalidRequest("scripts of this language have no environments")
        return self._store


@lru_cache(maxsize=2)
def beside(environments: Path, confinement: Confinement, workers: Path) -> tuple[str, ...]:
    """Return the topmost folders that contain what a worker may read, and not the environments.

    They contain more, which the worker's first layer keeps closed. There are few: each costs some microseconds.

    Args:
        environments: The folder of all environments.
        confinement: What a worker may use.
        workers: The folder with the workers' private folders.
    """
    around = {environments, *environments.parents}
    tops = set()
    for path in map(Path, readable(confinement, str(workers))):
        # What a link in /proc leads to is another thing for each process.
        real = path if path.is_relative_to("/proc") else path.resolve()
        tops.add(next((str(place) for place in (*reversed(real.parents), real) if place not in around), ""))
    return tuple(sorted(tops - {""}))
