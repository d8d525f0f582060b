"""Wire: all of a request and of an answer gets through, by TCP and by TLS, and no wait is longer than it may be."""

import time
from pathlib import Path

import gevent
import pytest
from gevent import ssl
from gevent.event import Event

from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import AnswerLate, NothingRan, RequestFailed
from controller.runtimes.transport.messages import Budget, Request
from controller.runtimes.transport.wire import PlainWire
from tests.integration.controller.runtimes.transport.certificate import write_certificate
from tests.integration.controller.runtimes.transport.server import OK, Exchange, Server, serving

RUN = Request("/runtime/python/x", b"{}")
BIG = b"0123456789abcdef" * (1 << 18)
"""4 MiB: more than the kernels between take in one write."""


@pytest.fixture(params=["http", "https"])
def tls(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext | None:
    """What the server is given, in an environment that trusts it."""
    if request.param == "http":
        return None
    certificate = write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def connect(server: Server) -> Connection:
    return Connection(Endpoint(server.address), time.monotonic() + 5)


def test_what_is_larger_than_every_buffer_gets_through_and_back(tls: ssl.SSLContext | None) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BIG)}\r\n\r\n".encode()
    with serving(lambda exchange: exchange.answer(head + BIG), tls=tls) as server:
        connection = connect(server)
        for _ in range(2):
            assert connection.exchange(Request("/", BIG), Budget.of(10, 10)).body == BIG
            assert connection.reusable and connection.quiet()
        assert [len(request.partition(b"\r\n\r\n")[2]) for request in server.requests] == 2 * [len(BIG)]
        assert server.accepted == 1


def test_an_answer_that_does_not_come_is_not_waited_for(tls: ssl.SSLContext | None) -> None:
    with serving(lambda _: gevent.sleep(60), tls=tls) as server:
        connection = connect(server)
        started = time.monotonic()
        with pytest.raises(AnswerLate):
            connection.exchange(RUN, Budget.of(0.1, 0.1))
        assert 0.19 < time.monotonic() - started < 30


def test_an_answer_that_lies_there_when_a_busy_process_looks_again_is_taken() -> None:
    def then_busy(exchange: Exchange) -> None:
        exchange.answer()
        time.sleep(0.3)  # holds up the whole process, the client's timers too

    with serving(then_busy) as server:
        assert connect(server).exchange(RUN, Budget.of(0.1, 0.1)).body == b"ok"


def test_a_peer_that_does_not_read_is_not_waited_for(tls: ssl.SSLContext | None) -> None:
    with (
        serving(on_accept=lambda _: gevent.sleep(60), tls=tls) as server,
        pytest.raises(NothingRan, match="not sent"),
    ):
        connect(server).exchange(Request("/", 16 * BIG), Budget.of(0.3, 60))


def test_time_that_is_over_before_a_byte_is_sent_sends_none(tls: ssl.SSLContext | None) -> None:
    with serving(tls=tls) as server:
        connection = connect(server)
        with pytest.raises(NothingRan, match="not sent"):
            connection.exchange(RUN, Budget.of(-1, 60))
        connection.close()
        assert server.client_gone.wait(60)
        assert server.requests == []


def test_what_a_peer_says_or_does_in_between_is_noticed(tls: ssl.SSLContext | None) -> None:
    def chatty(exchange: Exchange) -> None:
        exchange.answer()
        if exchange.number == 2:
            exchange.answer(OK)

    with serving(chatty, tls=tls) as server:
        connection = connect(server)
        connection.exchange(RUN, Budget.of(5, 5))
        assert connection.quiet()
        connection.exchange(RUN, Budget.of(5, 5))
        with gevent.Timeout(60):
            while connection.reusable and connection.quiet():
                gevent.sleep(0.001)


def test_over_tls_an_end_without_an_answer_proves_nothing(tls: ssl.SSLContext | None) -> None:
    with serving(tls=tls) as server:
        connection = connect(server)
        connection.exchange(RUN, Budget.of(5, 5))
        server.hang_up()
        with pytest.raises(RequestFailed) as failed:
            connection.exchange(RUN, Budget.of(5, 5))
        assert isinstance(failed.value, NothingRan) == (tls is None)


def test_a_greenlet_that_is_killed_leaves_nothing_behind_that_could_wake_it(
    tls: ssl.SSLContext | None,
) -> None:
    gone = Event()

    def later(exchange: Exchange) -> None:
        gone.wait(60)
        exchange.answer()

    with serving(later, tls=tls) as server:
        connection = connect(server)
        killed = gevent.spawn(connection.exchange, RUN, Budget.of(0.1, 0.1))
        with gevent.Timeout(60):
            while not server.requests:
                gevent.sleep(0.001)
        killed.kill()
        assert not connection.reusable
        gone.set()
        gevent.sleep(0.3)  # beyond the answer and the deadline of the killed one
        connection.close()
        assert connect(server).exchange(RUN, Budget.of(5, 5)).body == b"ok"


def test_input_that_no_request_waits_for_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[PlainWire] = []
    on_input = PlainWire._on_input

    def counted(wire: PlainWire) -> None:
        reports.append(wire)
        on_input(wire)

    monkeypatch.setattr(PlainWire, "_on_input", counted)
    with serving() as server:
        connection = connect(server)
        for _ in range(3):
            connection.exchange(RUN, Budget.of(5, 5))
        answered = len(reports)
        server.hang_up()
        with gevent.Timeout(60):
            while len(reports) == answered:
                gevent.sleep(0.001)
        for _ in range(20):
            gevent.sleep(0.001)
        assert len(reports) == answered + 1
        assert not connection.quiet()
