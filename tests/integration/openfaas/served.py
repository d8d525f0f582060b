"""A function served as its image declares, with or without of-watchdog in front."""

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
    """The process of one function's image. As a context manager it waits until it is ready, and ends it.

    Args:
        function: Its image and its folder.
        scratch: Folder for its temporary files, its log and the file that says it is ready.
        variables: Variables that stack.yml would set.
        watchdog: The program that starts the function; without it the function is started directly.
        account: Takes the place of the image's user.
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
        """Start it without waiting until it is ready."""
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
        """Run another command in the image, as the same user with the same variables."""
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
        """Return the result of the image's health check."""
        return self.run(*self._function.image.healthcheck).returncode == 0

    def ready(self) -> bool:
        """Return whether it is ready for Kubernetes: by the watchdog's health, or by the lock file."""
        assert self.process is not None and self.process.poll() is None, self.log.read_text()
        return self.health() == 200 if self._watchdog else self.lock.exists()

    def health(self) -> int | None:
        """Return the status of the watchdog's health; None while it does not listen."""
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/_/health", timeout=60).status_code
        return None

    def stop(self) -> int:
        """End it as Kubernetes does and return its status."""
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
"""Prepares a function to be started, from its name and its variables."""
