"""The interface of a language, and the defaults of an interpreted one.

A language is one module here, one worker program in `runtime/workers/`, and one line in
`runtime/languages/__init__.py`.

The runtime uses a language as follows:

1. The front calls `preload()` once and starts the fork server with it.
2. A compiled language: if `recall` finds no artifact, `compile` creates one. `Host.start` starts the compiler as a
   confined process, `Host.worker` a new worker of this language. There is one compilation at a time for the same
   script and options: other requests for it wait.
3. A worker is leased from the pool. `launch()` says how it starts. For a new worker, `load_payload` returns the
   argument of its program's `load`. See `runtime/workers/protocol.py` for the protocol.
4. `run` messages contain only params and context, the same for all languages.

All methods run in the front, in gevent's one thread. So they must wait only on objects of `Host`, never block, and
never parse a user's source code.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.process.process import Launch, Preload, Process
from runtime.process.worker import Worker
from runtime.settings import Settings


@dataclass(frozen=True)
class Script:
    """A script, with its source, its artifact or both."""

    #: SHA-256 of the source in UTF-8, as lower-case hexadecimal digits.
    hash: str
    #: Result of `Language.options`.
    options: str
    #: The source.
    content: str | None = None
    #: The portable compiled form of a compiled language.
    artifact: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.content or "") + len(self.artifact or b"")


@dataclass(frozen=True)
class Package:
    """A package that a deployment provides for scripts. The version is None if it is unknown."""

    name: str
    version: str | None


@dataclass(frozen=True)
class Libraries:
    """What scripts may import: the language's standard library in its `version`, and packages of the deployment."""

    version: str | None = None
    standard_library: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()


class Host(Protocol):
    """The part of the runtime that a language may use."""

    settings: Settings

    def start(self, launch: Launch) -> Process:
        """Start a confined process outside of the pool. The caller closes it. Raises RuntimeUnavailable."""

    def worker(self) -> Worker:
        """Start a worker of this language outside of the pool. The caller closes it. Raises RuntimeUnavailable."""


class Language(Protocol):
    """One language. Implementations keep no state of a request."""

    name: str
    #: Further names in paths and in `Language-Title`, for what the same workers run.
    dialects: tuple[str, ...]
    #: Rights of `runtime.sandbox.landlock` that its workers have to environments; 0: its scripts have none.
    environments_access: int
    #: Whether its worker program counts fuel. The script must not be able to change the count.
    counts_fuel: bool
    #: Whether its worker program checks sources without loading them, and a load fails for no other reason.
    checks: bool

    def preload(self) -> Preload:
        """Return what the fork server imports before its first fork."""

    def launch(self) -> Launch:
        """Return how a worker process starts."""

    def options(self, language: str, compile_options: Mapping[str, Any]) -> str:
        """Return the canonical text of the options that this language uses. It is part of every key.

        Args:
            language: The name in the path of the call: `name` or one of `dialects`.
            compile_options: The options of the session.

        Raises:
            InitializationFailed: The language does not support a value.
        """

    def recall(self, script_hash: str, options: str) -> Script | None:
        """Return a script with an artifact that was kept outside this process, for instance on disk."""

    def compile(self, script: Script, host: Host) -> Script:
        """Return the script with its artifact; an interpreted language returns the script unchanged.

        Raises:
            InitializationFailed: It does not compile; with the compiler's diagnostics.
        """

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        """Return the argument of `Program.load` for a new worker. `folder` is its private folder.

        The runtime adds two members where they are needed: `environment`, the folder of the script's packages, and
        `readable`, all that a worker may still read which could list the folders of others.
        """

    def libraries(self, host: Host) -> Libraries:
        """Return what scripts may import now."""


class Interpreted:
    """A language without options, which executes the source itself."""

    #: A script in that language that returns the members of `Libraries`. Its parameter `packages` has the folders of
    #: the deployment. None where scripts import nothing.
    inventory: Path | None = None
    dialects: tuple[str, ...] = ()
    environments_access = 0
    counts_fuel = False
    checks = False

    def options(self, language: str, compile_options: Mapping[str, Any]) -> str:
        """Return an empty text: there are no options."""
        return ""

    def recall(self, script_hash: str, options: str) -> Script | None:
        """Return None: there are no artifacts."""
        return None

    def compile(self, script: Script, host: Host) -> Script:
        """Return the script unchanged."""
        return script

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        """Return the source."""
        return {"source": script.content}

    def libraries(self, host: Host) -> Libraries:
        """Return what the inventory finds in a worker like those of users. Raises as `Worker.run`."""
        if self.inventory is None:
            return Libraries()
        with closing(host.worker()) as worker:
            script = Script(hash="", options="", content=self.inventory.read_text())
            payload = self.load_payload(script, worker.process.folder, host)
            params = {"packages": host.settings.packages}
            found = worker.run(params, {}, host.settings.prepare_timeout, payload).result
        packages = tuple(Package(name, version) for name, version in found["packages"].items())
        return Libraries(found["version"], tuple(found["standard_library"]), packages)
