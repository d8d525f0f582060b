"""A laid-out image that is started, as an engine starts it: its command, its variables, its health check."""

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests

from local.supervisor.account import Account
from local.supervisor.ports import LOOPBACK, free_port
from tests.integration.deploy.layout import Image
from tests.waiting import until

#: Seconds: until it is healthy, and for its end.
START_TIMEOUT = 60
STOP_TIMEOUT = 30


class Container:
    """A process of an image. A context manager: healthy when entered, gone when left.

    Args:
        image: laid out where `account` can read it.
        account: stands for the image's user.
        log: what the process writes.
        variables: what the Compose file would set.
    """

    def __init__(self, image: Image, account: Account, log: Path, variables: Mapping[str, str]) -> None:
        self.image = image
        self._account = account
        self._log = log
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        # Within a container every address is its own; here it is on loopback only.
        only_here = {"PORT": str(port), "GUNICORN_CMD_ARGS": f"--bind {LOOPBACK}:{port}"}
        self._variables = {**image.variables(), **variables, **only_here}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for place in self.image.owned:
            self._account.owns(self.image.place(place))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.image.argv(self.image.command),
                cwd=self.image.place("."),
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._account.popen,
            )

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run another command in the image to its end, as the same user with the same variables."""
        return subprocess.run(
            self.image.argv(list(command)),
            cwd=self.image.place("."),
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
            **self._account.popen,
        )

    def healthy(self) -> bool:
        """What the image's own health check says."""
        return self.run(*self.image.healthcheck).returncode == 0

    def await_health(self) -> None:
        """Asks over HTTP, which costs less than the image's health check and is what that one does."""
        until(self._answers, f"{self.image.folder.name} answers", START_TIMEOUT)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log()
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/health", timeout=START_TIMEOUT).status_code == 200
        return False

    def ask_to_stop(self) -> None:
        assert self._process is not None
        self._process.terminate()

    def stop(self) -> int:
        """End it as Compose does; answers its status."""
        assert self._process is not None
        self.ask_to_stop()
        try:
            return self._process.wait(STOP_TIMEOUT)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.await_health()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
