"""An instance gets SIGTERM under load, and no request fails.

Two instances of one function stand behind a router that does what the gateway's cluster does: it asks for their
health now and then, and sends on to one that is ending until it has heard of it.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
import requests

from local.supervisor.ports import is_free
from local.supervisor.proc import born
from tests.conftest import ROOT
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.served import Serve, Served
from tests.waiting import until

CLIENTS = 8
#: As in the image, but shorter: the router notices the end before `healthcheck_interval` is over.
SETTINGS = {"healthcheck_interval": "4s", "exec_timeout": "20s"}
POLL = 1.0
INIT = ROOT / "template" / "python3-gevent" / "init.py"


class Router(ThreadingHTTPServer):
    """Sends each request to the next instance that was healthy at the last check, on kept connections."""

    def __init__(self, instances: list[Served]) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.well = instances
        self._instances = instances
        self._turn = count()
        self._closed = Event()
        self.looks = Event()
        self.looks.set()

    def __enter__(self) -> "Router":
        for work in (self.serve_forever, self._ask):
            Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self.looks.set()
        self.shutdown()
        self.server_close()

    def next(self) -> Served:
        return self.well[next(self._turn) % len(self.well)]

    def _ask(self) -> None:
        while not self._closed.wait(POLL):
            self.looks.wait()
            self.well = [instance for instance in self._instances if well(instance)]


class Forward(BaseHTTPRequestHandler):
    """One client's connection, and its connections to the instances."""

    protocol_version = "HTTP/1.1"
    server: Router

    def setup(self) -> None:
        super().setup()
        self.kept: dict[str, HTTPConnection] = {}

    def do_POST(self) -> None:
        address = urlsplit(self.server.next().url).netloc
        connection = self.kept.setdefault(address, HTTPConnection(address, timeout=60))
        connection.request("POST", self.path, self.rfile.read(int(self.headers["Content-Length"])))
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the clients check the responses."""


class Load:
    """Clients that send requests without a pause. `answers` has the time, the status and the instance of each."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[float, int, str]] = []
        self._url = url
        self._enough = Event()
        self._threads = ThreadPoolExecutor(CLIENTS)

    def __enter__(self) -> "Load":
        self._clients = [self._threads.submit(self._ask) for _ in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._threads.shutdown()
        for client in self._clients:
            client.result()

    def of(self, name: str, since: float = 0.0) -> int:
        return sum(by == name and asked > since for asked, _, by in self.answers)

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._enough.is_set():
                asked = time.monotonic()
                answer = session.post(f"{self._url}/hostname", data=b"x" * 1000, timeout=60)
                self.answers.append((asked, answer.status_code, answer.text))


def well(instance: Served) -> bool:
    with suppress(AssertionError):  # it has ended
        return instance.ready()
    return False


@pytest.fixture
def instances(serve: Serve) -> Iterator[list[Served]]:
    """Two instances, of which the tests end the first."""
    with (
        serve(GENERIC, variables=SETTINGS | {"HOSTNAME": "ending"}) as ending,
        serve(GENERIC, variables=SETTINGS | {"HOSTNAME": "staying"}) as staying,
    ):
        yield [ending, staying]


def test_no_request_fails_while_one_of_two_instances_ends(instances: list[Served], tmp_path: Path) -> None:
    ending, _ = instances
    assert ending.process is not None
    query = {name: str(tmp_path / name) for name in ("begun", "gate")}
    with Router(instances) as router, Load(router.url) as load, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(requests.get, f"{ending.url}/wait", params=query, timeout=60)
        until((tmp_path / "begun").exists, "the slow request is under way")
        until(lambda: min(load.of("ending"), load.of("staying")) > 20, "both are at work")

        router.looks.clear()
        told = time.monotonic()
        ending.process.send_signal(signal.SIGTERM)
        until(lambda: load.of("ending", since=told) > 0, "the one that is told to end goes on")
        router.looks.set()
        until(lambda: ending not in router.well, "the router has heard of it")
        until(lambda: is_free(urlsplit(ending.url).port or 0), "it takes no more requests")
        (tmp_path / "gate").touch()
        status = ending.process.wait(60)
        until(lambda: load.of("staying", time.monotonic() - 0.5) > 0, "the other one goes on")

    assert {answered for _, answered, _ in load.answers} == {200}
    assert (slow.result().status_code, slow.result().text) == (200, "waited")
    assert status == 0


ORPHAN = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)"


@pytest.mark.parametrize(("status", "waits"), [(0, True), (3, False)])
def test_the_first_process_waits_after_a_successful_program(tmp_path: Path, status: int, waits: bool) -> None:
    gate, note = tmp_path / "gate", tmp_path / "pids"
    program = (
        "import os, subprocess, sys\n"
        f"orphan = subprocess.Popen([sys.executable, '-c', {ORPHAN!r}, sys.argv[1]])\n"
        "with open(sys.argv[2] + '.part', 'w') as note: note.write(f'{os.getpid()} {orphan.pid}')\n"
        "os.rename(sys.argv[2] + '.part', sys.argv[2])\n"
        f"sys.exit({status})"
    )
    init = subprocess.Popen([sys.executable, INIT, sys.executable, "-c", program, gate, note])
    try:
        until(note.exists, "the program has begun")
        main, orphan = map(int, note.read_text().split())
        until(lambda: born(main) is None, "the program has ended")
        if waits:
            assert init.poll() is None
        else:
            assert init.wait(60) == status
            assert born(orphan) is None
    finally:
        gate.touch()
    assert init.wait(60) == status
    assert born(orphan) is None


def test_the_first_process_passes_signals_on_and_reaps_orphans(tmp_path: Path) -> None:
    note = tmp_path / "orphan"
    program = f"(sleep 0.1 & echo $! > {note}); trap 'exit 7' TERM; while :; do sleep 0.05; done"
    init = subprocess.Popen([sys.executable, INIT, "sh", "-c", program])
    try:
        until(lambda: note.exists() and note.read_text() != "", "the orphan runs")
        orphan = Path("/proc", note.read_text().strip())
        until(lambda: not orphan.exists(), "the orphan is gone, and no zombie")
    finally:
        init.terminate()

    assert init.wait(60) == 7
