"""Frames, also those of a hostile peer, and the front's JSON codec: the standard library decides what is JSON."""

import json
import random
import socket
from collections.abc import Iterator

import pytest

from runtime import frames
from runtime import json_codec as front_json
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
    for codec in (frames, front_json):
        with pytest.raises(TooDeep):
            codec.decode(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_a_wide_and_flat_object_is_accepted() -> None:
    body = json.dumps({"a": [[]] * (MAX_DEPTH * 3)}).encode()
    assert len(decode(body)["a"]) == MAX_DEPTH * 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_does_not_have_is_not_sent(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": value})


#: What readers of JSON disagree about.
VALUES = [
    "0", "-0", "-0.0", "1.5", "1e5", "1E-400", "5e-324", "2.4703282292062328e-324", "9007199254740993",
    "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" * 40, "01", "1.", "+1", "NaN",
    "-Infinity", "nul", '"\\ud83d\\ude00"', '"\\ud800"', '"\\ude00\\ud83d"', '"\\ud800\\u0041"', '"ラ"', '"\\x"',
    '"\\u 123"', '"\x1f"', '"\x7f"', '"\\u0000"', '"\\"', "[1,]", "{}", '{"a":1,"a":2}', "[[]] ]",
]  # fmt: skip
_BYTES = b'[]{}",:0123456789eE+-. \t\n\r\x00\xff\xed\xa0\x80\xc3\xf0\\u'


def taken(module: object, body: bytes) -> str:
    """Return what a module decodes from a body."""
    try:
        return repr(module.decode(body))  # type: ignore[attr-defined]
    except frames.FrameError as error:
        return type(error).__name__


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return the body with one byte removed, added or changed."""
    result = bytearray(body)
    del result[chance.randrange(len(result))]
    result.insert(chance.randrange(len(result)), chance.choice(_BYTES))
    result[chance.randrange(len(result))] = chance.randrange(256)
    return bytes(result)


@pytest.mark.parametrize("value", VALUES)
def test_both_codecs_accept_the_same_texts(value: str) -> None:
    body = f'{{"a":{value}}}'.encode()
    assert taken(front_json, body) == taken(frames, body)


@pytest.mark.parametrize("seed", range(4))
def test_both_codecs_accept_the_same_damaged_texts(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2000):
        members = ",".join(f'"{name}":{chance.choice(VALUES)}' for name in "ab")
        body = damaged(f"{{{members}}}".encode(), chance)
        assert taken(front_json, body) in (taken(frames, body), "OutOfRange"), body


@pytest.mark.parametrize("digits", [4301, 5000, 100_000])
def test_an_integer_of_any_length_passes_digit_by_digit(digits: int) -> None:
    body = b'{"a":[%b]}' % (b"-" + b"7" * digits)
    assert front_json.encode(front_json.decode(body)) == body


def test_a_long_integer_beside_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(front_json.OutOfRange):
        front_json.decode(b'{"a":["\\ud800",%b]}' % (b"7" * 5000))


@pytest.mark.parametrize("value", ["1e999", "-1e999", "[1.8e308]"])
def test_a_number_that_reads_as_infinity_is_refused(value: str) -> None:
    with pytest.raises(front_json.OutOfRange):
        front_json.decode(f'{{"a":{value}}}'.encode())


@pytest.mark.parametrize("value", ["\ud800", "ラ", 1 << 80, -(1 << 63) - 1, 0.1, 5e-324, [], {"": None}])
def test_an_encoded_document_decodes_to_itself(value: object) -> None:
    assert front_json.decode(front_json.encode({"a": value})) == {"a": value}
