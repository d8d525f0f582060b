"""FramesServer: takes the calls of controllers as frames, see docs/adr/0029. `RunRoute` answers them."""

import hmac
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent import get_hub, socket

from framing import codec
from framing.codec import FrameError, Kind
from framing.place import Place, kept_alive
from framing.stream import FrameStream
from runtime.front.crew import Crew
from runtime.front.run import RunRoute

#: Seconds in which a connection must prove that it knows the secret, and most connections that have not yet.
GREETING_SECONDS, STRANGERS_MAX = 5.0, 64
#: Calls under way on a connection, and bytes of answers that its peer has not read, beyond which no call is read.
CALLS_MAX, BACKLOG_MAX = 1024, 8 << 20
#: Event flag of libev.
_READABLE = 1
#: Seconds until the next attempt after the system had no descriptor or memory for a connection.
_PAUSE = 0.5
#: Keys of HEADERS in a WSGI environ.
_KEYS = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in codec.HEADERS)


class Counter(Protocol):
    """What is counted, see `runtime.metrics.RuntimeMetrics`."""

    def frames_connected(self, change: int) -> None:
        """Count a connection that is accepted, or has ended."""

    def frames_refused(self, reason: str) -> None:
        """Count a connection that is refused."""


class FramesServer:
    """Accepts connections of controllers.

    Args:
        route: Answers the calls.
        secret: The shared secret.
        body_max_bytes: Largest body of a call.
        counter: Counts connections.
    """

    def __init__(self, route: RunRoute, secret: bytes, body_max_bytes: int, counter: Counter) -> None:
        self.route = route
        self.secret = secret
        self.call_max_bytes = codec.CALL_HEAD_MAX_BYTES + body_max_bytes
        self.counter = counter
        self.crew = Crew()
        self.connections: set[FramedConnection] = set()
        self._listener: socket.socket | None = None
        self._watcher: Any = None
        self.draining = False

    @property
    def busy(self) -> bool:
        """Whether calls are under way, or their answers are."""
        return any(each.busy for each in self.connections)

    def start(self, place: Place) -> None:
        """Listen. Raises OSError."""
        self._listener = place.listen()
        self._listener.setblocking(False)
        self._watcher = get_hub().loop.io(self._listener.fileno(), _READABLE, ref=False)
        self._watcher.start(self._accept)

    def drain(self) -> None:
        """Take no further connections, and ask controllers to send no further calls. Does not wait."""
        self.draining = True
        self._stop_listening()
        for connection in list(self.connections):
            connection.say_goodbye()

    def close(self) -> None:
        """Send the answers that can be sent without waiting, and end all connections."""
        self._stop_listening()
        for connection in list(self.connections):
            connection.end()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._watcher.stop()
            self._watcher.close()
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            opened, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor or memory: the kernel keeps the connection
            self._watcher.stop()
            gevent.spawn_later(_PAUSE, self._accept_again)
            return
        if sum(not each.trusted for each in self.connections) >= STRANGERS_MAX:
            self.counter.frames_refused("full")
            opened.close()
            return
        self.connections.add(FramedConnection(self, kept_alive(opened)))

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._watcher.start(self._accept)


class FramedConnection:
    """One connection of a controller: an `Owner` of a stream.

    Attributes:
        trusted: Whether the controller has proved that it knows the secret.
    """

    def __init__(self, server: FramesServer, opened: socket.socket) -> None:
        self._server = server
        self._calls: dict[int, FramedCall] = {}
        self._paused = False
        self.trusted = False
        self._greeting = get_hub().loop.timer(GREETING_SECONDS, ref=False)
        self._greeting.start(self._refuse, "silent")
        self._stream = FrameStream(opened, codec.GREETING_MAX_BYTES, self)

    @property
    def busy(self) -> bool:
        """Whether calls are under way, or their answers are."""
        return bool(self._calls) or self._stream.backlog > 0

    def take(self, kind: int, number: int, payload: bytes) -> None:
        """See `framing.stream.Owner`."""
        if kind == Kind.HELLO and not self.trusted:
            self._greet(number, payload)
        elif kind == Kind.CALL and self.trusted:
            self._begin(number, payload)
        elif kind == Kind.CANCEL and self.trusted:
            if number in self._calls:
                self._calls[number].cancel()
        else:
            raise FrameError(f"a frame of kind {kind} from a controller")

    def drained(self) -> None:
        """See `framing.stream.Owner`."""
        self._regulate()

    def lost(self, error: Exception) -> None:
        """See `framing.stream.Owner`. Ends the calls that are under way, as a client does that hangs up."""
        self._greeting.close()
        self._server.connections.discard(self)
        if isinstance(error, FrameError):
            self._server.counter.frames_refused("malformed")
        if self.trusted:
            self._server.counter.frames_connected(-1)
        for call in list(self._calls.values()):
            call.cancel()

    def answer(self, number: int, status: int, body: bytes) -> None:
        """Send the answer of a call."""
        self._stream.send(codec.answer_frame(number, status, body))

    def ended(self, number: int) -> None:
        """Forget a call."""
        self._calls.pop(number, None)
        self._regulate()

    def say_goodbye(self) -> None:
        """Ask for no further calls."""
        if self.trusted:
            self._stream.send(codec.frame(Kind.GOODBYE, 0))

    def end(self) -> None:
        """Send what can be sent without waiting, and close."""
        self._stream.flush()
        self._stream.close(EOFError("this runtime is ending"))

    def _greet(self, version: int, secret: bytes) -> None:
        if not hmac.compare_digest(secret, self._server.secret):
            self._refuse("secret")
            return
        if version != codec.VERSION:
            raise FrameError(f"version {version}")
        self._greeting.stop()
        self.trusted = True
        self._server.counter.frames_connected(1)
        self._stream.allow(self._server.call_max_bytes)
        self._stream.send(codec.welcome_frame(self._server.call_max_bytes))
        if self._server.draining:
            self.say_goodbye()

    def _refuse(self, reason: str) -> None:
        self._server.counter.frames_refused(reason)
        self._stream.close(EOFError(reason))

    def _begin(self, number: int, payload: bytes) -> None:
        if number in self._calls:
            raise FrameError("two calls of one number")
        call = self._calls[number] = FramedCall(self, number, codec.read_call(payload), self._server.route)
        self._regulate()
        self._server.crew.do(call)

    def _regulate(self) -> None:
        """Read on, or not, by what is under way. The calls of a read that has been done begin in any case."""
        full = len(self._calls) >= CALLS_MAX or self._stream.backlog > BACKLOG_MAX
        if full != self._paused:
            self._paused = full
            if full:
                self._stream.pause()
            else:
                self._stream.resume()


class FramedCall:
    """A call that is under way, done by a greenlet of the crew."""

    __slots__ = ("_body", "_cancelled", "_connection", "_environ", "_hangup", "_number", "_route")

    def __init__(self, connection: FramedConnection, number: int, call: codec.Call, route: RunRoute) -> None:
        self._connection = connection
        self._number = number
        self._route = route
        self._body = call.body
        self._cancelled = False
        self._hangup: Callable[[], object] | None = None
        given = {key: value for key, value in zip(_KEYS, call.headers, strict=True) if value}
        self._environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": call.path,
            "client.hangup": self._on_hangup,
            **given,
        }

    def __call__(self) -> bool:
        """Do the call and send its answer. Return whether the greenlet may do others."""
        connection, number = self._connection, self._number
        try:
            if not self._cancelled:
                answer = self._route.framed(self._environ, self._body)
                if not self._cancelled:
                    connection.answer(number, answer.status, answer.body)
        finally:
            connection.ended(number)
        # The end of a cancelled call may still be on its way to its greenlet.
        return not self._cancelled

    def cancel(self) -> None:
        """End the call: nobody waits for it."""
        self._cancelled = True
        if self._hangup is not None:
            self._hangup()

    def _on_hangup(self, callback: Callable[[], object]) -> None:
        self._hangup = callback
        if self._cancelled:
            callback()
