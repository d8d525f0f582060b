"""A function that is served as its image says, with or without the of-watchdog before it."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests

from local.supervisor.account import Account
from local.supervisor.ports import free_port
from tests.integration.openfaas.build import BuiltFunction
from tests.waiting import until

#: The watchdog's program in the image.
WATCHDOG = "fwatchdog"
#: Seconds. Many start together, on a machine that may be busy with other tests.
START_TIMEOUT = 120
STOP_TIMEOUT = 30


class Served:
    """The process of one function's image. A context manager: ready when entered, gone when left.

    Args:
        function: its image and its folder.
        scratch: for its temporary files, its log and the file that says it is ready.
        variables: what stack.yml would set.
        watchdog: the program that starts the function; without it the function is started directly.
        account: stands for the image's user.
    """

    def __init__(
        self,
        function: BuiltFunction,
        scratch: Path,
        variables: Mapping[str, str] | None = None,
        watchdog: Path | None = None,
        account: Account | None = None,
    ) -> None:
        self._function = function
        self._watchdog = watchdog
        self._account = account or Account.own()
        self._account.owns(scratch)
        self.log = scratch / "log"
        self.lock = scratch / ".lock"
        upstream, port, metrics = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port if watchdog else upstream}"
        self._variables = function.image.variables() | {
            "TMPDIR": str(scratch),
            "upstream_url": f"http://127.0.0.1:{upstream}",
            "port": str(port),
            "metrics_port": str(metrics),
            "healthcheck_interval": "100ms",
            **(variables or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it without waiting until it is ready."""
        image = self._function.image
        # The watchdog, too, splits at single spaces and knows no quotes.
        command = image.environment["fprocess"].split(" ")
        if self._watchdog:
            command = [str(self._watchdog) if word == WATCHDOG else word for word in image.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self._function.app,
                env=self._variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._account.popen,
            )
        return self.process

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run another command in the image to its end, as the same user with the same variables."""
        return subprocess.run(
            command,
            cwd=self._function.app,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
            **self._account.popen,
        )

    def healthy(self) -> bool:
        """What the image's own health check says."""
        return self.run(*self._function.image.healthcheck).returncode == 0

    def ready(self) -> bool:
        """As Kubernetes asks: the watchdog's health, or the file it goes by."""
        assert self.process is not None and self.process.poll() is None, self.log.read_text()
        return self.health() == 200 if self._watchdog else self.lock.exists()

    def health(self) -> int | None:
        """The watchdog's status; None while it does not listen."""
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/_/health", timeout=5).status_code
        return None

    def stop(self) -> int:
        """Ends it as Kubernetes does and returns its status."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        try:
            until(self.ready, f"{self._function.app.name} is ready", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


Serve = Callable[..., Served]
"""Makes a function ready to be started: its name, and its variables."""
