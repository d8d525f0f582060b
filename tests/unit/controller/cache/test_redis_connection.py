"""Connection: which greenlet gets which reply, and when a wait ends. The test is the server."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import gevent
import hiredis
import pytest
from gevent import socket
from gevent.event import AsyncResult
from gevent.hub import Waiter
from gevent.queue import Queue

from controller.cache import redis_connection
from controller.cache.redis_connection import REST, Connection
from controller.errors import CacheUnavailable

TIMEOUT = 0.5
PING = b"*1\r\n$4\r\nPING\r\n"


class Server:
    """The other end of a connection."""

    def __init__(self, timeout: float) -> None:
        near, self.end = socket.socketpair()
        self.end.settimeout(20)
        self.connection = Connection(near, timeout)

    def asked(self, size: int) -> bytes:
        """The next bytes that were sent."""
        received = bytearray()
        while len(received) < size:
            data = self.end.recv(size - len(received))
            assert data, "the connection was closed"
            received += data
        return bytes(received)

    def ask(self, command: bytes = PING) -> "gevent.Greenlet[..., Any]":
        return gevent.spawn(self.connection.ask, command)

    def ask_each(self, count: int) -> "list[gevent.Greenlet[..., Any]]":
        return [self.ask(b"%04d" % number) for number in range(count)]


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serving(20)


@pytest.fixture
def hasty() -> Iterator[Server]:
    """One from which replies are expected within TIMEOUT."""
    yield from serving(TIMEOUT)


def serving(timeout: float) -> Iterator[Server]:
    made = Server(timeout)
    yield made
    made.connection.close("the test is over")
    made.end.close()


def outcome(waiting: "gevent.Greenlet[..., Any]") -> Any:
    """What it got, or what it was told instead."""
    gevent.joinall([waiting], timeout=60)
    return waiting.value if waiting.successful() else waiting.exception


def test_concurrent_commands_leave_together_and_each_gets_its_reply(server: Server) -> None:
    waiting = server.ask_each(200)
    assert server.end.recv(1 << 16) == b"".join(b"%04d" % number for number in range(200))
    server.end.sendall(b"".join(b":%d\r\n" % number for number in range(200)))
    assert [outcome(each) for each in waiting] == list(range(200))


def test_what_nothing_waits_for_goes_with_the_next_command_or_soon_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for alone in (False, True):
        if not alone:
            monkeypatch.setattr(redis_connection, "LATER", 60.0)
        server = Server(20)
        for number in range(2):  # each time anew
            posted: Waiter[Any] = Waiter()
            server.connection.post(b"%04d" % number, posted, later=True)
            gevent.idle()
            waiting = None if alone else server.ask(b"next")
            assert server.end.recv(100) == b"%04d" % number + (b"" if alone else b"next")
            server.end.sendall(b":1\r\n" if alone else b":1\r\n:2\r\n")
            assert posted.get() == 1
            assert waiting is None or outcome(waiting) == 2
        monkeypatch.undo()
        server.connection.close("the test is over")
        server.end.close()


def test_a_reply_may_come_in_any_pieces(server: Server) -> None:
    waiting = server.ask_each(2)
    for byte in b"*2\r\n$-1\r\n$3\r\na\r\n\r\n-NOSCRIPT no\r\n":
        server.end.sendall(bytes([byte]))
        gevent.sleep(0)
    assert outcome(waiting[0]) == [None, b"a\r\n"]
    refused = outcome(waiting[1])
    assert isinstance(refused, hiredis.ReplyError)
    assert str(refused) == "NOSCRIPT no"


def test_the_reply_to_a_killed_greenlet_is_dropped(server: Server) -> None:
    waiting = server.ask_each(3)
    server.asked(12)
    waiting[1].kill()
    server.end.sendall(b":0\r\n:1\r\n:2\r\n")
    assert [outcome(waiting[0]), outcome(waiting[2])] == [0, 2]
    again = server.ask()
    server.end.sendall(b":3\r\n")
    assert outcome(again) == 3


def test_a_kill_that_comes_before_the_reply_is_handed_over_wins(server: Server) -> None:
    other: AsyncResult[str] = AsyncResult()

    def work() -> Any:
        try:
            server.connection.ask(PING)
        except gevent.GreenletExit:
            return other.get()
        return "not killed"

    worker = gevent.spawn(work)
    server.asked(len(PING))
    worker.kill(block=False)
    server.end.sendall(b":1\r\n")
    next_one = server.ask()
    server.end.sendall(b":2\r\n")
    assert outcome(next_one) == 2
    other.set("in peace")
    assert outcome(worker) == "in peace"


def test_a_wait_that_is_too_long_fails_and_the_others_go_on(hasty: Server) -> None:
    late = hasty.ask()
    hasty.asked(len(PING))
    hasty.end.sendall(b"$100\r\n")
    sent = 0
    while not late.ready():
        # The server is slow, but it speaks.
        hasty.end.sendall(b"x")
        sent += 1
        gevent.sleep(TIMEOUT / 10)
    assert isinstance(outcome(late), CacheUnavailable)
    in_time = hasty.ask()
    hasty.end.sendall(b"x" * (100 - sent) + b"\r\n:7\r\n")
    assert outcome(in_time) == 7


def test_a_server_that_falls_ever_further_behind_is_given_up(hasty: Server) -> None:
    waiting = hasty.ask()
    hasty.end.sendall(b"$1000\r\n")
    started = time.monotonic()
    with gevent.Timeout(60):
        while not hasty.connection.closed:
            hasty.end.sendall(b"x")
            gevent.sleep(TIMEOUT / 10)
    assert time.monotonic() - started > TIMEOUT * 9
    assert isinstance(outcome(waiting), CacheUnavailable)


def test_a_server_that_says_nothing_is_given_up_and_all_are_told(hasty: Server) -> None:
    started = time.monotonic()
    waiting = hasty.ask_each(500)
    told = [outcome(each) for each in waiting]
    assert {type(each) for each in told} == {CacheUnavailable}
    assert len({id(each) for each in told}) == 500, "an error of one's own"
    # All together: one after the other they would take five hundred times as long.
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT * 250
    assert hasty.connection.closed
    assert isinstance(outcome(hasty.ask()), CacheUnavailable)


def test_an_idle_connection_is_in_no_hurry(hasty: Server) -> None:
    for number in range(3):
        waiting = hasty.ask()
        hasty.asked(len(PING))
        hasty.end.sendall(b":%d\r\n" % number)
        assert outcome(waiting) == number
        gevent.sleep(TIMEOUT * 1.5)
    assert hasty.connection.usable()


def test_a_busy_process_does_not_hold_its_own_pause_against_the_server(hasty: Server) -> None:
    waiting = hasty.ask()
    hasty.asked(len(PING))
    hasty.end.sendall(b":1\r\n")
    time.sleep(TIMEOUT * 3)
    assert outcome(waiting) == 1
    unsent = hasty.ask()
    gevent.idle()
    time.sleep(TIMEOUT * 3)
    gevent.spawn(hasty.end.sendall, b":2\r\n")
    assert outcome(unsent) == 2


@pytest.mark.parametrize("data", [b"", b"?", b"*1\r\n!\r\n", b":1\r\n:2\r\n"])
def test_what_is_no_answer_ends_the_connection(server: Server, data: bytes) -> None:
    waiting = server.ask()
    server.asked(len(PING))
    server.end.sendall(data)
    server.end.shutdown(socket.SHUT_WR)
    assert isinstance(outcome(waiting), CacheUnavailable) == (data[:1] != b":")
    gevent.idle()
    assert server.connection.closed


def test_the_end_of_an_idle_connection_is_seen_before_anything_is_sent(server: Server) -> None:
    server.end.close()
    # The loop has had no turn since.
    time.sleep(0.1)
    assert not server.connection.usable()


def test_bytes_that_the_kernel_takes_later_go_out_in_order(server: Server) -> None:
    large = [bytes([number]) * (1 << 20) for number in range(5)]
    waiting = []
    for command in large:
        waiting += [server.ask(command), server.ask(b"between")]
        gevent.sleep(0)
    wanted = b"".join(command + b"between" for command in large)
    assert server.asked(len(wanted)) == wanted
    server.end.sendall(b"".join(b":%d\r\n" % number for number in range(10)))
    assert [outcome(each) for each in waiting] == list(range(10))


def test_a_large_reply_does_not_keep_the_loop_from_others(server: Server) -> None:
    turns = 0

    def others() -> None:
        nonlocal turns
        while not waiting.ready():
            turns += 1
            gevent.sleep(0)

    waiting = server.ask()
    beside = gevent.spawn(others)
    server.end.sendall(b"$%d\r\n%s\r\n" % (5 << 20, b"x" * (5 << 20)))
    assert len(outcome(waiting)) == 5 << 20
    beside.join()
    assert turns >= 5


def test_messages_are_received_in_bulk_each_time() -> None:
    told: Queue[float] = Queue()
    near, end = socket.socketpair()
    connection = Connection(near, 20, lambda _: told.put(time.monotonic()))
    times = []
    for _ in range(5):
        end.sendall(b">1\r\n$1\r\na\r\n")
        times.append(told.get(timeout=60))
    # The clock of the loop stands during a pass, so a timer may be a little early.
    assert min(later - sooner for sooner, later in pairwise(times)) > REST / 2
    connection.close("the test is over")
    end.close()
