"""Frames, also those of a hostile peer."""

import json
import socket
from collections.abc import Iterator

import pytest

from runtime.frames import (
    HEADER,
    MAX_DEPTH,
    Channel,
    ChannelClosed,
    FrameError,
    TooDeep,
    Unread,
    decode,
    encode,
)

LIMIT = 1024


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """Our channel, and the peer's plain socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours, LIMIT), theirs


def frame(body: bytes) -> bytes:
    return HEADER.pack(len(body)) + body


def test_a_sent_frame_arrives(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    channel.send({"a": ["ラ", None, 1.5]})
    peer.sendall(peer.recv(LIMIT))
    assert channel.receive() == {"a": ["ラ", None, 1.5]}


def test_frames_that_arrive_together_are_separated(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.sendall(frame(b'{"n":1}') + frame(b'{"n":2}'))
    assert [channel.receive(), channel.receive()] == [{"n": 1}, {"n": 2}]


def test_a_length_over_the_limit_is_refused_before_the_body(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.sendall(HEADER.pack(LIMIT + 1))
    with pytest.raises(FrameError, match="exceeds the limit"):
        channel.receive()


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", frame(b"{}")[:-1]], ids=["nothing", "half a header", "half a body"]
)
def test_a_peer_that_closes_its_end_is_an_error(ends: tuple[Channel, socket.socket], sent: bytes) -> None:
    channel, peer = ends
    peer.sendall(sent)
    peer.close()
    expected = FrameError if sent else ChannelClosed
    with pytest.raises(expected):
        channel.receive()


def test_sending_to_a_closed_peer_is_an_error(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.close()
    with pytest.raises(Unread):
        channel.send({})


@pytest.mark.parametrize("left", [0, 1])
def test_a_closed_peer_with_unread_frames_raises_unread(
    ends: tuple[Channel, socket.socket], left: int
) -> None:
    channel, peer = ends
    channel.send({})
    peer.recv(HEADER.size + len(b"{}") - left)
    peer.close()
    with pytest.raises(ChannelClosed) as gone:
        channel.receive()
    assert isinstance(gone.value, Unread) is bool(left)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"1", b"{", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":' + b"9" * 5000 + b"}"],
)
def test_a_frame_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode(body)


def test_utf16_is_refused() -> None:
    with pytest.raises(FrameError):
        decode('{"a":1}'.encode("utf-16"))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    with pytest.raises(TooDeep):
        decode(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_a_wide_and_flat_object_is_accepted() -> None:
    body = json.dumps({"a": [[]] * (MAX_DEPTH * 3)}).encode()
    assert len(decode(body)["a"]) == MAX_DEPTH * 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_does_not_have_is_not_sent(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": value})
