"""A process that follows API servers, and what its followers know."""

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
    """Runs follower.py; `log` is what it writes to stderr."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self._followers: list[Follower] = []
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KUBERNETES_SERVICE_HOST": LOOPBACK,
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.controller.runtimes.discovery.follower"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def follow(self, account: Path, port: int) -> "Follower":
        """Start a follower."""
        number = len(self._followers)
        self._followers.append(Follower(self, number))
        self._ask(follower=number, account=str(account), port=port)
        return self._followers[-1]

    def end(self, number: int) -> None:
        """End a follower."""
        self._ask(follower=number)

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, **asked: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            known = json.loads(line)
            self._followers[known.pop("follower")].history.append(known)


class Follower:
    """Follows one API server. `history` is all that it told."""

    def __init__(self, process: FollowerProcess, number: int) -> None:
        self._process = process
        self._logged = process.log.stat().st_size
        self._number = number
        self.history: list[dict[str, Any]] = []

    def until_known(self, **languages: list[str]) -> None:
        """Waits until all runtimes are known, and they are these."""
        addresses = {name: [f"http://{one}:8080" for one in found] for name, found in languages.items()}
        expected = {"complete": True, "addresses": addresses}
        what = f"{expected} is known, see {self._process.log}"
        until(lambda: self.history[-1:] == [expected], what, TIMEOUT)

    def until_logged(self, text: str) -> None:
        log = self._process.log
        until(lambda: text in log.read_text()[self._logged :], f"{text!r} is in {log}", TIMEOUT)

    def alive(self) -> bool:
        return self._process.alive()

    def end(self) -> None:
        self._process.end(self._number)


Follow = Callable[[], Follower]
"""Starts a follower."""


def followers(process: FollowerProcess, account: Path, port: int) -> Iterator[Follow]:
    """A fixture's body: every follower that the test starts ends with it."""
    started: list[Follower] = []

    def follow() -> Follower:
        started.append(process.follow(account, port))
        return started[-1]

    yield follow
    if process.alive():
        for follower in started:
            follower.end()
