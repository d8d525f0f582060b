"""The parts that serve HTTP: gunicorn in one process each, and the commands that run once before them."""

import http.client
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from local.supervisor.account import Account
from local.supervisor.door import Door
from local.supervisor.managed_process import INTERPRETER, Part, PartError, Process
from local.supervisor.ports import LOOPBACK
from local.supervisor.zygote import Order, Zygote

#: Seconds for one look at a server's health.
HEALTH_TIMEOUT = 10
#: Seconds that an app gets for its own end after its last answer: `http_worker.CLOSING` is the other side.
CLOSING = 3

#: The folder of the functions' server: its configuration and its worker.
TEMPLATE = "template/python3-gevent"
#: What differs where clients connect to gunicorn itself. The keepalive is longer than any client keeps an idle
#: connection, so that no connection is closed under a request. The file of the heartbeat lies in memory if possible.
DIRECT = "--keep-alive 75 --backlog 4096 --timeout 30"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the file is gunicorn's own

#: How gunicorn ends when the app cannot be loaded or started, and would fail again.
USELESS = frozenset({3, 4})
#: Seconds: a server that dies twice within them is not started again.
TWICE = 10.0


class Program(Part):
    """A Python program of ours, with its own environment and secrets.

    One that is no server runs once: it has answered when it has ended well.

    Args:
        name: as people know it.
        arguments: of the Python interpreter.
        code: the folder that `controller`, `runtime`, `function` and `local` are imported from.
        private: a folder of the part's own, for its secrets and temporary files.
        variables: what it finds in its environment.
        secrets: what it finds in files that `<NAME>_FILE` names.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        log: Path,
        account: Account,
        code: Path,
        private: Path,
        variables: dict[str, str],
        secrets: dict[str, str],
    ) -> None:
        super().__init__(name, log, account)
        self._arguments = arguments
        self._code = code
        self._private = private
        self._variables = variables
        self._secrets = secrets

    #: A compiler may have to be downloaded first.
    start_timeout = 1200.0

    def command(self) -> list[str]:
        return [str(INTERPRETER), *self._arguments]

    def working_folder(self) -> Path:
        return self._code

    def environment(self) -> dict[str, str]:
        files = {f"{name}_FILE": str(self._private / name) for name in self._secrets}
        home = str(self._private)
        return super().environment() | {"HOME": home, "TMPDIR": home} | files | self._variables

    def prepare(self) -> None:
        for name, value in self._secrets.items():
            path = self._private / name
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
                file.write(value)
            self.account.owns(path)

    def answers(self) -> bool:
        return self._process is not None and self._process.poll() == 0


class HttpServer(Program):
    """gunicorn with one of our apps. It answers when its health is `ok`.

    Args:
        grace: seconds that a call may take. So long an end waits for those that have begun.
        zygote: forks the server. None: it is a program of its own.
    """

    start_timeout = 120.0

    def __init__(
        self, name: str, app: str, port: int, grace: int, zygote: Zygote | None = None, **parts: object
    ) -> None:
        self._zygote = zygote
        self._app = app
        super().__init__(name, ["-m", "local.supervisor.alone"], **parts)  # type: ignore[arg-type]
        self.port = port
        self._door: Door | None = None
        self._bells: list[Door] = []
        self._grace = grace
        self._replaced = -TWICE
        self.stop_timeout = grace + CLOSING + 5.0

    def command(self) -> list[str]:
        return [*super().command(), *self._options()]

    def _options(self) -> list[str]:
        """The arguments of gunicorn."""
        place = f"fd://{self._door.descriptor}" if self._door else f"{LOOPBACK}:{self.port}"
        return ["--config", f"{TEMPLATE}/gunicorn_conf.py", self._app, "--bind", place]

    def descriptors(self) -> tuple[int, ...]:
        return (self._door.descriptor,) if self._door else ()

    def _started(self, log: IO[bytes]) -> Process:
        """Start the process: a fork of the zygote, if there is one."""
        if self._zygote is None:
            return super()._started(log)
        order = Order(
            name=self.name,
            arguments=self._options(),
            environment=self.environment(),
            folder=str(self.working_folder()),
            account=(self.account.uid, self.account.gid) if self.account.foreign else None,
            listening=self.descriptors(),
        )
        return self._zygote.fork(order, [log.fileno(), *self.descriptors()])

    def hold(self, *bells: int) -> None:
        """Let clients wait for the server, which is not launched yet. Raises PartError.

        Args:
            bells: further ports of the server. Who connects there calls it too, and has to connect again.
        """
        try:
            self._door = Door(self.port)
            self._bells = [Door(port) for port in bells]
        except OSError as error:
            self.release()
            raise PartError(f"{self.name} cannot listen: {error.strerror}") from error

    def called(self) -> bool:
        """Whether a client waits since `hold`."""
        doors = [*self._bells, *([self._door] if self._door else [])]
        return any(door.knocked() for door in doors)

    def release(self) -> None:
        """Let no more clients wait here."""
        self._silence()
        if self._door is not None:
            self._door.close()
            self._door = None

    def launch(self) -> None:
        self._silence()
        super().launch()
        self.release()

    def _silence(self) -> None:
        while self._bells:
            self._bells.pop().close()

    def environment(self) -> dict[str, str]:
        return serving(super().environment(), self._code, self._grace)

    def answers(self) -> bool:
        return self.health().get("status") == "ok"

    def replace(self) -> bool:
        """Start anew in the place of a process that died. Returns False where that would not help."""
        now = time.monotonic()
        if self.status in USELESS or now - self._replaced < TWICE:
            return False
        self._replaced = now
        self.stop()
        self.launch()
        return True

    def health(self) -> dict[str, object]:
        """The document at /health; empty while there is none."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=HEALTH_TIMEOUT)
        try:
            connection.request("GET", "/health")
            document = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        finally:
            connection.close()
        return document if isinstance(document, dict) else {}


def serving(variables: Mapping[str, str], code: Path, grace: int) -> dict[str, str]:
    """The environment of a gunicorn with the template's configuration and without a watchdog.

    What `variables` have in GUNICORN_CMD_ARGS comes last, so that it overrides ours.

    Args:
        code: the folder that holds `template/`.
        grace: see HttpServer.
    """
    heartbeat = f"--worker-tmp-dir {SHARED_MEMORY}" if os.access(SHARED_MEMORY, os.W_OK) else ""
    return {
        **variables,
        "PYTHONPATH": str(code / TEMPLATE),
        "exec_timeout": f"{grace}s",
        "healthcheck_interval": "0s",
        "LOG_FORMAT": "ecs",
        "GUNICORN_CMD_ARGS": f"{DIRECT} {heartbeat} {variables.get('GUNICORN_CMD_ARGS', '')}",
    }
