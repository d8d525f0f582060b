"""The whole service with embedded parts on free ports, its yardsticks beside it, and what they all cost."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.connection import Connection
from bench.processes import Meter, fork_server
from bench.yardstick import CONSTANT, FUNCTION, Yardstick
from local.local_service import TemporaryService
from local.settings import Settings
from local.token import token

#: Asked for with each request as always, and never reached.
LIMITS = {
    "RATE_LIMIT_EXECUTE": "999999",
    "RATE_LIMIT_INITIALIZE": "999999",
    "RATE_LIMIT_FUNCTIONS": "999999",
    "RATE_LIMIT_MANAGE": "999999",
    "SESSIONS_PER_USER_MAX": "1000000",
    "FUNCTIONS_PER_USER_MAX": "1000000",
}
#: Whose token the bench has.
USER = "bench"
_OWN_TIME = re.compile(r'^lambda_controller_seconds_(sum|count)\{endpoint="(\w+)"\} (\S+)$', re.MULTILINE)


class Service(TemporaryService):
    """PostgreSQL, Redis, three runtimes, the controller and the yardsticks; a context manager.

    Args:
        folder: for all of their state; need not exist.
        languages: those that are served.
        node: the Node.js program.
        rust: the folder of a prepared toolchain.
        controller: variables of the controller, besides its limits.
        runtime: variables of the runtimes.
    """

    def __init__(
        self,
        folder: Path,
        languages: Sequence[str],
        node: str,
        rust: Path,
        controller: Mapping[str, str],
        runtime: Mapping[str, str],
    ) -> None:
        settings = Settings.on_free_ports(LIMITS | dict(controller), runtime)
        super().__init__(folder, settings, languages, node, rust)
        self._yardstick = Yardstick("yardstick", FUNCTION, folder)
        self._constant = Yardstick("constant", CONSTANT, folder)
        self.port, self.yardstick_port = settings.ports["PORT"], self._yardstick.port
        self.constant_port = self._constant.port
        state = self.parts.state
        self.headers = {"Authorization": f"Bearer {token(state.secret('JWT_SECRET'), USER)}"}
        self.postgres_url, self.redis_url = self.postgres.url, self.redis.url
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
        self.launch_stores()
        beside = (self._yardstick, self._constant)
        self.supervisor.launch(*beside)
        self.serve(self.languages, self.node)
        self.supervisor.await_answers(*beside)
        self.meter = self._meter()

    def _meter(self) -> Meter:
        fronts = [part.pid for part in self.runtimes.values()]
        parts = {
            "controller": [self.controller.pid],
            "front": fronts,
            "workers": [fork_server(front) for front in fronts],
            "redis": [self.redis.pid],
            "postgres": [self.postgres.pid],
            "yardstick": [self._yardstick.pid],
            "constant": [self._constant.pid],
        }
        return Meter({name: pids for name, pids in parts.items() if pids})
