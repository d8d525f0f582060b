"""npm packages: resolved and installed by npm, which runs no scripts of them."""

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import InitializationFailed
from runtime.installer import inventory, nodejs_lock
from runtime.installer.inventory import Installed
from runtime.installer.jobs import Jobs, written
from runtime.installer.refusals import INSTALL, RESOLVE, failure, refusal
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.installer.tree import Tree, Walk
from runtime.process.process import Process

_CACHE = Path(__file__).with_name("node_cache.cjs")
_NONE = ("git", "remote", "file", "directory")
_OPTIONS = (
    *(
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--omit=dev",
        "--bin-links=false",
    ),
    *(f"--allow-{what}=none" for what in _NONE),
    *(
        "--omit-lockfile-registry-resolved",
        "--loglevel=error",
        "--logs-max=0",
        "--no-progress",
        "--color=false",
    ),
    # npm retries a registry that fails; a job has less time than its defaults take.
    *(
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=500",
        "--fetch-retry-maxtimeout=2000",
        "--fetch-timeout=15000",
    ),
)


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
        return self._start(("ci", *self._age()), {"package.json": wanted, "package-lock.json": lock.encode()})

    def tree(self, process: Process) -> Tree:
        """Return what an ended job has installed. Raises Overflow."""
        return Walk(process.folder / "node_modules", "node_modules/", self._settings.max_files).tree()

    def inventory(self, tree: Tree) -> list[Installed]:
        """Return the packages of a tree."""
        return inventory.of_nodejs(tree)

    def _resolved(self, wanted: dict[str, str], given: nodejs_lock.Entries | None) -> nodejs_lock.Entries:
        """Resolve dependencies. Where only their age stands against it, the error names what is old enough."""
        try:
            return self._locked(wanted, given, self._age())
        except InitializationFailed as error:
            if not self._age():
                raise
            raise self._too_young(wanted, given) or error from None

    def _too_young(
        self, wanted: dict[str, str], given: nodejs_lock.Entries | None
    ) -> InitializationFailed | None:
        try:
            young = self._locked(wanted, given, ())
        except InitializationFailed:
            return None
        days, lines = f"{self._settings.min_age:g} days", []
        for name in wanted:
            version = young.get(f"node_modules/{name}", {}).get("version")
            try:
                allowed = self._locked({name: "*"}, None, self._age())[f"node_modules/{name}"]["version"]
            except InitializationFailed:
                lines.append(f"{name} {version} is younger than {days}; no version is older")
                continue
            if allowed != version:
                lines.append(
                    f"{name} {version} is younger than {days}; the newest allowed version is {allowed}"
                )
        return refusal("; ".join(lines) or f"a package that is needed is younger than {days}", RESOLVE)

    def _locked(
        self, wanted: dict[str, str], given: nodejs_lock.Entries | None, age: tuple[str, ...]
    ) -> nodejs_lock.Entries:
        files = {"package.json": nodejs_lock.dependencies({"dependencies": wanted})}
        if given is not None:
            lock = nodejs_lock.canonical({**given, "": {"dependencies": wanted}})
            files["package-lock.json"] = lock.encode()
        process = self._start(("install", "--package-lock-only", *age), files)
        try:
            status, said = self._jobs.finish(process)
            if status != 0:
                raise failure(RESOLVE, said)
            return nodejs_lock.entries(written(process, "package-lock.json"))
        finally:
            process.close()

    def _age(self) -> tuple[str, ...]:
        if self._settings.npm_cache or not self._settings.min_age:
            return ()
        return (f"--min-release-age={self._settings.min_age:g}",)

    def _start(self, command: tuple[str, ...], files: dict[str, bytes]) -> Process:
        preload: tuple[str, ...] = ()
        read: tuple[str, ...] = (self._npm,)
        variables = self._variables
        if cache := self._settings.npm_cache:
            preload = ("--require", str(_CACHE))
            read = (*read, str(cache), str(_CACHE))
            variables = {**variables, "NPM_CACHE_DIR": str(cache)}
        return self._jobs.start(
            (self._node, *preload, f"{self._npm}/bin/npm-cli.js", *command, *_OPTIONS, "--cache=cache"),
            variables,
            files,
            run=(self._node,),
            read=read,
            processes=False,
        )


def _check_locked(place: str, found: dict[str, object], given: nodejs_lock.Entries) -> None:
    """Raise InitializationFailed if a resolved package is not the one of the given lock."""
    if not place:
        return
    locked = given.get(place, {})
    if any(locked.get(key) != found.get(key) for key in ("version", "integrity")):
        raise refusal(f"the lock does not satisfy the packages: it lacks {place} {found['version']}", RESOLVE)
