"""Length-prefixed JSON over a stream socket: how the front and a worker talk.

A frame is four bytes of length, big-endian, then that many bytes of UTF-8 JSON, always an object. The same
class serves both ends: the front hands it a gevent socket, a worker a plain one. It imports nothing but the
standard library, for it is loaded into the processes that run scripts.

What comes from a worker is untrusted: a script owns the descriptor as much as our code there does.
"""

import json
import socket
import struct
from typing import Any, NoReturn

HEADER = struct.Struct(">I")
#: What is asked of the socket at once.
_CHUNK = 16 * 1024

#: Containers inside containers; beyond it readers further up (the controller, clients) may run out of stack.
MAX_DEPTH = 200


class FrameError(Exception):
    """The peer sent something that is no frame, or went away in the middle of one."""


class ChannelClosed(FrameError):
    """The peer closed its end between two frames, or is gone."""


class Unread(ChannelClosed):
    """The peer is gone, and has not read all that it was sent."""


class TooDeep(FrameError):
    """The frame is JSON, but nested deeper than `MAX_DEPTH`."""


class Channel:
    """One end of a connected stream socket that carries frames.

    `max_bytes` bounds what `receive` accepts; a larger announced length is refused before memory is taken.
    """

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        self._sock = sock
        self._max_bytes = max_bytes
        self._ahead = b""
        self.sent_bytes = 0
        """Length of all frames sent so far."""
        self.received_bytes = 0
        """Length of all frames received so far."""

    def send(self, message: dict[str, Any]) -> None:
        """Send one frame. Raises Unread when the peer is gone, ValueError when it is no JSON."""
        self.send_encoded(encode(message))

    def send_encoded(self, body: bytes) -> None:
        """Send one frame whose JSON was made beforehand."""
        self.sent_bytes += len(body)
        frame = HEADER.pack(len(body)) + body
        try:
            sent = self._sock.send(frame)
            if sent < len(frame):
                self._sock.sendall(memoryview(frame)[sent:])
        except OSError as error:
            raise Unread(str(error)) from error

    def receive(self) -> dict[str, Any]:
        """Wait for one frame. Raises Unread, ChannelClosed, TooDeep or FrameError; nothing else."""
        return decode(self.receive_encoded())

    def receive_encoded(self) -> bytes | bytearray:
        """Wait for one frame, whose JSON may be none. Raises Unread, ChannelClosed or FrameError."""
        ahead = self._ahead
        while len(ahead) < HEADER.size:
            ahead += self._some()
        (length,) = HEADER.unpack_from(ahead)
        if length > self._max_bytes:
            raise FrameError(f"a frame of {length} bytes exceeds the limit of {self._max_bytes}")
        self.received_bytes += length
        end = HEADER.size + length
        # Most frames came with their header. Of a large one the rest goes to its place without being copied again.
        body = ahead[HEADER.size : end] if len(ahead) >= end else self._rest(ahead, length)
        self._ahead = ahead[end:]
        return body

    def close(self) -> None:
        self._sock.close()

    def _some(self) -> bytes:
        try:
            part = self._sock.recv(_CHUNK)
        except OSError as error:
            raise _gone(error) from error
        if not part:
            if not self._ahead:
                raise ChannelClosed("the peer closed its end")
            raise FrameError("the peer closed its end inside a frame")
        return part

    def _rest(self, ahead: bytes, length: int) -> bytearray:
        body = bytearray(length)
        view = memoryview(body)
        filled = len(ahead) - HEADER.size
        view[:filled] = memoryview(ahead)[HEADER.size :]
        while filled < length:
            try:
                count = self._sock.recv_into(view[filled:])
            except OSError as error:
                raise _gone(error) from error
            if not count:
                raise FrameError("the peer closed its end inside a frame")
            filled += count
        return body


def _gone(error: OSError) -> ChannelClosed:
    if isinstance(error, ConnectionResetError):
        # What unix(7) does not say: Linux answers so when data lay unread at the end of the peer.
        return Unread(str(error))
    return ChannelClosed(str(error))


def encode(message: dict[str, Any]) -> bytes:
    """JSON as ASCII bytes; ValueError for NaN, Infinity and cycles, TypeError for what JSON does not know."""
    return _ENCODER.encode(message).encode("ascii")


def refuse_constant(name: str) -> NoReturn:
    """Python reads NaN and Infinity. Raises ValueError."""
    raise ValueError(f"{name} is no JSON")


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def decode(body: bytes | bytearray, decoder: json.JSONDecoder = _DECODER) -> dict[str, Any]:
    """A frame's body as an object. Raises FrameError for anything else, TooDeep for deep nesting."""
    try:
        message = decoder.decode(str(body, "utf-8"))
    except RecursionError as error:
        raise TooDeep("nested too deeply") from error
    except ValueError as error:
        raise FrameError(f"not JSON: {error}") from error
    return checked(message, body)


def checked(message: Any, body: bytes | bytearray) -> dict[str, Any]:
    """What was read from `body`. Raises FrameError when it is no object, TooDeep."""
    if not isinstance(message, dict):
        raise FrameError("a frame must hold an object")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _exceeds_depth(message):
        raise TooDeep(f"nested deeper than {MAX_DEPTH} levels")
    return message


def _exceeds_depth(message: dict[str, Any]) -> bool:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
