"""Frames: what is written is read, however the bytes are cut; hostile bytes are refused; and where frames are."""

import time

import gevent
import pytest
from gevent import socket
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framing import codec, stream
from framing.codec import HEAD, Call, Frame, FrameError, FrameReader, Kind
from framing.place import PATH_MAX_BYTES, Place, place_of, with_frames, without_frames
from tests.waiting import until_greenlets

FRAMES = st.lists(
    st.tuples(st.sampled_from(Kind), st.integers(0, codec.NUMBER_MAX), st.binary(max_size=40)), max_size=6
)
MAX = 1 << 20


def read(reader: FrameReader, data: bytes, pieces: list[int] | None = None) -> list[Frame]:
    """Feed data, cut into pieces of these lengths, each repeated until the data end."""
    found, pieces = [], list(pieces or [len(data)])
    while data:
        size = pieces.pop(0) if len(pieces) > 1 else pieces[0]
        space = reader.space()
        count = min(size, len(space), len(data))
        space[:count] = data[:count]
        data = data[count:]
        found += reader.received(count)
    return found


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_frames_are_read_as_they_were_written_however_they_are_cut(
    frames: list[tuple[Kind, int, bytes]], pieces: list[int]
) -> None:
    data = b"".join(codec.frame(*each) for each in frames)
    assert read(FrameReader(MAX), data, pieces) == frames


def test_every_cut_of_a_stream_with_a_large_frame_gives_the_same() -> None:
    frames = [(Kind.CALL, 1, b"a"), (Kind.ANSWER, 2, bytes(range(256)) * 400), (Kind.CANCEL, 3, b"")]
    data = b"".join(codec.frame(*each) for each in frames)
    edges = [*range(1, 30), (1 << 16) - 1, 1 << 16, (1 << 16) + 1, len(data) - 1, len(data)]
    for cut in edges:
        assert read(FrameReader(MAX), data, [cut, len(data)]) == frames, cut


def test_more_frames_than_one_read_takes() -> None:
    frames = [(Kind.CALL, number, b"x" * 1000) for number in range(300)]
    data = b"".join(codec.frame(*each) for each in frames)
    assert read(FrameReader(1000), data) == frames


@pytest.mark.parametrize("length", [11, 1 << 31, 0xFFFFFFFF])
def test_a_payload_that_is_too_large_is_refused_by_its_head(length: int) -> None:
    with pytest.raises(FrameError):
        read(FrameReader(10), HEAD.pack(length, Kind.CALL, 1))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x00" * 9)
def test_hostile_bytes_give_frames_or_are_refused(data: bytes) -> None:
    reader = FrameReader(100)
    try:
        frames = read(reader, data, [7])
    except FrameError:
        return
    assert sum(HEAD.size + len(each.payload) for each in frames) <= len(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_a_hostile_call_is_a_call_or_refused(payload: bytes) -> None:
    try:
        found = codec.read_call(payload)
    except FrameError:
        return
    assert len(found.headers) == len(codec.HEADERS)
    assert payload.endswith(found.body)


def test_a_call_has_its_path_headers_and_body() -> None:
    data = codec.call_frame(
        7, "/runtime/python/x", {"X-Request-ID": "r", "traceparent": "t", "Other": "o"}, b"{}"
    )
    (found,) = read(FrameReader(MAX), data)
    assert (found.kind, found.number) == (Kind.CALL, 7)
    assert codec.read_call(found.payload) == Call("/runtime/python/x", ("r", "", "t", ""), b"{}")


@pytest.mark.parametrize("path", ["/a\n/b", "/\u20ac", "/" + "a" * 1025])
def test_a_head_that_could_be_read_otherwise_is_not_sent(path: str) -> None:
    with pytest.raises(ValueError):
        codec.call_frame(1, path, {}, b"")


def test_an_answer_has_its_status_and_body() -> None:
    (found,) = read(FrameReader(MAX), codec.answer_frame(9, 504, b"late"))
    assert (found.kind, found.number, codec.read_answer(found.payload)) == (Kind.ANSWER, 9, (504, b"late"))
    with pytest.raises(FrameError):
        codec.read_answer(b"x")


def test_a_welcome_says_the_largest_call() -> None:
    (found,) = read(FrameReader(MAX), codec.welcome_frame(12345))
    assert (found.number, codec.read_welcome(found.payload)) == (codec.VERSION, 12345)
    with pytest.raises(FrameError):
        codec.read_welcome(b"123")


@pytest.mark.parametrize(
    ("text", "place"), [("8083", Place(port=8083)), ("unix:/run/a b/socket", Place(path="/run/a b/socket"))]
)
def test_a_place_is_a_port_or_the_path_of_a_socket(text: str, place: Place) -> None:
    assert Place.parse(text) == place
    address = with_frames("http://10.0.0.7:8080", text)
    assert place_of(address) == ("10.0.0.7", place)
    assert without_frames(address) == "http://10.0.0.7:8080"


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "x", "unix:", "unix:relative", "unix:/" + "x" * PATH_MAX_BYTES]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Place.parse(text)


@pytest.mark.parametrize(
    "address", ["https://a#frames=1", "http://a#1", "http://a#frames=", "http://a#other=1"]
)
def test_an_address_with_another_fragment_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        place_of(address)


def test_an_address_without_a_fragment_has_no_frames() -> None:
    assert place_of("https://gateway/function/runtime-python") is None
    assert without_frames("http://a") == "http://a"


class Owner:
    """Who notes when the stream is lost."""

    def __init__(self) -> None:
        self.lost_at = 0.0

    def take(self, kind: int, number: int, payload: bytes) -> None:
        """Take nothing: the peer sends nothing."""

    def drained(self) -> None:
        """Do nothing: the test looks itself."""

    def lost(self, _: Exception) -> None:
        self.lost_at = time.monotonic()


def test_a_peer_has_the_whole_time_whenever_it_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STALL_SECONDS", 1.5)
    (near, end), owner = socket.socketpair(), Owner()
    made = stream.FrameStream(near, MAX, owner)

    def block() -> float:
        made.send(codec.frame(Kind.ANSWER, 1, bytes(8 << 20)))
        until_greenlets(lambda: made.blocked, "the kernel takes no more")
        return time.monotonic()

    block()
    gevent.sleep(1.0)
    while made.backlog:
        end.recv(1 << 20)
    began = block()
    until_greenlets(lambda: made.closed, "the peer is dropped")
    assert owner.lost_at - began > 1.4
    end.close()
