"""The yardsticks as parts that can be started."""

import http.client
from collections.abc import Sequence
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


class Yardstick(Part):
    """A Python server of this checkout on a free port; the arguments are the interpreter's.

    It is ready when it answers anything.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        super().__init__(name, folder / f"{name}.log", Account.own())
        self.port = free_port()
        bind = [f"--bind={LOOPBACK}:{self.port}"] if "gunicorn" in arguments else []
        self._command = [str(INTERPRETER), *arguments, *bind]

    def command(self) -> list[str]:
        return self._command

    def working_folder(self) -> Path:
        return ROOT

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PORT": str(self.port)}

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
