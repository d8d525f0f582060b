"""Frames, as docs/adr/0029 describes them: a head of nine bytes, and a payload.

The reader takes untrusted bytes: it refuses a payload that is too large by its head, before it takes memory for it.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

#: Length of the payload in bytes, kind, number of the call.
HEAD = struct.Struct(">IBI")
VERSION = 1
#: Largest number of a call.
NUMBER_MAX = 0xFFFFFFFF
#: Largest payload before the peer has proved that it knows the secret.
GREETING_MAX_BYTES = 1024
#: Longest head of a call, in bytes.
CALL_HEAD_MAX_BYTES = 1024
#: Headers of a call, in the order of the lines of its head. A missing one is an empty line.
HEADERS = ("X-Request-ID", "X-Call-Id", "traceparent", "tracestate")

_READ_BYTES = 1 << 16
_LENGTH = struct.Struct(">H")
_SIZE = struct.Struct(">I")


class Kind(IntEnum):
    """What a frame says."""

    HELLO = 1
    WELCOME = 2
    CALL = 3
    ANSWER = 4
    CANCEL = 5
    GOODBYE = 6


class FrameError(Exception):
    """The peer sent something that is no frame of the protocol."""


class Frame(NamedTuple):
    """A received frame. `kind` may be one that we do not know."""

    kind: int
    number: int
    payload: bytes


class Call(NamedTuple):
    """A call: its path, the values of HEADERS, and its body."""

    path: str
    headers: tuple[str, ...]
    body: bytes


def frame(kind: Kind, number: int, *payload: bytes) -> bytes:
    """Return an encoded frame, its payload joined from parts."""
    return b"".join((HEAD.pack(sum(map(len, payload)), kind, number), *payload))


def call_frame(number: int, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the frame of a call. Headers other than HEADERS are left out.

    Raises:
        ValueError: The path or a header has a line break or a character beyond Latin-1, or is too long.
    """
    head = "\n".join((path, *[headers.get(name, "") for name in HEADERS])).encode("latin-1")
    if head.count(b"\n") != len(HEADERS) or len(head) > CALL_HEAD_MAX_BYTES:
        raise ValueError("a line break in the head of a call, or too long a head")
    return frame(Kind.CALL, number, _LENGTH.pack(len(head)), head, body)


def read_call(payload: bytes) -> Call:
    """Return the call of a payload. Raises FrameError."""
    try:
        (length,) = _LENGTH.unpack_from(payload)
        end = _LENGTH.size + length
        if end > len(payload):
            raise FrameError("the head of a call is longer than its frame")
        path, *headers = payload[_LENGTH.size : end].decode("latin-1").split("\n")
    except struct.error as error:
        raise FrameError(f"no call: {error}") from error
    if len(headers) != len(HEADERS):
        raise FrameError("the head of a call has other lines")
    return Call(path, tuple(headers), payload[end:])


def answer_frame(number: int, status: int, body: bytes) -> bytes:
    """Return the frame of an answer."""
    return frame(Kind.ANSWER, number, _LENGTH.pack(status), body)


def read_answer(payload: bytes) -> tuple[int, bytes]:
    """Return the status and the body of an answer. Raises FrameError."""
    if len(payload) < _LENGTH.size:
        raise FrameError("an answer without a status")
    return _LENGTH.unpack_from(payload)[0], payload[_LENGTH.size :]


def welcome_frame(call_max_bytes: int) -> bytes:
    """Return the frame that accepts a connection, with the largest payload of a call."""
    return frame(Kind.WELCOME, VERSION, _SIZE.pack(call_max_bytes))


def read_welcome(payload: bytes) -> int:
    """Return the largest payload of a call. Raises FrameError."""
    if len(payload) != _SIZE.size:
        raise FrameError("a welcome of another length")
    size: int = _SIZE.unpack(payload)[0]
    return size


class FrameReader:
    """Reads frames out of a stream of bytes, however it is cut.

    The owner reads bytes into `space()` and says by `received` how many they are.

    Args:
        payload_max_bytes: Largest payload. It may be changed between two calls of `received`.
    """

    def __init__(self, payload_max_bytes: int) -> None:
        self.payload_max_bytes = payload_max_bytes
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._filled = 0
        #: The payload of a frame that does not fit into the buffer, with its kind and number.
        self._large: tuple[int, int, memoryview] | None = None

    def space(self) -> memoryview:
        """Return where the next bytes belong."""
        return (self._buffer if self._large is None else self._large[2])[self._filled :]

    def received(self, count: int) -> list[Frame]:
        """Return the frames that are complete with these `count` bytes. Raises FrameError."""
        self._filled += count
        if self._large is None:
            return self._small_frames()
        kind, number, payload = self._large
        if self._filled < len(payload):
            return []
        self._large, self._filled = None, 0
        return [Frame(kind, number, bytes(payload))]

    def _small_frames(self) -> list[Frame]:
        frames: list[Frame] = []
        buffer, start, filled = self._buffer, 0, self._filled
        while filled - start >= HEAD.size:
            length, kind, number = HEAD.unpack_from(buffer, start)
            if length > self.payload_max_bytes:
                raise FrameError(f"a payload of {length} bytes exceeds {self.payload_max_bytes}")
            begin = start + HEAD.size
            if begin + length > filled:
                if HEAD.size + length > _READ_BYTES:
                    self._begin_large(kind, number, length, buffer[begin:filled])
                    return frames
                break
            frames.append(Frame(kind, number, bytes(buffer[begin : begin + length])))
            start = begin + length
        self._filled = filled - start
        if start and self._filled:
            buffer[: self._filled] = bytes(buffer[start:filled])
        return frames

    def _begin_large(self, kind: int, number: int, length: int, begun: memoryview) -> None:
        payload = memoryview(bytearray(length))
        payload[: len(begun)] = begun
        self._large, self._filled = (kind, number, payload), len(begun)
