"""Python packages: resolved and installed by uv, from wheels only."""

import platform
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runtime.errors import InitializationFailed
from runtime.installer import ages, inventory, python_lock
from runtime.installer.inventory import Installed
from runtime.installer.jobs import Jobs, written
from runtime.installer.refusals import INSTALL, RESOLVE, failure, refusal
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.installer.tree import Tree, Walk
from runtime.process.process import Process
from runtime.sandbox.confine import interpreter_paths

_JOB = Path(__file__).with_name("python_job.py")
_SITE = "site"
#: uv retries a registry that fails; a job has less time than its defaults take.
_PATIENCE = {"UV_HTTP_TIMEOUT": "15", "UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "2"}
_OPTIONS = shlex.split("--no-config --no-cache --no-build --no-python-downloads --no-progress --color never")
#: What uv says where a version has no wheel that runs here.
_NO_WHEEL = ("no usable wheels", "no wheels", "building from source is disabled")


class PythonPackages:
    """Packages of Python, for the version that runs this program."""

    language = "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"

    def __init__(self, settings: Settings, jobs: Jobs, registries: Registries) -> None:
        self._settings = settings
        self._jobs = jobs
        self._uv = settings.uv_program()
        self._python = str(Path(sys.executable).resolve())
        self._variables = registries.python | _PATIENCE

    def resolve(
        self, packages: Sequence[str] | None, requires: str | None, lock: str | None
    ) -> tuple[str, list[tuple[str, str]]]:
        """Return the canonical lock, and the names and versions in it.

        Args:
            packages: What is declared. None: what the lock says.
            requires: The range of Python versions that is declared.
            lock: A lock that has to satisfy the packages, or None.

        Raises:
            InitializationFailed: It cannot be had; the details say why.
            RuntimeUnavailable: It cannot be had now.
        """
        python_lock.check_python(requires, self.version)
        wanted = [str(each) for each in python_lock.declared(packages or ())]
        given = None if lock is None else python_lock.pins(lock)
        exact = [f"{name}=={pin.version}" for name, pin in (given or {}).items()]
        if packages is None:
            found = self._resolved(exact, deep=False)
        else:
            found = self._resolved(wanted, exact) if wanted else {}
        if given is not None:
            found = {name: _locked(name, pin, given) for name, pin in found.items()}
        return python_lock.canonical(found), [(name, pin.version) for name, pin in sorted(found.items())]

    def read(self, lock: str) -> list[str]:
        """Return the names in a canonical lock. Raises InitializationFailed if it is not canonical."""
        found = python_lock.pins(lock)
        if python_lock.canonical(found) != lock:
            raise refusal("the lock is not canonical", INSTALL)
        return list(found)

    def install(self, lock: str) -> Process:
        """Start the job that installs what a lock says. The caller closes it."""
        command = (self._uv, "pip", "install", "--requirement", "lock.txt", "--target", _SITE, "--quiet")
        job = (self._python, "-I", "-S", "-B", str(_JOB), _SITE)
        options = (*_OPTIONS, "--no-deps", "--require-hashes", "--python", self._python)
        return self._start((*job, *command, *options), {"lock.txt": lock.encode()})

    def tree(self, process: Process) -> Tree:
        """Return what an ended job has installed. Raises Overflow."""
        return Walk(process.folder / _SITE, "", self._settings.max_files).tree()

    def inventory(self, tree: Tree) -> list[Installed]:
        """Return the packages of a tree."""
        return inventory.of_python(tree)

    def _resolved(
        self, wanted: Sequence[str], pins: Sequence[str] = (), *, deep: bool = True
    ) -> dict[str, python_lock.Pin]:
        age = 0 if self._settings.wheels else self._settings.min_age
        return ages.resolved(
            age,
            lambda days: self._compiled(wanted, pins, days, deep=deep),
            lambda found: {name: pin.version for name, pin in found.items()},
            lambda names: self._compiled(names, (), age, deep=False),
            {canonicalize_name(Requirement(each).name) for each in wanted},
        )

    def _compiled(
        self, wanted: Sequence[str], pins: Sequence[str], age: float, *, deep: bool
    ) -> dict[str, python_lock.Pin]:
        files = {"in.txt": "\n".join(wanted).encode(), "pins.txt": "\n".join(pins).encode()}
        command = [self._uv, *shlex.split("pip compile in.txt --constraint pins.txt --output-file out.txt")]
        command += [*_OPTIONS, *shlex.split("--quiet --generate-hashes --no-header --no-annotate")]
        command += ["--python", self._python]
        if not deep:
            command.append("--no-deps")
        if age:
            command += ["--exclude-newer", f"{datetime.now(UTC) - timedelta(days=age):%Y-%m-%dT%H:%M:%SZ}"]
        with closing(self._start(tuple(command), files)) as process:
            status, said = self._jobs.finish(process)
            if status != 0:
                raise self._failure(said)
            return python_lock.pins(written(process, "out.txt"))

    def _failure(self, said: str) -> Exception:
        error = failure(RESOLVE, said)
        if isinstance(error, InitializationFailed) and any(sign in said for sign in _NO_WHEEL):
            said_so = [each["message"] for each in error.details["diagnostics"]]
            here = f"no wheel for Python {self.version} on {here_platform()}"
            return refusal(f"{here}: {error.message}", RESOLVE, said_so)
        return error

    def _start(self, command: tuple[str, ...], files: dict[str, bytes]) -> Process:
        return self._jobs.start(
            command,
            self._variables,
            files,
            run=(self._uv, self._python),
            read=(*interpreter_paths(), str(_JOB)),
            processes=True,
        )


def here_platform() -> str:
    """Return the platform that wheels and prebuilt packages must fit."""
    libc, version = platform.libc_ver()
    return f"linux-{platform.machine()}-{libc or 'musl'}{version}"


def _locked(name: str, found: python_lock.Pin, given: dict[str, python_lock.Pin]) -> python_lock.Pin:
    """Return the entry of the given lock for a resolved package. Raises InitializationFailed if they differ."""
    locked = given.get(name)
    if locked is None:
        raise refusal(f"the lock does not satisfy the packages: it lacks {name} {found.version}", RESOLVE)
    if not set(locked.hashes) & set(found.hashes):
        raise refusal(f"{name} {locked.version}: the registry has no file with a hash of the lock", RESOLVE)
    return locked
