"""The whole service with embedded parts on free ports, its yardsticks beside it, and what they all cost."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.connection import Connection
from bench.yardstick import CONSTANT, FUNCTION, Yardstick
from local.local_service import TemporaryService
from local.settings import Settings
from local.state import ROOT, RUST
from local.supervisor.account import RUNNER, Account
from local.supervisor.proc import PROC, children, command_line, descendants, stat_fields
from local.token import token

MIB = 1024
_TICK = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
#: utime, stime, and the same of children that have ended and were waited for, in `stat_fields`.
_TIMES = slice(11, 15)


class Meter:
    """CPU and memory of parts, each one or several processes with all their descendants.

    A process that is named itself is no descendant: a runtime's fork server and its workers are a part of their own.
    """

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = {name: list(pids) for name, pids in parts.items()}
        self._named = {pid for pids in self._parts.values() for pid in pids}

    def cpu(self) -> dict[str, float]:
        """Seconds that each part has used so far, those of its processes that have ended included."""
        return {name: sum(map(cpu_seconds, self._tree(pids))) for name, pids in self._parts.items()}

    def pss(self) -> dict[str, float]:
        """Each part's proportional share of memory, MiB: shared pages are divided by their users."""
        return self._memory("smaps_rollup", _PSS)

    def peak(self) -> dict[str, float]:
        """The sum of the largest resident sizes of a part's processes, MiB."""
        return self._memory("status", _PEAK)

    def _memory(self, file: str, pattern: re.Pattern[str]) -> dict[str, float]:
        return {
            name: sum(_kib(pid, file, pattern) for pid in self._tree(pids)) / MIB
            for name, pids in self._parts.items()
        }

    def _tree(self, pids: Iterable[int]) -> list[int]:
        found = list(pids)
        for parent in found:
            found += [child for child in children(parent) if child not in self._named]
        return found


def fork_server(runtime: int) -> int:
    """The one that forks a runtime's workers: the first, since workers go by its command line, too."""
    return next(pid for pid in descendants(runtime) if "runtime.process.forkserver" in command_line(pid))


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and of its children that have ended; 0 when it is gone."""
    fields = stat_fields(pid)
    return 0.0 if fields is None else sum(map(int, fields[_TIMES])) / _TICK


def _kib(pid: int, file: str, pattern: re.Pattern[str]) -> int:
    try:
        found = pattern.search(PROC.joinpath(str(pid), file).read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0


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


def rust_toolchain() -> Path:
    """The folder of the toolchain, which may be missing."""
    named = os.environ.get("RUST_TOOLCHAIN")
    return Path(named) if named else Account.named(RUNNER).folder(ROOT / ".local") / RUST


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
