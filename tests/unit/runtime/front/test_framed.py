"""FramesServer with a route of the test's: who may speak, what ends a connection, and what ends a call."""

import os
import socket as kernel
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from framing import codec
from framing.codec import Frame, FrameReader, Kind
from framing.place import Place
from runtime.front import framed
from runtime.front.framed import FramesServer
from runtime.front.run import Answer
from tests.waiting import until_greenlets

SECRET = b"a secret of the test's"
BODY_MAX = 1 << 20


class Route:
    """Answers with the body. Calls to /held wait until they are released, or their client is gone."""

    def __init__(self) -> None:
        self.release = Event()
        self.begun: list[str] = []
        self.killed: list[str] = []
        self.greenlets: set[int] = set()

    def framed(self, environ: dict[str, Any], body: bytes) -> Answer:
        path = environ["PATH_INFO"]
        self.begun.append(environ.get("HTTP_X_REQUEST_ID", path))
        self.greenlets.add(id(gevent.getcurrent()))
        me: Any = gevent.getcurrent()
        environ["client.hangup"](lambda: me.kill(block=False))
        try:
            if path == "/held":
                self.release.wait()
            elif path == "/switch":
                gevent.sleep(0)
        except gevent.GreenletExit:
            self.killed.append(path)
            raise
        return Answer(200, [], b"y" * int(body) if path == "/large" else body)


class Counts:
    def __init__(self) -> None:
        self.open = 0
        self.refused: Counter[str] = Counter()

    def frames_connected(self, change: int) -> None:
        self.open += change

    def frames_refused(self, reason: str) -> None:
        self.refused[reason] += 1


class Served:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.route, self.counts = Route(), Counts()
        self.server = FramesServer(self.route, SECRET, BODY_MAX, self.counts)  # type: ignore[arg-type]
        self.server.start(place)
        self.peers: list[Peer] = []

    def peer(self, *, greets: bool = True) -> "Peer":
        peer = Peer(self.place)
        self.peers.append(peer)
        if greets:
            peer.send(codec.frame(Kind.HELLO, codec.VERSION, SECRET))
            assert peer.read()[0] == Kind.WELCOME
        return peer


class Peer:
    """A controller's end, byte by byte."""

    def __init__(self, place: Place) -> None:
        self.socket = place.connect("127.0.0.1", 60)
        self.socket.settimeout(60)
        self._reader = FrameReader(64 << 20)
        self._frames: list[Frame] = []

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, number: int, path: str = "/echo", body: bytes = b"{}") -> None:
        self.send(codec.call_frame(number, path, {"X-Request-ID": str(number)}, body))

    def read(self) -> Frame:
        """Return the next frame. Raises EOFError."""
        while not self._frames:
            count = self.socket.recv_into(self._reader.space())
            if not count:
                raise EOFError
            self._frames += self._reader.received(count)
        return self._frames.pop(0)

    def closed(self) -> bool:
        try:
            self.read()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            return True
        return False


@pytest.fixture(params=["unix", "tcp"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with kernel.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Served(Place(path=str(tmp_path / "s")) if request.param == "unix" else Place(port=port))
    yield made
    made.route.release.set()
    made.server.close()
    for peer in made.peers:
        peer.socket.close()


def test_calls_are_answered_by_number_in_any_order(served: Served) -> None:
    peer = served.peer()
    peer.call(1, "/held")
    for number in range(2, 20):
        peer.call(number, body=b'{"n":%d}' % number)
    assert sorted(peer.read() for _ in range(18)) == [
        Frame(Kind.ANSWER, number, b"\0\xc8" + b'{"n":%d}' % number) for number in range(2, 20)
    ]
    served.route.release.set()
    assert peer.read().number == 1
    assert served.counts.open == 1


def test_greenlets_are_kept_between_calls(served: Served) -> None:
    peer = served.peer()
    for number in range(1, 30):
        peer.call(number, "/switch")
        peer.read()
    assert len(served.route.greenlets) == 1


def test_a_call_that_is_cut_everywhere_is_read_whole(served: Served) -> None:
    peer = served.peer()
    frame = codec.call_frame(1, "/echo", {}, b"abc")
    for byte in frame:
        peer.send(bytes([byte]))
        gevent.sleep(0)
    assert peer.read() == Frame(Kind.ANSWER, 1, b"\0\xc8abc")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (codec.frame(Kind.HELLO, codec.VERSION, b"wrong"), "secret"),
        (codec.frame(Kind.HELLO, codec.VERSION, b""), "secret"),
        (codec.frame(Kind.HELLO, codec.VERSION, SECRET + b"x"), "secret"),
        (codec.frame(Kind.HELLO, 2, SECRET), "malformed"),
        (codec.call_frame(1, "/echo", {}, b"{}"), "malformed"),
        (codec.frame(Kind.CANCEL, 1), "malformed"),
        (codec.frame(Kind.HELLO, codec.VERSION, b"x" * 2000), "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
    ],
    ids=["secret", "no secret", "longer secret", "version", "call", "cancel", "large", "http"],
)
def test_who_does_not_prove_to_know_the_secret_is_closed_and_counted(
    served: Served, data: bytes, reason: str
) -> None:
    peer = served.peer(greets=False)
    peer.send(data)
    assert peer.closed()
    assert served.counts.refused == {reason: 1}
    assert (served.counts.open, served.route.begun) == (0, [])


@pytest.mark.parametrize(
    "data",
    [
        codec.frame(Kind.HELLO, codec.VERSION, SECRET),
        codec.frame(Kind.ANSWER, 1, b"\0\xc8"),
        codec.frame(Kind.CALL, 1, b"\xff\xff"),
        codec.frame(Kind.CALL, 1, b""),
        codec.frame(Kind.CALL, 1, b"\0\3/ab"),
        codec.HEAD.pack(BODY_MAX + codec.CALL_HEAD_MAX_BYTES + 1, Kind.CALL, 1),
        codec.HEAD.pack(0, 99, 1),
        2 * codec.call_frame(1, "/held", {}, b""),
        os.urandom(64) + b"\xff" * 64,
    ],
)
def test_what_is_no_frame_closes_the_connection_and_ends_its_calls(served: Served, data: bytes) -> None:
    peer, other = served.peer(), served.peer()
    peer.call(7, "/held")
    other.call(7, "/held")
    until_greenlets(lambda: len(served.route.begun) == 2, "both calls run")
    peer.send(data)
    assert peer.closed()
    until_greenlets(lambda: "/held" in served.route.killed, "the call has ended")
    assert (served.counts.refused["malformed"], served.counts.open) == (1, 1)
    served.route.release.set()
    assert other.read().number == 7


def test_a_silent_connection_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed, "GREETING_SECONDS", 0.05)
    monkeypatch.setattr(framed, "STRANGERS_MAX", 2)
    silent = [served.peer(greets=False) for _ in range(2)]
    assert all(peer.closed() for peer in silent)
    assert served.counts.refused["silent"] == 2
    welcome = served.peer()
    gevent.sleep(0.2)
    welcome.call(1)
    assert welcome.read().number == 1


def test_strangers_are_few(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed, "STRANGERS_MAX", 2)
    known = served.peer()
    strangers = [served.peer(greets=False) for _ in range(3)]
    until_greenlets(lambda: served.counts.refused["full"] == 1, "one is refused")
    known.call(1)
    assert known.read().number == 1
    strangers[0].send(codec.frame(Kind.HELLO, codec.VERSION, SECRET))
    assert strangers[0].read().kind == Kind.WELCOME


def test_a_cancelled_call_is_killed_and_not_answered(served: Served) -> None:
    peer = served.peer()
    for number in (1, 2):
        peer.call(number, "/held")
    until_greenlets(lambda: len(served.route.begun) == 2, "both run")
    peer.send(codec.frame(Kind.CANCEL, 1) + codec.frame(Kind.CANCEL, 99))
    until_greenlets(lambda: served.route.killed == ["/held"], "one is killed")
    served.route.release.set()
    assert peer.read().number == 2
    peer.call(1)  # its number is free again
    assert peer.read().number == 1
    until_greenlets(lambda: not served.server.busy, "nothing is left")


def test_a_call_that_is_cancelled_with_its_arrival_does_not_begin(served: Served) -> None:
    peer = served.peer()
    peer.send(codec.call_frame(1, "/held", {}, b"") + codec.frame(Kind.CANCEL, 1))
    peer.call(2)
    assert peer.read().number == 2
    until_greenlets(lambda: not served.server.busy, "nothing is left")


def test_the_end_of_a_connection_ends_its_calls(served: Served) -> None:
    peer = served.peer()
    for number in (1, 2):
        peer.call(number, "/held")
    until_greenlets(lambda: len(served.route.begun) == 2, "both run")
    peer.socket.close()
    until_greenlets(lambda: len(served.route.killed) == 2, "both are killed")
    until_greenlets(lambda: not served.server.connections, "it is forgotten")
    assert (served.counts.open, sum(served.counts.refused.values())) == (0, 0)


def test_no_calls_are_read_while_many_run(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed, "CALLS_MAX", 3)
    peer = served.peer()
    for number in range(1, 4):
        peer.call(number, "/held")
    until_greenlets(lambda: len(served.route.begun) == 3, "three run")
    peer.call(4, "/held")
    gevent.sleep(0.1)
    assert len(served.route.begun) == 3
    served.route.release.set()
    assert sorted(peer.read().number for _ in range(4)) == [1, 2, 3, 4]


def test_a_reader_that_is_slow_bounds_what_waits_for_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framed, "BACKLOG_MAX", 1 << 20)
    peer = served.peer()
    for number in range(1, 21):
        peer.call(number, "/large", b"%d" % (256 << 10))
    (connection,) = served.server.connections
    until_greenlets(lambda: connection._paused, "no further calls are read")
    for number in range(21, 41):
        peer.call(number, "/large", b"%d" % (256 << 10))
    gevent.sleep(0.1)
    assert len(served.route.begun) <= 20
    assert sorted(peer.read().number for _ in range(40)) == list(range(1, 41))


def test_a_reader_that_stops_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framing.stream.STALL_SECONDS", 0.1)
    peer = served.peer()
    peer.call(1, "/large", b"%d" % (32 << 20))
    until_greenlets(lambda: not served.server.connections, "the connection is closed")


def test_a_large_call_and_answer(served: Served) -> None:
    peer = served.peer()
    body = os.urandom(BODY_MAX)
    writing = gevent.spawn(peer.call, 1, "/echo", body)
    assert peer.read() == Frame(Kind.ANSWER, 1, b"\0\xc8" + body)
    writing.get(timeout=60)


def test_goodbye_lets_calls_finish_and_takes_no_connection(served: Served) -> None:
    peer = served.peer()
    peer.call(1, "/held")
    until_greenlets(lambda: len(served.route.begun) == 1, "it runs")
    served.server.drain()
    assert peer.read().kind == Kind.GOODBYE
    assert served.server.busy
    with pytest.raises(OSError):
        Peer(served.place)
    served.route.release.set()
    assert peer.read().number == 1
    until_greenlets(lambda: not served.server.busy, "all is answered")
    peer.socket.close()
    until_greenlets(lambda: not served.server.connections, "its peer has gone")


def test_the_socket_of_an_ended_process_is_replaced(tmp_path: Path) -> None:
    place = Place(path=str(tmp_path / "s"))
    left = socket.socket(socket.AF_UNIX)
    left.bind(place.path)
    left.close()
    made = Served(place)
    made.peer().call(1)
    assert made.peers[0].read().number == 1
    made.server.close()
