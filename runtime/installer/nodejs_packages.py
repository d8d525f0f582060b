"""npm packages: resolved and installed by npm, which runs no scripts of them."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from runtime.installer import ages, inventory, nodejs_lock
from runtime.installer.inventory import Installed
from runtime.installer.jobs import Jobs, written
from runtime.installer.refusals import INSTALL, RESOLVE, failure, refusal
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.installer.tree import Tree, Walk
from runtime.process.process import Process

_CACHE = Path(__file__).with_name("node_cache.cjs")
#: npm retries a registry that fails; a job has less time than its defaults take.
_OPTIONS = shlex.split("""
    --ignore-scripts --no-audit --no-fund --no-update-notifier --omit=dev --bin-links=false
    --allow-git=none --allow-remote=none --allow-file=none --allow-directory=none
    --omit-lockfile-registry-resolved --loglevel=error --logs-max=0 --no-progress --color=false --cache=cache
    --fetch-retries=2 --fetch-retry-mintimeout=500 --fetch-retry-maxtimeout=2000 --fetch-timeout=15000
""")


class NodePackages:
    """Packages of Node.js, for the program that `NODE` names.

    Args:
        settings: Bounds and policies.
        jobs: Runs npm.
        registries: The way to a registry.
        node: The program.
        npm: The folder of its npm.
        version: The major version of Node.js.
    """

    language = "nodejs"

    def __init__(
        self, settings: Settings, jobs: Jobs, registries: Registries, *, node: str, npm: str, version: str
    ) -> None:
        self.version = version
        self._settings = settings
        self._min_age = 0 if settings.npm_cache else settings.min_age
        self._jobs = jobs
        self._node, self._npm = node, npm
        self._variables = registries.nodejs | {"NODE_DISABLE_COMPILE_CACHE": "1"}

    def resolve(
        self, packages: Sequence[str] | None, requires: str | None, lock: str | None
    ) -> tuple[str, list[tuple[str, str]]]:
        """Return the canonical lock, and the names and versions in it. See `PythonPackages.resolve`."""
        if requires is not None:
            raise refusal("requires-python is of Python only", RESOLVE)
        given = None if lock is None else nodejs_lock.entries(lock)
        wanted = {} if given is None else given[""]["dependencies"]
        if packages is not None:
            wanted = nodejs_lock.declared(packages)
        found = self._resolved(wanted, given) if wanted else {"": {"dependencies": {}}}
        if given is not None:
            for place, entry in found.items():
                _check_locked(place, entry, given)
            self._check_age(found)
        return nodejs_lock.canonical(found), nodejs_lock.named(found)

    def read(self, lock: str) -> list[str]:
        """Return the names in a canonical lock. Raises InitializationFailed if it is not canonical."""
        found = nodejs_lock.entries(lock)
        if nodejs_lock.canonical(found) != lock:
            raise refusal("the lock is not canonical", INSTALL)
        return [name for name, _ in nodejs_lock.named(found)]

    def install(self, lock: str) -> Process:
        """Start the job that installs what a lock says. The caller closes it."""
        wanted = nodejs_lock.dependencies(nodejs_lock.entries(lock)[""])
        return self._start(("ci",), {"package.json": wanted, "package-lock.json": lock.encode()})

    def tree(self, process: Process) -> Tree:
        """Return what an ended job has installed. Raises Overflow."""
        return Walk(process.folder / "node_modules", "node_modules/", self._settings.max_files).tree()

    def inventory(self, tree: Tree) -> list[Installed]:
        """Return the packages of a tree."""
        return inventory.of_nodejs(tree)

    def _resolved(self, wanted: dict[str, str], given: nodejs_lock.Entries | None) -> nodejs_lock.Entries:
        return ages.resolved(
            self._min_age,
            lambda days: self._locked(wanted, given, days),
            lambda found: {
                place.removeprefix("node_modules/"): entry["version"]
                for place, entry in found.items()
                if place
            },
            lambda names: self._locked(dict.fromkeys(names, "*"), None, self._min_age),
            wanted,
        )

    def _check_age(self, found: nodejs_lock.Entries) -> None:
        """Raise InitializationFailed if a version of a given lock is too young.

        Resolving keeps what a lock names, whatever its age. Installing looks at the age, but then asks for all that
        the registry knows of each package: that is done here, once for each lock, and not for each environment.
        """
        if self._min_age and len(found) > 1:
            lock = nodejs_lock.canonical(found).encode()
            files = {"package.json": nodejs_lock.dependencies(found[""]), "package-lock.json": lock}
            with closing(self._start(("ci", *_age(self._min_age)), files)) as process:
                status, said = self._jobs.finish(process)
            if status != 0:
                raise failure(RESOLVE, said)

    def _locked(
        self, wanted: dict[str, str], given: nodejs_lock.Entries | None, days: float
    ) -> nodejs_lock.Entries:
        files = {"package.json": nodejs_lock.dependencies({"dependencies": wanted})}
        if given is not None:
            lock = nodejs_lock.canonical({**given, "": {"dependencies": wanted}})
            files["package-lock.json"] = lock.encode()
        command = ("install", "--package-lock-only", *_age(days))
        with closing(self._start(command, files)) as process:
            status, said = self._jobs.finish(process)
            if status != 0:
                raise failure(RESOLVE, said)
            return nodejs_lock.entries(written(process, "package-lock.json"))

    def _start(self, command: tuple[str, ...], files: dict[str, bytes]) -> Process:
        preload: tuple[str, ...] = ()
        read: tuple[str, ...] = (self._npm,)
        variables = self._variables
        if cache := self._settings.npm_cache:
            preload = ("--require", str(_CACHE))
            read = (*read, str(cache), str(_CACHE))
            variables = {**variables, "NPM_CACHE_DIR": str(cache)}
        return self._jobs.start(
            (self._node, *preload, f"{self._npm}/bin/npm-cli.js", *command, *_OPTIONS),
            variables,
            files,
            run=(self._node,),
            read=read,
            processes=False,
        )


def _age(days: float) -> tuple[str, ...]:
    return (f"--min-release-age={days:g}",) if days else ()


def _check_locked(place: str, found: dict[str, object], given: nodejs_lock.Entries) -> None:
    """Raise InitializationFailed if a resolved package is not the one of the given lock."""
    if not place:
        return
    locked = given.get(place, {})
    if any(locked.get(key) != found.get(key) for key in ("version", "integrity")):
        raise refusal(f"the lock does not satisfy the packages: it lacks {place} {found['version']}", RESOLVE)
