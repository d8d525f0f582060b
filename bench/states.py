"""A state of the code that runs: a checkout, and the whole service as its own command starts it.

Module names differ between states. So of another state only command lines are used, of `local.run`, `local.token` and
`local.environment`, and the variables of `local.settings`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from bench.command import announce, git
from bench.connection import Connection
from bench.service import LIMITS, Meter, rust_toolchain
from local.settings import PORTS
from local.state import ROOT
from local.supervisor.account import remove
from local.supervisor.managed_process import PartError
from local.supervisor.ports import free_port
from local.supervisor.proc import command_line, descendants, name_of, wait_until

#: Seconds until the service answers, until it has ended, and until its processes are idle after a load.
START_TIMEOUT, STOP_TIMEOUT, QUIET_TIMEOUT = 300.0, 120.0, 20.0
#: Seconds without any CPU time that show that processes are idle: the log writes its batches more often.
QUIET = 0.4
#: No toolchain can be there, so the service starts without Rust. Each state would build its own glue in ours.
NO_FOLDER = "/dev/null"
#: The argument of the controller where it is a program, and its name where it is a fork.
CONTROLLER = ("function.service:app", "controller")
#: Seconds: more than one tick of the kernel's clock, and less than two.
TICK = 0.015


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of the commit below `folder`, with our `.env`. Raises PartError."""
    name = git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}")
    place = folder / f"base-{name}"
    if place.exists():  # left by a run that was killed
        git("worktree", "remove", "--force", str(place))
    git("worktree", "add", "--detach", str(place), name)
    try:
        if (ROOT / ".env").exists():
            shutil.copy(ROOT / ".env", place)
        yield place
    finally:
        remove(place / ".local")
        git("worktree", "remove", "--force", str(place))


def python_of(checkout: Path) -> Path:
    """This Python, or a new environment where the checkout has other requirements. Raises PartError."""
    ours, theirs = ((each / "requirements.txt").read_bytes() for each in (ROOT, checkout))
    if ours == theirs:
        return Path(sys.executable)
    announce(f"{checkout.name} has other requirements: making an environment for it")
    if subprocess.run([sys.executable, "-m", "local.environment"], cwd=checkout, check=False).returncode:
        raise PartError(f"there is no environment for {checkout.name}")
    return checkout / ".local/venv/bin/python"


class State:
    """The service of one checkout on free ports, with data of its own, and Rust if asked for; a context manager."""

    def __init__(self, checkout: Path, python: Path, *, rust: bool) -> None:
        self._checkout = checkout
        self._command = [str(python), "-m"]
        self._folder = Path(tempfile.mkdtemp(prefix="bench-"))
        # Metrics are not served.
        self._ports = {name: 0 if name.endswith("METRICS_PORT") else free_port() for name in PORTS}
        self._headers: dict[str, str] = {}
        toolchain = str(rust_toolchain()) if rust else NO_FOLDER
        self._log = self._folder.with_suffix(".log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "local.run", "--state", str(self._folder), "--rust", toolchain],
                cwd=checkout,
                env={**os.environ, **LIMITS, **{name: str(port) for name, port in self._ports.items()}},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def connect(self, *, cooperative: bool = False) -> Connection:
        """A client of the controller with a token."""
        return Connection(self._ports["PORT"], self._headers, cooperative=cooperative)

    def meter(self, language: str) -> Meter:
        """Of the processes that take part in executions of the language. Raises PartError when one is missing."""
        root = self._process.pid
        front = _topmost(root, f"function.runtime_{language}.handler:app", f"runtime-{language}")
        parts = {"controller": _topmost(root, *CONTROLLER), "front": front}
        parts["workers"] = _topmost(front, "forkserver")
        parts |= {"redis": _topmost(root, "redis-server"), "postgres": _topmost(root, "postgres")}
        return Meter({name: [pid] for name, pid in parts.items()})

    def memory(self) -> dict[str, float]:
        """MiB (PSS) of all processes, the command that started them included, and the controller's part of it."""
        root = self._process.pid
        parts = {"all": root, "controller": _topmost(root, *CONTROLLER)}
        return {f"pss {name}": Meter({name: [pid]}).pss()[name] for name, pid in parts.items()}

    def _healthy(self) -> bool:
        with suppress(OSError, ValueError), closing(self.connect()) as connection:
            return bool(json.loads(connection.get("/health").body)["status"] == "ok")
        return False

    def __enter__(self) -> Self:
        """Wait until the service answers. Raises PartError."""
        try:
            ended = self._process.poll
            answers = wait_until(lambda: ended() is not None or self._healthy(), START_TIMEOUT)
            if not answers or ended() is not None:
                said = self._log.read_text(errors="replace").splitlines()
                raise PartError(f"the service of {self._checkout.name} does not start", said[-20:])
            command = [*self._command, "local.token", "--state", str(self._folder)]
            token = subprocess.check_output(command, cwd=self._checkout, text=True).strip()
            self._headers = {"Authorization": f"Bearer {token}"}
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its parts end with it
            self._process.wait()
        self._log.unlink()
        remove(self._folder)


def settle(meter: Meter) -> None:
    """Wait until the processes have done all work that requests have left, such as writing the log."""

    def quiet() -> bool:
        before = sum(meter.cpu().values())
        time.sleep(QUIET)
        return sum(meter.cpu().values()) - before < TICK

    wait_until(quiet, QUIET_TIMEOUT)


def _topmost(root: int, argument: str, name: str = "") -> int:
    """The first process below `root` with `argument` in the last segment of one of its own, or with the name.

    Raises PartError.
    """
    for pid in descendants(root)[1:]:
        segments = (each.rpartition("/")[2] for each in command_line(pid))
        if name_of(pid) == name or any(argument in segment for segment in segments):
            return pid
    raise PartError(f"there is no process {argument}")
