"""The template's server as a gunicorn worker: reload and end lose no request; fairness; many clients."""

import os
import re
import resource
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import cast

from tests.integration.openfaas.http_server import (
    HOST,
    TIMEOUT,
    HttpServer,
    everything,
    read_one,
    serving,
)
from tests.waiting import until

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
MANY = 1000


class Load:
    """Clients that send requests without a pause on kept connections, and reconnect when the server closes one.

    `answered` counts by client; `lost` holds why a request was not answered.
    """

    def __init__(self, port: int, clients: int) -> None:
        self.answered = [0] * clients
        self.lost: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        while not self._over.is_set():
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                self.answered[number] += 1
            except (HTTPException, OSError, AssertionError) as error:
                self.lost.append(repr(error))
                connection.close()
        connection.close()


@contextmanager
def loaded(log: Path, settings: Sequence[str] = ()) -> Iterator[tuple[HttpServer, Load]]:
    """A server and six busy clients."""
    with serving(log, settings=settings) as server, Load(server.port, 6) as load:
        until(lambda: min(load.answered) > 0, "all clients are at work")
        yield server, load


def test_a_reload_under_load_loses_no_request(tmp_path: Path) -> None:
    with loaded(tmp_path / "log") as (server, load):
        for _ in range(2):
            before = server.worker()
            server.process.send_signal(signal.SIGHUP)
            until(lambda before=before: not Path(f"/proc/{before}").exists(), "the old worker is gone")  # type: ignore[misc]
            asked = sum(load.answered)
            until(lambda asked=asked: sum(load.answered) > asked + 20, "the new one answers")  # type: ignore[misc]
    assert load.lost == []


def test_max_requests_replaces_the_worker_and_loses_no_request(tmp_path: Path) -> None:
    settings = ("--max-requests", "100", "--max-requests-jitter", "50")
    with loaded(tmp_path / "log", settings) as (server, load):
        until(lambda: server.log.read_text().count("Booting worker") >= 3, "the worker is replaced twice", 60)
    assert load.lost == []
    assert "Autorestarting worker" in server.log.read_text()


def test_sigquit_ends_immediately(tmp_path: Path) -> None:
    with serving(tmp_path / "log") as server, server.connect() as busy:
        busy.sendall(b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n")
        server.process.send_signal(signal.SIGQUIT)
        assert server.process.wait(TIMEOUT) == 0
        with suppress(ConnectionResetError):
            assert everything(busy) == b""


def test_no_client_starves(tmp_path: Path) -> None:
    """Each response takes a millisecond of the worker's time, and all clients always wait for one."""
    with serving(tmp_path / "log") as server, ExitStack() as opened:
        clients = [opened.enter_context(server.connect()) for _ in range(64)]
        shares = _shares(clients, b"GET /work HTTP/1.1\r\n" + HOST + b"\r\n", total=64 * 30)
    assert min(shares.values()) >= 30 / 2


def _shares(clients: list[socket.socket], request: bytes, total: int) -> Counter[socket.socket]:
    """Return how many responses each client has got. All send the next request after each response."""
    shares = Counter(dict.fromkeys(clients, 0))
    with selectors.DefaultSelector() as waiting:
        for client in clients:
            waiting.register(client, selectors.EVENT_READ)
            client.sendall(request)
        while shares.total() < total:
            for key, _ in waiting.select(TIMEOUT):
                client = cast("socket.socket", key.fileobj)
                assert client.recv(1000).endswith(b"done")
                shares[client] += 1
                client.sendall(request)
    return shares


def test_thousands_of_silent_clients_cost_almost_nothing(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * MANY), hard))
    settings = ("--worker-connections", str(MANY + 10), "--keep-alive", "120")
    with serving(tmp_path / "log", settings=settings) as server, ExitStack() as opened:
        worker = server.worker()
        clients = []
        before = _memory(worker)
        for _ in range(MANY):
            clients.append(opened.enter_context(server.connect()))
            clients[-1].sendall(GET)
            read_one(clients[-1])
        until(lambda: _memory(worker) - before < MANY * 12 << 10, "a connection takes less than 12 KiB")
        used, began = _cpu(worker), time.monotonic()
        until(lambda: time.monotonic() - began > 2, "two seconds have passed")
        assert _cpu(worker) - used < 0.1
        for client in clients:
            client.sendall(GET)
            read_one(client)


def _memory(pid: int) -> int:
    """Return the proportional set size in bytes."""
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found
    return int(found[1]) << 10


def _cpu(pid: int) -> float:
    """Return the CPU seconds, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
