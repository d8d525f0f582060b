"""Connection: what a runtime's misbehaviour comes to, and when it is certain that nothing ran."""

import time

import gevent
import pytest

from controller.runtimes.transport.connection import HEAD_MAX_BYTES, Connection, Endpoint
from controller.runtimes.transport.failures import AnswerLate, NothingRan, RequestFailed
from controller.runtimes.transport.messages import Budget, Request
from tests.integration.controller.runtimes.transport.server import (
    OK,
    Exchange,
    Manner,
    refusing_address,
    serving,
)
from tests.waiting import until_greenlets

RUN = Request("/runtime/python/x", b'{"a": 1}', {"X-Runtime-Secret": "s"})


def connect(address: str) -> Connection:
    return Connection(Endpoint(address), time.monotonic() + 5)


def budget(own: float = 5, script: float = 0) -> Budget:
    return Budget.of(own, script)


def test_a_connection_is_used_again_and_the_bytes_are_as_they_should_be() -> None:
    with serving() as server:
        connection = connect(f"{server.address}/function/runtime-python")
        for _ in range(3):
            answer = connection.exchange(RUN, budget())
            assert (answer.status, answer.body, connection.reusable) == (200, b"ok", True)
        assert server.accepted == 1
        assert server.requests == 3 * [
            b"POST /function/runtime-python/runtime/python/x HTTP/1.1\r\n"
            + f"Host: {server.address.removeprefix('http://')}\r\n".encode()
            + b"X-Runtime-Secret: s\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n"
            + b'{"a": 1}'
        ]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0", "\x7f"])
def test_no_header_ends_before_its_end(value: str) -> None:
    with pytest.raises(ValueError, match="control"):
        Request("/", b"", {"traceparent": value}).encode("host", "")


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
def test_answers_of_every_framing_are_read(sent: bytes, body: bytes) -> None:
    def in_pieces(exchange: Exchange) -> None:
        for byte in range(len(sent)):
            exchange.answer(sent[byte : byte + 1])

    with serving(in_pieces) as server:
        connection = connect(server.address)
        assert connection.exchange(RUN, budget()).body == body
        assert connection.reusable


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + OK,
        OK + b"HTTP/1.1 5",
    ],
)
def test_a_connection_that_cannot_be_trusted_again_is_not_reusable(sent: bytes) -> None:
    with serving(lambda exchange: exchange.answer(sent)) as server:
        connection = connect(server.address)
        assert connection.exchange(RUN, budget()).body == b"ok"
        assert not connection.reusable


def garbage(data: bytes) -> Manner:
    def answer(exchange: Exchange) -> bool:
        exchange.answer(data)
        return True

    return answer


@pytest.mark.parametrize(
    "manner",
    [
        garbage(b"SSH-2.0-x\r\n"),
        garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
        garbage(b"HTTP/1.1 200 OK\r\nContent-Le"),
        garbage(b"HTTP/1.1 200 OK\r\n\r\nno length: cut short or not, it cannot be told"),
        garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        garbage(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        garbage(b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_MAX_BYTES * 2),
    ],
)
def test_an_answer_that_is_none_leaves_open_whether_the_script_ran(manner: Manner) -> None:
    with serving(manner) as server:
        connection = connect(server.address)
        with pytest.raises(RequestFailed) as failed:
            connection.exchange(RUN, budget())
        assert not isinstance(failed.value, NothingRan | AnswerLate)
        assert not connection.reusable


@pytest.mark.parametrize("place", [1, 2])
def test_a_runtime_that_dies_with_the_request_may_have_run_it(place: int) -> None:
    """On a connection that was used before, too: an end without an answer is no proof that it was stale."""

    def die(exchange: Exchange) -> bool:
        if exchange.number < place:
            exchange.answer()
        return exchange.number == place

    with serving(die) as server:
        connection = connect(server.address)
        for _ in range(place - 1):
            connection.exchange(RUN, budget())
        with pytest.raises(RequestFailed) as failed:
            connection.exchange(RUN, budget())
        assert not isinstance(failed.value, NothingRan)
        assert len(server.requests) == place


def test_a_connection_that_had_gone_stale_has_carried_nothing() -> None:
    with serving() as server:
        connection = connect(server.address)
        connection.exchange(RUN, budget())
        assert connection.quiet()
        server.hang_up()
        with pytest.raises(NothingRan) as failed:
            connection.exchange(RUN, budget())
        assert failed.value.kept
        assert len(server.requests) == 1


def test_a_closed_connection_is_not_quiet() -> None:
    with serving() as server:
        connection = connect(server.address)
        connection.exchange(RUN, budget())
        server.hang_up()
        until_greenlets(lambda: not connection.quiet(), "the end is seen")


def test_a_peer_that_closes_before_it_could_read_has_run_nothing() -> None:
    with serving(on_accept=lambda _: True) as server:
        connection = connect(server.address)
        until_greenlets(lambda: not connection.quiet(), "the end is seen")
        with pytest.raises(NothingRan):
            connection.exchange(RUN, budget())


def test_a_body_that_could_not_all_be_sent_has_run_nothing() -> None:
    """The peer reads nothing, and what the kernels between take is less than the body."""
    with serving(on_accept=lambda _: gevent.sleep(60)) as server:
        connection = connect(server.address)
        big = Request("/runtime/python/x", b"x" * (64 << 20))
        with pytest.raises(NothingRan, match="not sent"):
            connection.exchange(big, budget(own=0.2, script=5))


def test_a_refused_connection_ran_nothing() -> None:
    with pytest.raises(NothingRan, match="refused"):
        connect(refusing_address())


def test_connecting_is_bounded_also_where_nothing_comes_back() -> None:
    # A listener that is not served, its queue of one full: the kernel drops what comes then.
    with gevent.socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(2):
            one = gevent.socket.socket()
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
            waiting.append(one)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(NothingRan):
            Connection(Endpoint(address), time.monotonic() + 0.3)
        assert 0.25 < time.monotonic() - started < 30
        for one in waiting:
            one.close()


@pytest.mark.parametrize(("own", "script"), [(0.1, 0.2), (0.3, 0.0)])
def test_waiting_for_the_answer_ends_with_the_whole_budget(own: float, script: float) -> None:
    def drip(exchange: Exchange) -> None:
        """Never silent for long, never done."""
        exchange.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            exchange.answer(b"x")
            gevent.sleep(0.02)

    for manner in (drip, lambda _: gevent.sleep(60)):
        with serving(manner) as server:
            connection = connect(server.address)
            started = time.monotonic()
            with pytest.raises(AnswerLate):
                connection.exchange(RUN, budget(own, script))
            assert own + script - 0.01 < time.monotonic() - started < own + script + 15
            assert not connection.reusable
