"""The whole service on free ports, each part a process of its own that a test may stop and start."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from local.services import RUNTIMES, Parts
from local.settings import PORTS, Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.ports import free_port
from local.supervisor.python_server import HttpServer
from tests.acceptance.client import Client
from tests.conftest import prepare_database


class Deployment:
    """PostgreSQL, Redis, three runtimes and the controller, made of the parts that `make run` starts.

    Args:
        folder: for all of their state; need not exist.
        node: the Node.js program.
        rust_toolchain: the folder of a prepared toolchain.
        metrics_port: where the controller serves its metrics alone; 0: nowhere.
        runtime: the runtimes' variables, by name.
        controller: the controller's variables, by name.
    """

    def __init__(
        self,
        folder: Path,
        node: str,
        rust_toolchain: Path,
        metrics_port: int = 0,
        runtime: Mapping[str, str] | None = None,
        **controller: str,
    ) -> None:
        self._folder = folder
        self._node = node
        self._settings = Settings(
            {name: free_port() for name in PORTS} | {"METRICS_PORT": metrics_port},
            # What a test does in one go may be more than a user's share of a minute.
            controller={f"RATE_LIMIT_{calls}": "10000" for calls in ("EXECUTE", "INITIALIZE", "FUNCTIONS")}
            | controller,
            runtime=dict(runtime or {}),
        )
        self._state = State(folder)
        self._parts = Parts(self._state, self._settings, self._state.code(), rust_toolchain)
        self.postgres = self._parts.postgres()
        self.redis = self._parts.redis()
        self.runtimes = {language: self._parts.runtime(language, node) for language in RUNTIMES}
        self.controller = self._parts.controller(self.postgres, self.redis, list(RUNTIMES))

    @property
    def url(self) -> str:
        return self._settings.address

    @property
    def ports(self) -> dict[str, int]:
        """By their variables."""
        return self._settings.ports

    @property
    def jwt_secret(self) -> str:
        return self._state.secret("JWT_SECRET")

    def client(self) -> Client:
        """A user of one's own: what one test caches or registers, no other one sees."""
        return Client(self.url, self.jwt_secret, f"user-{uuid.uuid4()}")

    @contextmanager
    def another_controller(self) -> Iterator[str]:
        """A second controller beside the first one; gives its address."""
        settings = replace(self._settings, ports=self._settings.ports | {"PORT": free_port()})
        parts = replace(self._parts, settings=settings)
        other = parts.controller(self.postgres, self.redis, list(RUNTIMES), name="another-controller")
        try:
            other.start()
            yield settings.address
        finally:
            other.stop()

    def start(self) -> None:
        """Start every part in the order of need, and wait until the whole answers."""
        parts = [self.postgres, self.redis, *self.runtimes.values(), self.controller]
        for part in parts:
            part.launch()
        self.postgres.await_answer()
        prepare_database(self.postgres.url)
        for part in parts:
            part.await_answer()

    def stop(self) -> None:
        """Stop the controller, which still writes then, and after it all that it needs."""
        self.controller.stop()
        needed = (*self.runtimes.values(), self.redis, self.postgres)
        for part in needed:
            part.ask_to_stop()
        for part in needed:
            part.stop()

    def add_python_runtime(self) -> HttpServer:
        """Start a second Python runtime, and the controller anew with both."""
        folder = self._state.folder / "second"
        shutil.copytree(self._state.folder / "secrets", folder / "secrets")
        ports = self._settings.ports | {"PYTHON_PORT": free_port(), "PYTHON_METRICS_PORT": free_port()}
        second = replace(
            self._parts, state=State(folder), settings=replace(self._settings, ports=ports)
        ).runtime("python", self._node)
        second.start()
        urls = [
            f"python=http://127.0.0.1:{port}" for port in (self._settings.ports["PYTHON_PORT"], second.port)
        ]
        self.controller.stop()
        settings = replace(
            self._settings, controller=self._settings.controller | {"RUNTIME_URLS": ",".join(urls)}
        )
        self.controller = replace(self._parts, settings=settings).controller(self.postgres, self.redis, [])
        self.controller.start()
        return second

    def rust_without_compiler(self) -> None:
        """Put a runtime in the place of Rust's that has neither a compiler nor anything on its disk."""
        self.runtimes["rust"].stop()
        shutil.rmtree(self._state.folder / "runtime-rust")
        self.runtimes["rust"] = replace(self._parts, rust=None).runtime("rust", self._node)
        self.runtimes["rust"].start()

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
