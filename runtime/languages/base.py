"""What the runtime must know about a language, and the defaults of an interpreted one.

A language is one module here, one worker program in `runtime/workers/`, and one line in
`runtime/languages/__init__.py`.

How the parts play together:

1. The front asks `preload()` once and starts the fork server with it.
2. `prepare`, compiled languages: when `recall` knows no artifact, `compile` makes one, `Host.start` giving it
   confined processes (`Launch.program` for a compiler, `Host.worker` for a fresh worker of this language).
   Calls for the same script and options run one at a time: the executor holds the others back meanwhile.
3. A worker is leased from the pool. `launch()` says how it starts; when it is fresh, `load_payload` makes what
   its program's `load` gets. See `runtime/workers/protocol.py` for the dialogue.
4. `run` messages carry only params and context, and look alike for all languages.

Everything here runs in the front, in gevent's one thread: wait only on the objects of `Host`, never block, and
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
    """A script as the controller sent it, by one or both of its forms.

    `hash` is the SHA-256 of the source in UTF-8, as lower-case hexadecimal digits. `options` is what
    `Language.options` made. `artifact` is the portable compiled form of a compiled language.
    """

    hash: str
    options: str
    content: str | None = None
    artifact: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes it takes in memory."""
        return len(self.content or "") + len(self.artifact or b"")


@dataclass(frozen=True)
class Package:
    """What a deployment has put there for scripts to import; the version is None where nothing tells it."""

    name: str
    version: str | None


@dataclass(frozen=True)
class Libraries:
    """What scripts may import: modules of the language, in its `version`, and packages of the deployment."""

    version: str | None = None
    standard_library: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()


class Host(Protocol):
    """What a language may use of the runtime that it runs in."""

    settings: Settings

    def start(self, launch: Launch) -> Process:
        """Start a confined process outside of the pool; the caller closes it. Raises RuntimeUnavailable."""

    def worker(self) -> Worker:
        """A fresh worker of this language outside of the pool; the caller closes it."""


class Language(Protocol):
    """One language. Implementations hold no state of a request."""

    name: str
    counts_fuel: bool
    """Whether its worker program counts fuel, out of the script's reach."""

    def preload(self) -> Preload:
        """What the fork server imports before it forks the first time."""

    def launch(self) -> Launch:
        """How one worker process starts."""

    def options(self, compile_options: Mapping[str, Any]) -> str:
        """The canonical text of the options that matter to this language; part of every key.

        Raises InitializationFailed for a value that the language does not support.
        """

    def recall(self, script_hash: str, options: str) -> Script | None:
        """A script whose artifact outlived the process, on disk for instance."""

    def compile(self, script: Script, host: Host) -> Script:
        """The script with its artifact; the script itself for an interpreted language.

        Raises InitializationFailed with the compiler's diagnostics.
        """

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        """What a fresh worker's program gets to load. `folder` is that worker's private one."""

    def libraries(self, host: Host) -> Libraries:
        """What scripts may import, as found out now."""


class Interpreted:
    """A language whose workers read the source itself and that has no options.

    `inventory` is the file of a script in that language that gets the deployment's folders as `packages` and returns
    the members of `Libraries`; None where scripts import nothing.
    """

    inventory: Path | None = None
    counts_fuel = False

    def options(self, compile_options: Mapping[str, Any]) -> str:
        return ""

    def recall(self, script_hash: str, options: str) -> Script | None:
        return None

    def compile(self, script: Script, host: Host) -> Script:
        return script

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        return {"source": script.content}

    def libraries(self, host: Host) -> Libraries:
        """Asked of a worker like those of users, which finds what they find. Raises what `Worker.run` raises."""
        if self.inventory is None:
            return Libraries()
        with closing(host.worker()) as worker:
            script = Script(hash="", options="", content=self.inventory.read_text())
            payload = self.load_payload(script, worker.process.folder, host)
            params = {"packages": host.settings.packages}
            found = worker.run(params, {}, host.settings.prepare_timeout, payload).result
        packages = tuple(Package(name, version) for name, version in found["packages"].items())
        return Libraries(found["version"], tuple(found["standard_library"]), packages)
