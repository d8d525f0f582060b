"""Frames of a controller, against a runtime's end that a test plays: what may be sent again, and what never."""

import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket

from controller.runtimes.transport.circuit import Circuit
from controller.runtimes.transport.failures import AnswerLate, NothingRan, RequestFailed
from controller.runtimes.transport.frames import FrameLine, SharedConnection
from controller.runtimes.transport.messages import Answer, Budget, Request
from framing import codec
from framing.codec import Frame, FrameReader, Kind
from framing.place import Place, kept_alive
from local.supervisor.ports import free_port
from tests.waiting import until_greenlets

RUN = Request("/runtime/python/x", b"{}", {"X-Request-ID": "r"})
SECRET = b"a secret of the test's"


class Peer:
    """A runtime's end of one connection."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.socket.settimeout(60)
        self._reader = FrameReader(1 << 30)
        self._frames: list[Frame] = []

    def read(self) -> Frame:
        """Return the next frame. Raises EOFError."""
        while not self._frames:
            count = self.socket.recv_into(self._reader.space())
            if not count:
                raise EOFError
            self._frames += self._reader.received(count)
        return self._frames.pop(0)

    def welcome(self, largest: int = 1 << 20) -> None:
        hello = self.read()
        assert (hello.kind, hello.number, hello.payload) == (Kind.HELLO, codec.VERSION, SECRET)
        self.socket.sendall(codec.welcome_frame(largest))

    def answer(self, number: int, body: bytes = b"ok", status: int = 200) -> None:
        self.socket.sendall(codec.answer_frame(number, status, body))


#: Seconds in which a call is sent, on a busy machine too.
OWN = 2.0


class Listening:
    """Where a test listens."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.listener = place.listen()
        self.peers: list[Peer] = []

    def accept(self) -> Peer:
        opened, _ = self.listener.accept()
        self.peers.append(Peer(kept_alive(opened)))
        return self.peers[-1]

    def connected(self, largest: int = 1 << 20) -> tuple[SharedConnection, Peer]:
        opening = gevent.spawn(SharedConnection, self.place, "127.0.0.1", SECRET)
        peer = self.accept()
        peer.welcome(largest)
        return opening.get(timeout=60), peer

    def close(self) -> None:
        self.listener.close()
        for peer in self.peers:
            peer.socket.close()


@pytest.fixture(params=["unix", "tcp"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    place = Place(path=str(tmp_path / "s")) if request.param == "unix" else Place(port=free_port())
    made = Listening(place)
    yield made
    made.close()


def calling(
    connection: SharedConnection, request: Request = RUN, own: float = 60, script: float = 60
) -> "gevent.Greenlet[..., Answer]":
    greenlet = gevent.spawn(connection.exchange, request, Budget.of(own, script))
    gevent.sleep(0)
    return greenlet


def failure_of(call: "gevent.Greenlet[..., Answer]") -> type[BaseException | None]:
    call.join(timeout=60)
    return type(call.exception)


def test_answers_find_their_calls_in_any_order(listening: Listening) -> None:
    connection, peer = listening.connected()
    calls = [calling(connection) for _ in range(5)]
    frames = [peer.read() for _ in calls]
    found = codec.read_call(frames[0].payload)
    assert (found.path, found.headers, found.body) == (RUN.path, ("r", "", "", ""), b"{}")
    for frame in reversed(frames):
        peer.answer(frame.number, b"%d" % frame.number, 500)
    assert [call.get(timeout=60) for call in calls] == [Answer(500, b"%d" % frame.number) for frame in frames]


def test_calls_of_one_pass_leave_in_one_write(listening: Listening) -> None:
    connection, peer = listening.connected()
    for _ in range(20):
        gevent.spawn(connection.exchange, RUN, Budget.of(60, 60))
    gevent.sleep(0)
    until_greenlets(lambda: bool(peer.socket.recv(1, socket.MSG_PEEK)), "they have come")
    assert len([peer.read() for _ in range(20)]) == 20
    assert len(connection._stream._batch) == 20


def test_a_call_whose_greenlet_is_killed_is_cancelled(listening: Listening) -> None:
    connection, peer = listening.connected()
    left, other = calling(connection), calling(connection)
    first, second = peer.read(), peer.read()
    left.kill()
    assert peer.read() == Frame(Kind.CANCEL, first.number, b"")
    peer.answer(first.number)  # it crosses with the cancellation
    peer.answer(second.number, b"other")
    assert other.get(timeout=60).body == b"other"


def test_a_late_answer_ends_the_call_and_cancels_it(listening: Listening) -> None:
    connection, peer = listening.connected()
    call = calling(connection, own=OWN, script=0.05)
    frame = peer.read()
    assert failure_of(call) is AnswerLate
    assert peer.read() == Frame(Kind.CANCEL, frame.number, b"")
    again = calling(connection)
    peer.answer(peer.read().number)
    assert again.get(timeout=60).body == b"ok"


def test_an_answer_after_the_first_deadline_is_in_time(listening: Listening) -> None:
    connection, peer = listening.connected()
    call = calling(connection, own=OWN, script=60)
    number = peer.read().number
    gevent.sleep(1.5 * OWN)
    peer.answer(number)
    assert call.get(timeout=60).body == b"ok"


def test_an_answer_that_came_while_the_process_was_busy_is_in_time(listening: Listening) -> None:
    connection, peer = listening.connected()
    call = calling(connection, own=OWN, script=0.0)
    peer.answer(peer.read().number)
    time.sleep(1.5 * OWN)  # all timers fire before what has come is read
    assert call.get(timeout=60).body == b"ok"


def test_what_the_runtime_has_read_is_not_sent_again(listening: Listening) -> None:
    connection, peer = listening.connected()
    calls = [calling(connection) for _ in range(3)]
    for _ in calls:
        peer.read()
    peer.socket.close()
    assert [failure_of(call) for call in calls] == [RequestFailed] * 3
    assert not connection.open


def test_what_was_never_sent_may_be_sent_again(listening: Listening) -> None:
    """Of a large call the kernel takes a part; those behind it wait here."""
    connection, peer = listening.connected(64 << 20)
    large = calling(connection, Request(RUN.path, b"x" * (16 << 20)))
    until_greenlets(lambda: connection._stream.blocked, "the runtime does not read")
    behind = calling(connection)
    assert not connection.takes(RUN)
    waiting = calling(connection, own=0.05)
    assert failure_of(waiting) is NothingRan
    left = calling(connection)
    left.kill()
    peer.socket.close()
    assert [failure_of(call) for call in (large, behind)] == [NothingRan, NothingRan]
    assert behind.exception.kept  # type: ignore[union-attr]


def test_a_call_to_a_peer_that_has_closed_is_sent_again(listening: Listening) -> None:
    """The peer closes after our look at the connection and before our bytes."""
    connection, peer = listening.connected()
    first = calling(connection)
    peer.answer(peer.read().number)
    first.get(timeout=60)
    peer.socket.close()
    connection._stream.pause()  # so that the loop does not notice before the call
    call = gevent.spawn(connection.exchange, RUN, Budget.of(60, 60))
    gevent.sleep(0)
    gevent.sleep(0.1)
    connection._stream.resume()
    assert failure_of(call) is NothingRan


def test_goodbye_takes_no_new_calls_and_keeps_those_under_way(listening: Listening) -> None:
    connection, peer = listening.connected()
    call = calling(connection)
    number = peer.read().number
    peer.socket.sendall(codec.frame(Kind.GOODBYE, 0))
    until_greenlets(lambda: not connection.open, "it is heard")
    assert not connection.takes(RUN)
    peer.answer(number)
    assert call.get(timeout=60).body == b"ok"
    with pytest.raises(EOFError):
        peer.read()


@pytest.mark.parametrize(
    "data",
    [
        codec.frame(Kind.ANSWER, 1, b"x"),
        codec.frame(Kind.CALL, 1),
        codec.frame(Kind.HELLO, 1),
        codec.welcome_frame(5),
        codec.HEAD.pack(1 << 31, Kind.ANSWER, 1),
        codec.HEAD.pack(0, 77, 1),
    ],
)
def test_nonsense_of_a_runtime_ends_the_connection_and_its_calls(listening: Listening, data: bytes) -> None:
    connection, peer = listening.connected()
    calls = [calling(connection) for _ in range(2)]
    for _ in calls:
        peer.read()
    peer.socket.sendall(data)
    assert [failure_of(call) for call in calls] == [RequestFailed] * 2


def test_the_end_of_a_connection_is_one_failure_of_its_address(listening: Listening) -> None:
    connection, peer = listening.connected()
    circuit = Circuit("a runtime", 2, 60, lambda *_: None)
    calls = [gevent.spawn(circuit.call, connection.exchange, RUN, Budget.of(60, 60)) for _ in range(5)]
    for _ in calls:
        peer.read()
    peer.socket.close()
    assert [failure_of(call) for call in calls] == [RequestFailed] * 5
    connection, peer = listening.connected()
    call = gevent.spawn(circuit.call, connection.exchange, RUN, Budget.of(60, 60))
    peer.answer(peer.read().number)
    assert call.get(timeout=60).body == b"ok"


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", codec.frame(Kind.WELCOME, 2, b"\0" * 4)]
)
def test_who_does_not_welcome_us_is_no_way(listening: Listening, said: bytes) -> None:
    opening = gevent.spawn(SharedConnection, listening.place, "127.0.0.1", SECRET)
    peer = listening.accept()
    peer.read()
    peer.socket.sendall(said)
    peer.socket.close()
    opening.join(timeout=60)
    assert isinstance(opening.exception, OSError)


def test_large_calls_and_other_methods_are_not_taken(listening: Listening) -> None:
    connection, _ = listening.connected(10_000)
    assert connection.takes(Request("/x", b"x" * 8_000))
    assert not connection.takes(Request("/x", b"x" * 10_000))
    assert not connection.takes(Request("/x", b"", method="PUT"))
    assert not connection.takes(Request("/x", b"", {"tracestate": "x" * 600}))


def test_a_line_opens_in_the_background_and_again_after_an_end(listening: Listening) -> None:
    line = FrameLine("127.0.0.1", listening.place, SECRET)
    assert line.connection() is None
    peer = listening.accept()
    assert line.connection() is None
    peer.welcome()
    until_greenlets(lambda: line.connection() is not None, "it is open")
    peer.socket.close()
    until_greenlets(lambda: line.connection() is None, "its end is noticed")
    accepting = gevent.spawn(listening.accept)
    until_greenlets(lambda: line.connection() is None and accepting.ready(), "it is opened again")
    accepting.get().welcome()
    until_greenlets(lambda: line.connection() is not None, "it is open again")


def test_a_line_without_a_peer_is_tried_seldom(tmp_path: Path) -> None:
    line = FrameLine("127.0.0.1", Place(path=str(tmp_path / "none")), SECRET)
    for _ in range(3):
        assert line.connection() is None
        gevent.sleep(0.01)
    assert not line._opening
