"""Length-prefixed JSON over a stream socket: the transport between the front and a worker.

A frame is a length of four bytes, big-endian, followed by that many bytes of UTF-8 JSON, always an object. The front
uses the class with a gevent socket, a worker with a plain one. It imports the standard library only, because the
processes that run scripts load it.

Frames from a worker are untrusted: the script can write to the descriptor just as our code in the worker can.
"""

import json
import socket
import struct
from typing import Any, NoReturn

HEADER = struct.Struct(">I")
#: Most bytes of one read from the socket.
_CHUNK = 16 * 1024

#: Deepest nesting of lists and objects. Deeper ones may exhaust the stack of readers: the controller, clients.
MAX_DEPTH = 200


class FrameError(Exception):
    """The peer sent something that is no valid frame, or closed its end in the middle of one."""


class ChannelClosed(FrameError):
    """The peer closed its end between two frames, or has ended."""


class Unread(ChannelClosed):
    """The peer has ended, and has not read everything that was sent to it."""


class TooDeep(FrameError):
    """The frame is JSON, but nested deeper than `MAX_DEPTH`."""


class Channel:
    """One end of a connected stream socket that carries frames.

    Args:
        sock: The socket. `close` closes it.
        max_bytes: Largest frame to receive. A larger one is refused by its length, before its body is read.

    Attributes:
        sent_bytes: Length of all frames sent so far.
        received_bytes: Length of all frames received so far.
    """

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        self._sock = sock
        self._max_bytes = max_bytes
        self._ahead = b""
        self.sent_bytes = 0
        self.received_bytes = 0

    def send(self, message: dict[str, Any]) -> None:
        """Send one frame.

        Raises:
            Unread: The peer has ended.
            ValueError: The message contains NaN, Infinity or a cycle.
        """
        self.send_encoded(encode(message))

    def send_encoded(self, body: bytes) -> None:
        """Send one frame with a body that is JSON already.

        Raises:
            Unread: The peer has ended.
        """
        self.sent_bytes += len(body)
        frame = HEADER.pack(len(body)) + body
        try:
            sent = self._sock.send(frame)
            if sent < len(frame):
                self._sock.sendall(memoryview(frame)[sent:])
        except OSError as error:
            raise Unread(str(error)) from error

    def receive(self) -> dict[str, Any]:
        """Wait for one frame and return its object.

        Raises:
            Unread: The peer has ended without reading everything.
            ChannelClosed: The peer has closed its end.
            TooDeep: The object is nested too deeply.
            FrameError: There is no valid frame.
        """
        return decode(self.receive_encoded())

    def receive_encoded(self) -> bytes | bytearray:
        """Wait for one frame and return its body, which may not be valid JSON. Raises as `receive`, not TooDeep."""
        ahead = self._ahead
        while len(ahead) < HEADER.size:
            ahead += self._receive_some()
        (length,) = HEADER.unpack_from(ahead)
        if length > self._max_bytes:
            raise FrameError(f"a frame of {length} bytes exceeds the limit of {self._max_bytes}")
        self.received_bytes += length
        end = HEADER.size + length
        # Most frames arrive with their header. The rest of a large one is read into its place, without a copy.
        body = ahead[HEADER.size : end] if len(ahead) >= end else self._receive_rest(ahead, length)
        self._ahead = ahead[end:]
        return body

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _receive_some(self) -> bytes:
        try:
            part = self._sock.recv(_CHUNK)
        except OSError as error:
            raise _closed_error(error) from error
        if not part:
            if not self._ahead:
                raise ChannelClosed("the peer closed its end")
            raise FrameError("the peer closed its end inside a frame")
        return part

    def _receive_rest(self, ahead: bytes, length: int) -> bytearray:
        body = bytearray(length)
        view = memoryview(body)
        filled = len(ahead) - HEADER.size
        view[:filled] = memoryview(ahead)[HEADER.size :]
        while filled < length:
            try:
                count = self._sock.recv_into(view[filled:])
            except OSError as error:
                raise _closed_error(error) from error
            if not count:
                raise FrameError("the peer closed its end inside a frame")
            filled += count
        return body


def _closed_error(error: OSError) -> ChannelClosed:
    if isinstance(error, ConnectionResetError):
        # unix(7) does not mention it: Linux returns this error if the peer closed its end with unread data.
        return Unread(str(error))
    return ChannelClosed(str(error))


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as ASCII JSON.

    Raises:
        ValueError: It contains NaN, Infinity or a cycle.
        TypeError: It contains a value of a type that JSON does not have.
    """
    return _ENCODER.encode(message).encode("ascii")


def refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN and Infinity, which Python's decoder accepts otherwise."""
    raise ValueError(f"{name} is no JSON")


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def decode(body: bytes | bytearray, decoder: json.JSONDecoder = _DECODER) -> dict[str, Any]:
    """Return the object in a frame's body.

    Raises:
        FrameError: The body is no JSON object.
        TooDeep: The object is nested deeper than MAX_DEPTH.
    """
    try:
        message = decoder.decode(str(body, "utf-8"))
    except RecursionError as error:
        raise TooDeep("nested too deeply") from error
    except ValueError as error:
        raise FrameError(f"not JSON: {error}") from error
    return checked(message, body)


def checked(message: Any, body: bytes | bytearray) -> dict[str, Any]:
    """Return `message`, which was decoded from `body`, if it is a valid frame. Raises as `decode`."""
    if not isinstance(message, dict):
        raise FrameError("a frame must hold an object")
    if _has_many_brackets(body) and _exceeds_depth(message):
        raise TooDeep(f"nested deeper than {MAX_DEPTH} levels")
    return message


def _has_many_brackets(body: bytes | bytearray) -> bool:
    """Return whether a body has more brackets than MAX_DEPTH. A twentieth of the time that `count` takes."""
    found = 0
    for bracket in (b"[", b"{"):
        place = body.find(bracket)
        while place >= 0:
            found += 1
            if found > MAX_DEPTH:
                return True
            place = body.find(bracket, place + 1)
    return False


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
