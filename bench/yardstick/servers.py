"""The yardsticks as parts that can be started, and of-watchdog, which can stand in front of any server."""

import http.client
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.state import ROOT
from local.supervisor.account import Account
from local.supervisor.managed_process import Part
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.python_server import INTERPRETER

FUNCTION = ["-m", "bench.yardstick.index"]
#: The usual way to start gunicorn with gevent.
CONSTANT = [
    "-m",
    "gunicorn",
    "--worker-class=gevent",
    "--no-control-socket",
    "bench.yardstick.index:constant",
]
#: Seconds for one health check.
ANSWER_TIMEOUT = 3


class Listener(Part):
    """A server on a free port of the loopback address. It is ready when it answers anything."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        super().__init__(name, folder / f"{name}.log", Account.own())
        self.port = free_port()
        self._command = (
            [*command, f"--bind={LOOPBACK}:{self.port}"] if "gunicorn" in command else list(command)
        )
        self._variables = {"PORT": str(self.port), "port": str(self.port), **variables}

    def command(self) -> list[str]:
        return self._command

    def working_folder(self) -> Path:
        return ROOT

    def environment(self) -> dict[str, str]:
        return super().environment() | self._variables

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
    """A Python server of this checkout; the arguments are the interpreter's."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        super().__init__(name, [str(INTERPRETER), *arguments], folder, {})


class Watchdog(Listener):
    """of-watchdog in front of a running server; its own function only sleeps."""

    def __init__(self, name: str, program: Path, upstream: int, folder: Path) -> None:
        variables = {
            "mode": "http",
            "fprocess": "sleep infinity",
            "upstream_url": f"http://{LOOPBACK}:{upstream}",
            "metrics_port": str(free_port()),
            "prefix_logs": "false",  # else it writes a line for each request
            "healthcheck_interval": "1s",
        }
        super().__init__(name, [str(program)], folder, variables)
