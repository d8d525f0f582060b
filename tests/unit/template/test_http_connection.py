"""A connection on the loop of this process: how often the loop has to call it."""

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from http_client import Client
from http_connection import Connection
from http_limits import Limits, Timeouts

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """One connection, its client, and an application that answers when `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = Event()
        self.client, own = socket.socketpair()
        own.setblocking(False)
        self.client.setblocking(False)
        hub, timeouts = gevent.get_hub(), Timeouts()
        worker: Any = SimpleNamespace(
            alive=True, access_log=None, date="Date: now", hub=hub, keepalive=60.0, kept=60.0, limits=Limits(),
            log=None, loop=hub.loop, now=0.0, timeouts=timeouts, watched=set(), wsgi=self._answer,
            count_request=lambda: None, gone=lambda _: None,
        )  # fmt: skip
        self.connection = Connection(worker, Client(own, timeouts), {})

    def _answer(self, _: object, start_response: Callable[..., object]) -> list[bytes]:
        self.go_on.wait()
        start_response("200 OK", [])
        return [b"answer"]

    def received(self, answers: int) -> None:
        """Wait for so many answers."""
        data = b""
        with gevent.Timeout(20):
            while data.count(b"answer") < answers:
                gevent.sleep(0.001)
                try:
                    data += self.client.recv(1 << 16)
                except BlockingIOError:
                    continue


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.connection.close()
    one.client.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connection, once for each call of the loop."""
    called: list[Connection] = []
    on_data: Any = Connection._on_data

    def counted(connection: Connection) -> None:
        called.append(connection)
        on_data(connection)

    monkeypatch.setattr(Connection, "_on_data", counted)
    return called


def test_input_that_comes_during_a_request_is_reported_once_and_answered(
    calls: list[Connection], served: Served
) -> None:
    served.client.send(REQUEST)
    with gevent.Timeout(20):
        while not calls:
            gevent.sleep(0.001)
    served.client.send(REQUEST)
    for _ in range(20):
        gevent.sleep(0.001)
    assert len(calls) == 2
    served.go_on.set()
    served.received(2)


def test_a_request_is_one_call_and_one_read(
    calls: list[Connection], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    receive = served.connection._client.receive

    def counted(size: int) -> bytes:
        reads.append(size)
        return bytes(receive(size))

    monkeypatch.setattr(served.connection._client, "receive", counted)
    served.go_on.set()
    for _ in range(3):
        served.client.send(REQUEST)
        served.received(1)
    assert (len(calls), len(reads)) == (3, 3)
