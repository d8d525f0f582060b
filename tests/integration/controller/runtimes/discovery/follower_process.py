"""A process that follows an API server, and what it knows."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local.state import ROOT
from local.supervisor.ports import LOOPBACK
from tests.waiting import until

#: Seconds. Discovery waits up to 30 s between two attempts, and keeps a token for 60 s.
TIMEOUT = 120.0


class FollowerProcess:
    """Runs follower.py. `known` is what it printed last, `history` all that it printed."""

    def __init__(self, service_account: Path, port: int) -> None:
        self._log = service_account / "log"
        self.known: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KUBERNETES_SERVICE_HOST": LOOPBACK,
            "KUBERNETES_SERVICE_PORT": str(port),
        }
        module = "tests.integration.controller.runtimes.discovery.follower"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(service_account)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def until_known(self, **languages: list[str]) -> None:
        """Waits until all runtimes are known, and they are these."""
        addresses = {name: [f"http://{one}:8080" for one in found] for name, found in languages.items()}
        expected = {"complete": True, "addresses": addresses}
        until(lambda: self.known == expected, f"{expected} is known, see {self._log}", TIMEOUT)

    def until_logged(self, text: str) -> None:
        until(lambda: text in self._log.read_text(), f"{text!r} is in {self._log}", TIMEOUT)

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.known = json.loads(line)
            self.history.append(self.known)


Follow = Callable[[], FollowerProcess]
"""Starts a follower."""


def followers(service_account: Path, port: int) -> Iterator[Follow]:
    """A fixture's body: every follower that the test starts ends with it."""
    started: list[FollowerProcess] = []

    def follow() -> FollowerProcess:
        started.append(FollowerProcess(service_account, port))
        return started[-1]

    yield follow
    for process in started:
        process.stop()
