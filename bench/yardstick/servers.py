"""The yardsticks as parts that can be started, and the of-watchdog, which can stand before any server."""

import http.client
from pathlib import Path

from local.state import ROOT
from local.supervisor.account import Account
from local.supervisor.managed_process import Part
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.python_server import INTERPRETER

FUNCTION = ["-m", "bench.yardstick.index"]
#: As whoever knows nothing of us would start gunicorn.
CONSTANT = [
    "-m",
    "gunicorn",
    "--worker-class",
    "gevent",
    "--no-control-socket",
    "bench.yardstick.constant:app",
]
#: Seconds for one look whether it answers.
ANSWER_TIMEOUT = 3


class Listener(Part):
    """A server on a free port of the loopback address. It is there when it answers anything at all."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder / f"{name}.log", Account.own())
        self.port = free_port()

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_TIMEOUT)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


class Yardstick(Listener):
    """A Python server of this checkout; `arguments` are the interpreter's."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        super().__init__(name, folder)
        self._arguments = arguments

    def command(self) -> list[str]:
        bind = ["--bind", f"{LOOPBACK}:{self.port}"] if "gunicorn" in self._arguments else []
        return [str(INTERPRETER), *self._arguments, *bind]

    def working_folder(self) -> Path:
        return ROOT

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PORT": str(self.port)}


class Watchdog(Listener):
    """The of-watchdog before a server that runs already: what it starts itself only waits."""

    def __init__(self, name: str, program: Path, upstream: int, folder: Path) -> None:
        super().__init__(name, folder)
        self._program = program
        self._upstream = upstream
        self._metrics = free_port()

    def command(self) -> list[str]:
        return [str(self._program)]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "mode": "http",
            "fprocess": "sleep infinity",
            "upstream_url": f"http://{LOOPBACK}:{self._upstream}",
            "port": str(self.port),
            "metrics_port": str(self._metrics),
            # It would say for each request that it passed by.
            "prefix_logs": "false",
            "healthcheck_interval": "1s",
        }
