"""One process of a function, under of-watchdog where there is one, and what the functions of a machine share."""

import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent import subprocess

from local.supervisor.account import Account
from local.supervisor.managed_process import bind_to_parent, ended_by_itself
from local.supervisor.ports import LOOPBACK, free_port, is_well, listens
from tools.faas_local.deployment import Deployment
from tools.faas_local.environment import Installation

#: Where the platform mounts secrets, and what the variables of functions say of it.
MOUNTED = "/var/openfaas/secrets/"
#: As images call the watchdog.
WATCHDOG = "fwatchdog"


@dataclass(frozen=True)
class Machine:
    """One machine.

    Args:
        run: a folder for what only running functions need.
        account: who they run as.
        watchdog: the of-watchdog; None: functions are started without one.
        defaults: variables of this machine; what a deployment says goes before, what an image says does not.
        overrides: variables that a function cannot choose, since it shares the machine with others.
    """

    run: Path
    account: Account
    watchdog: Path | None
    defaults: dict[str, str]
    overrides: dict[str, str]

    def command(self, image: tuple[str, ...], process: str) -> list[str]:
        """What to start: the image's command with our watchdog, or else the function's process.

        Like the watchdog it knows single spaces and no quotes in that.
        """
        if self.watchdog is None:
            return process.split(" ")
        return [str(self.watchdog) if word == WATCHDOG else word for word in image or (WATCHDOG,)]


#: Seconds for its orderly end, and for its last lines after that.
STOP_TIMEOUT = 25.0
LAST_LINES_TIMEOUT = 2.0


class Instance:
    """A process with ports and a private folder of its own. It is started once.

    Args:
        write: takes each line that it writes.
        secrets: their values by name.
    """

    def __init__(
        self,
        machine: Machine,
        deployment: Deployment,
        installation: Installation,
        secret_values: dict[str, bytes],
        write: Callable[[str, str], None],
    ) -> None:
        self.name = f"{deployment.service}-{secrets.token_hex(4)}"
        self._machine = machine
        self._deployment = deployment
        self._installation = installation
        self._secrets = secret_values
        self._write = write
        self._folder = machine.run / self.name
        self._upstream, self._metrics = free_port(), free_port()
        self.port = free_port() if machine.watchdog else self._upstream
        self._process: subprocess.Popen[bytes] | None = None
        self._starter: gevent.Greenlet[[], None] | None = None
        self._reader: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Start it without waiting until it answers. Raises OSError when its program cannot be started."""
        # In a greenlet of its own: whoever is ended half way through a start would leave a process that nobody knows.
        self._starter = gevent.spawn(self._start)
        self._starter.get()

    def _start(self) -> None:
        self._make_folder()
        variables = self._variables()
        process = subprocess.Popen(
            self._machine.command(self._installation.image.command, variables.get("fprocess", "")),
            cwd=self._installation.app,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=bind_to_parent(signal.SIGTERM),
            **self._machine.account.popen,
        )
        self._process = process
        self._reader = gevent.spawn(self._read, process.stdout or ())

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether it serves requests now: what the watchdog says, or what the watchdog would go by."""
        if not self.alive:
            return False
        if self._machine.watchdog:
            return is_well(self.port, "/_/health")
        if self._variables().get("suppress_lock") == "true":
            return (self._folder / "tmp" / ".lock").exists()
        return listens(self.port)

    def wait(self, seconds: float) -> None:
        """Returns when it has ended, or when the time is over."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def ending(self) -> str:
        """How it ended by itself."""
        return ended_by_itself(self.name, self._process.poll() if self._process else None)

    def stop(self) -> None:
        """End it: politely, then by force, with all that it has started."""
        if self._starter is not None:
            self._starter.join()
        if self._process is None:
            return
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._reader is not None:
            self._reader.join(LAST_LINES_TIMEOUT)
            self._reader.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, output: Iterable[bytes]) -> None:
        for line in output:
            self._write(self.name, line.decode(errors="replace").rstrip("\r\n"))

    def _make_folder(self) -> None:
        """Its secrets and temporary files: nobody else's."""
        for folder in (self._folder, self._folder / "secrets", self._folder / "tmp"):
            folder.mkdir(mode=0o700)
            self._machine.account.owns(folder)
        for name, value in self._secrets.items():
            path = self._folder / "secrets" / name
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
                file.write(value)
            self._machine.account.owns(path)

    def _variables(self) -> dict[str, str]:
        """What the process sees; nothing else of ours is handed on."""
        machine, deployment, private = self._machine, self._deployment, str(self._folder / "tmp")
        mounted = str(self._folder / "secrets") + "/"
        chosen = {
            name: value.replace(MOUNTED, mounted) if value.startswith(MOUNTED) else value
            for name, value in deployment.variables.items()
        }
        process = {"fprocess": deployment.process} if deployment.process else {}
        return {
            "LANG": "C.UTF-8",
            **self._installation.image.variables,
            **machine.defaults,
            **process,
            **chosen,
            "PATH": f"{self._installation.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": private,
            "TMPDIR": private,
            "HOSTNAME": self.name,
            "secret_mount_path": mounted,
            # It is told to end once nothing is under way, and nobody looks at its health from then on.
            "healthcheck_interval": "1s",
            "port": str(self.port),
            "upstream_url": f"http://{LOOPBACK}:{self._upstream}",
            "metrics_port": str(self._metrics),
            **machine.overrides,
        }
