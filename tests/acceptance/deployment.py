"""The whole service on free ports, each part a process that a test may stop and start."""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from framing.place import with_frames
from local.local_service import TemporaryService
from local.services import RUNTIMES
from local.settings import Settings
from local.state import State
from local.supervisor.account import KEEPER, Account
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.python_server import HttpServer
from tests.acceptance.client import Client
from tests.databases import copy_migrated

#: What a test does in one go may be more than a user's share of a minute.
LIMITS = {f"RATE_LIMIT_{calls}": "10000" for calls in ("EXECUTE", "INITIALIZE", "FUNCTIONS", "MANAGE")}


class Deployment(TemporaryService):
    """PostgreSQL, Redis, runtimes and the controller, made of the parts that `make run` starts.

    Args:
        folder: for all of their state; need not exist.
        node: the Node.js program.
        rust_toolchain: the folder of a prepared toolchain; None: nothing is compiled.
        metrics_port: where the controller serves its metrics alone; 0: nowhere.
        runtime: the runtimes' variables, by name.
        languages: those that have a runtime.
        packages: the variables of the part that installs packages; None: there is none.
        controller: the controller's variables, by name.
    """

    def __init__(
        self,
        folder: Path,
        node: str,
        rust_toolchain: Path | None,
        metrics_port: int = 0,
        runtime: Mapping[str, str] | None = None,
        languages: Sequence[str] = tuple(RUNTIMES),
        packages: Mapping[str, str] | None = None,
        **controller: str,
    ) -> None:
        settings = Settings.on_free_ports(LIMITS | controller, runtime, packages, METRICS_PORT=metrics_port)
        _fill(State(folder))
        super().__init__(folder, settings, languages, node, rust_toolchain, packages=packages is not None)

    @property
    def url(self) -> str:
        return self.parts.settings.address

    @property
    def ports(self) -> dict[str, int]:
        """By their variables."""
        return self.parts.settings.ports

    @property
    def jwt_secret(self) -> str:
        return self.parts.state.secret("JWT_SECRET")

    def client(self) -> Client:
        """A new user: what one test caches or registers, no other one sees."""
        return Client(self.url, self.jwt_secret, f"user-{uuid.uuid4()}")

    @contextmanager
    def another_controller(self, number: int = 2, **variables: str) -> Iterator[str]:
        """A further controller beside the first one, with changed variables; gives its address."""
        settings = self.parts.settings
        changed = replace(settings, controller=settings.controller | variables)
        other = replace(self.parts, settings=changed).controller(
            self.postgres.url,
            self.redis.url,
            self.languages,
            packages=self.with_packages,
            number=number,
            port=free_port(),
        )
        try:
            other.start()
            yield f"http://{LOOPBACK}:{other.port}"
        finally:
            other.stop()

    @property
    def python_frames(self) -> Path:
        """The Unix socket where the Python runtime takes frames."""
        return self.parts.state.run_folder / "frames-python" / "socket"

    @contextmanager
    def python_by(self, port: int) -> Iterator[None]:
        """For a while, the controller anew, which finds the frames of the Python runtime at another port."""
        address = with_frames(f"http://{LOOPBACK}:{self.ports['PYTHON_PORT']}", str(port))
        settings, before = self.parts.settings, self.controller
        through = replace(settings, controller=settings.controller | {"RUNTIME_URLS": f"python={address}"})
        before.stop()
        self.controller = replace(self.parts, settings=through).controller(
            self.postgres.url, self.redis.url, []
        )
        try:
            self._start(self.controller)
            yield
        finally:
            self.controller.stop()
            self.controller = before
            self._start(before)

    def add_python_runtime(self) -> HttpServer:
        """Start a second Python runtime, and the controller anew with both."""
        folder = self.parts.state.folder / "second"
        shutil.copytree(self.parts.state.folder / "secrets", folder / "secrets")
        settings, first = self.parts.settings, self.ports["PYTHON_PORT"]
        ports = self.ports | {"PYTHON_PORT": free_port(), "PYTHON_METRICS_PORT": free_port()}
        parts = replace(self.parts, state=State(folder), settings=replace(settings, ports=ports))
        second = parts.runtime("python", self.node)
        self._start(second)
        urls = ",".join(f"python=http://{LOOPBACK}:{port}" for port in (first, second.port))
        self.controller.stop()
        both = replace(settings, controller=settings.controller | {"RUNTIME_URLS": urls})
        self.controller = replace(self.parts, settings=both).controller(self.postgres.url, self.redis.url, [])
        self._start(self.controller)
        return second

    def mend(self) -> None:
        """Start what a test has stopped, and wait until the whole is well again."""
        for part in (self.postgres, self.redis, *self.runtimes.values(), self.controller):
            if not part.alive:
                part.start()
        self.supervisor.await_answers(self.controller)

    def rust_without_compiler(self) -> None:
        """Put a runtime in the place of Rust's that has neither a compiler nor anything on its disk."""
        self.runtimes["rust"].stop()
        shutil.rmtree(self.parts.state.folder / "runtime-rust")
        self.runtimes["rust"] = replace(self.parts, rust=None).runtime("rust", self.node)
        self._start(self.runtimes["rust"])

    def _start(self, part: HttpServer) -> None:
        self.supervisor.launch(part)
        self.supervisor.await_answers(part)


def _fill(state: State) -> None:
    """Let PostgreSQL begin with a copy of a migrated database."""
    password = copy_migrated(Account.named(KEEPER).folder(state.folder / "postgres"))
    (state.folder / "secrets" / "POSTGRES_PASSWORD").write_text(password)
