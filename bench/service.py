"""The whole service with embedded parts on free ports, its yardsticks beside it, and what they all cost."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from bench.connection import Connection
from bench.processes import Meter, fork_server
from bench.yardstick.servers import CONSTANT, FUNCTION, Watchdog, Yardstick
from local.services import Parts
from local.settings import PORTS, Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.python_server import HttpServer
from local.token import token

#: Asked for with each request as always, and never reached.
LIMITS = {
    "RATE_LIMIT_EXECUTE": "999999",
    "RATE_LIMIT_INITIALIZE": "999999",
    "RATE_LIMIT_FUNCTIONS": "999999",
    "SESSIONS_PER_USER_MAX": "1000000",
    "FUNCTIONS_PER_USER_MAX": "1000000",
}
#: Whose token the bench has.
USER = "bench"
_OWN_TIME = re.compile(r'^lambda_controller_seconds_(sum|count)\{endpoint="(\w+)"\} (\S+)$', re.MULTILINE)


class Service:
    """PostgreSQL, Redis, three runtimes, the controller and the yardsticks; a context manager.

    Args:
        folder: for all of their state; need not exist.
        languages: those that are served.
        node: the Node.js program.
        rust: the folder of a prepared toolchain.
        controller: variables of the controller, besides its limits.
        runtime: variables of the runtimes.
        watchdog: the of-watchdog; with it one stands before the controller, each runtime and the yardstick.
    """

    def __init__(
        self,
        folder: Path,
        languages: Sequence[str],
        node: str,
        rust: Path,
        controller: Mapping[str, str],
        runtime: Mapping[str, str],
        watchdog: Path | None = None,
    ) -> None:
        self._folder = folder
        self._watchdog = watchdog
        self._guards: list[Watchdog] = []
        self._state = State(folder)
        ports = {name: free_port() for name in PORTS} | {"METRICS_PORT": 0}
        settings = Settings(ports, controller=LIMITS | dict(controller), runtime=dict(runtime))
        self._parts = Parts(self._state, settings, self._state.code(), rust)
        self._postgres, self._redis = self._parts.postgres(), self._parts.redis()
        self.runtimes = {language: self._parts.runtime(language, node) for language in languages}
        settings.controller["RUNTIME_URLS"] = ",".join(
            f"{language}=http://{LOOPBACK}:{self._entrance(part)}" for language, part in self.runtimes.items()
        )
        self.controller = self._parts.controller(self._postgres, self._redis, list(languages))
        self._yardstick = Yardstick("yardstick", FUNCTION, folder)
        self._constant = Yardstick("constant", CONSTANT, folder)
        self.port = self._entrance(self.controller)
        self.yardstick_port = self._entrance(self._yardstick)
        self.constant_port = self._constant.port
        self.headers = {"Authorization": f"Bearer {token(self._state.secret('JWT_SECRET'), USER)}"}
        self.postgres_url, self.redis_url = self._postgres.url, self._redis.url
        self.runtime_secret = self._state.secret("RUNTIME_SECRET")
        self.meter = Meter({})

    def connect(self, *, cooperative: bool = False) -> Connection:
        """A client of the controller with a token."""
        return Connection(self.port, self.headers, cooperative=cooperative)

    def own_time(self, endpoint: str) -> tuple[float, float]:
        """The controller's own seconds for all calls so far, and how many those were."""
        connection = Connection(self.controller.port, {})
        exposed = connection.get("/metrics").body.decode()
        connection.close()
        found = {kind: float(value) for kind, name, value in _OWN_TIME.findall(exposed) if name == endpoint}
        return found.get("sum", 0.0), found.get("count", 0.0)

    def start(self) -> None:
        """Start every part in the order of need, and wait until the whole answers. Raises PartError."""
        stores = (self._postgres, self._redis)
        servers = (*self.runtimes.values(), self._yardstick, self._constant, *self._guards)
        for part in (*stores, *servers):
            part.launch()
        for part in (*stores, *servers):
            part.await_answer()
        migration = self._parts.migration(self._postgres)
        try:
            migration.start()
        finally:
            migration.stop()
        self.controller.start()
        self.meter = self._meter()

    def stop(self) -> None:
        """The controller first, which still writes then; after it all that it needs."""
        self.controller.stop()
        servers = (*self._guards, self._constant, self._yardstick, *self.runtimes.values())
        others = (*servers, self._redis, self._postgres)
        for part in others:
            part.ask_to_stop()
        for part in others:
            part.stop()

    def _entrance(self, server: HttpServer | Yardstick) -> int:
        """The port where the server is asked: that of a watchdog before it, or its own."""
        if self._watchdog is None:
            return server.port
        guard = Watchdog(f"watchdog-{server.name}", self._watchdog, server.port, self._folder)
        self._guards.append(guard)
        return guard.port

    def _meter(self) -> Meter:
        fronts = [part.pid for part in self.runtimes.values()]
        parts = {
            "controller": [self.controller.pid],
            "front": fronts,
            "workers": [fork_server(front) for front in fronts],
            "redis": [self._redis.pid],
            "postgres": [self._postgres.pid],
            "watchdogs": [guard.pid for guard in self._guards],
            "yardstick": [self._yardstick.pid],
            "constant": [self._constant.pid],
        }
        return Meter({name: pids for name, pids in parts.items() if pids})

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
