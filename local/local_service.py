"""One service on this machine: its parts, started in the order of need and ended in the opposite one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from local.services import Parts
from local.settings import Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.managed_process import PartError
from local.supervisor.python_server import TEMPLATE, HttpServer, Program
from local.supervisor.supervisor import Supervisor
from local.supervisor.zygote import Zygote


class LocalService:
    """PostgreSQL, Redis, a runtime for each language, and the controller.

    Its steps are separate, because other work can be done while the stores start. Each raises PartError, and
    Interrupted where the supervisor listens for signals.

    Args:
        parts: makes the parts.
        supervisor: starts and ends them.
    """

    #: Set by `serve`, the second one where packages are installed.
    controller: HttpServer
    packages: HttpServer

    def __init__(self, parts: Parts, supervisor: Supervisor) -> None:
        self._zygote = Zygote(parts.state.log("zygote"), parts.code, TEMPLATE)
        self.parts = replace(parts, zygote=self._zygote)
        self.supervisor = supervisor
        self.postgres = parts.postgres()
        self.redis = parts.redis()
        self.runtimes: dict[str, HttpServer] = {}
        #: What `begin` has started.
        self._begun: dict[str, HttpServer] = {}
        self._migration: Program | None = None

    def launch_stores(self) -> None:
        """Start PostgreSQL and Redis without waiting for them."""
        self.supervisor.launch(self.postgres, self.redis)

    def await_stores(self) -> None:
        """Wait until PostgreSQL and Redis answer."""
        self.supervisor.await_answers(self.postgres, self.redis)

    def migrate(self) -> None:
        """Bring the database to the newest schema, once the stores answer."""
        self.await_stores()
        self.supervisor.run(self.parts.migration(self.postgres))

    def begin(self, languages: Sequence[str], node: str) -> None:
        """Start the migration and some runtimes, which `serve` goes on with. Other work can be done between."""
        self._begun = self._launched_runtimes(languages, node)
        self.await_stores()
        self._migration = self.parts.migration(self.postgres)
        self.supervisor.launch(self._migration)

    def serve(self, languages: Sequence[str], node: str, *, packages: bool = False) -> None:
        """Start the runtimes, migrate, start the controller, and wait until all of them answer.

        The part that installs packages is started when it is called first: few scripts need it.
        """
        begun, self._begun = self._begun, {}
        missing = [language for language in languages if language not in begun]
        self.runtimes = begun | self._launched_runtimes(missing, node)
        migration, self._migration = self._migration, None
        if migration is None:
            self.migrate()
        else:
            self.supervisor.finish(migration)
        self.controller = self.parts.controller(
            self.postgres.url, self.redis.url, languages, packages=packages
        )
        self.supervisor.launch(self.controller)
        self.supervisor.await_answers(*self.runtimes.values(), self.controller)
        if packages:
            self.packages = self.parts.packages(node)
            metrics = self.parts.settings.ports["PACKAGES_METRICS_PORT"]
            self.supervisor.launch_when_called(self.packages, *([metrics] if metrics else []))

    def _launched_runtimes(self, languages: Sequence[str], node: str) -> dict[str, HttpServer]:
        if not self._zygote.alive:
            self.supervisor.launch(self._zygote)
        runtimes = {language: self.parts.runtime(language, node) for language in languages}
        self.supervisor.launch(*runtimes.values())
        return runtimes

    def rust_is_ready(self) -> bool:
        """Prepare what Rust needs. Returns whether Rust can be served; says why it cannot."""
        announce, rust = self.supervisor.announce, self.parts.rust
        if rust is None or not (rust / "toolchain.json").exists():
            announce("preparing a Rust compiler; the first time this takes a minute")
        try:
            for step in self.parts.rust_toolchain():
                self.supervisor.run(step)
        except PartError as error:
            reason = error.log_lines[-1] if error.log_lines else str(error)
            announce(f"starting without Rust: {reason.removeprefix('rust: ')}")
            return False
        return True


class TemporaryService(LocalService):
    """A service for a test or a measurement. As a context manager it runs for a while: its data go with it.

    Args:
        folder: for all of its state; need not exist.
        settings: its ports and the variables of its parts.
        languages: those to serve.
        node: the Node.js program.
        rust: the folder of a prepared toolchain; None: nothing is compiled.
        packages: whether packages of scripts can be installed.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        languages: Sequence[str],
        node: str,
        rust: Path | None,
        *,
        packages: bool = False,
    ) -> None:
        state = State(folder)
        parts = Parts(state, settings, state.code(), rust)
        super().__init__(parts, Supervisor(state.run_folder / "parts.json"))
        self.languages = languages
        self.node = node
        self.with_packages = packages
        self._folder = folder

    def start(self) -> None:
        """Start every part, and wait until the whole answers. Raises PartError."""
        self.launch_stores()
        self.serve(self.languages, self.node, packages=self.with_packages)
        if self.with_packages:
            self.supervisor.launch(self.packages)
            self.supervisor.await_answers(self.packages)

    def stop(self) -> None:
        """Stop every part: the controller first, which still writes then."""
        self.supervisor.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        remove(self._folder)
