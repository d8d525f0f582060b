"""A server that starts when its first client connects."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.services import Parts
from local.settings import Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.ports import LOOPBACK, free_port, is_well
from local.supervisor.python_server import HttpServer
from local.supervisor.supervisor import Interrupted, Supervisor


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A Python runtime, which is not started."""
    folder = tmp_path_factory.mktemp("held") / "state"
    settings = replace(Settings.on_free_ports(), grace=3)
    part = Parts(State(folder), settings, State(folder).code(), None).runtime("python", "node")
    yield part
    part.release()
    part.stop()
    remove(folder)


@pytest.mark.parametrize("at", ["its port", "a bell"])
def test_a_client_starts_it(server: HttpServer, tmp_path: Path, at: str) -> None:
    supervisor, bell = Supervisor(tmp_path / "parts.json"), free_port()
    supervisor.launch_when_called(server, bell)
    waits = 0

    def wait() -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            assert not server.alive
            client.connect((LOOPBACK, server.port if at == "its port" else bell))
        else:
            raise Interrupted

    with socket.socket() as client:
        with pytest.raises(Interrupted):
            supervisor.watch(wait)
        assert server.alive
        if at == "its port":
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        else:
            server.await_answer()
            assert is_well(server.port, "/health")
    supervisor.stop()


def test_what_dies_twice_or_cannot_be_started_is_not_started_again(server: HttpServer) -> None:
    server.start()
    server.kill()
    assert server.replace()
    server.await_answer()
    server.kill()
    assert not server.replace()
