"""Frames to a runtime: one connection that carries many calls, opened in the background while calls go by HTTP."""

import logging
from collections.abc import Callable
from time import monotonic

import gevent
from gevent import get_hub
from gevent.event import AsyncResult
from gevent.hub import Waiter

from controller.runtimes.transport.failures import AnswerLate, NothingRan, RequestFailed
from controller.runtimes.transport.messages import Answer, Budget, Request, remaining
from framing import codec
from framing.codec import GREETING_MAX_BYTES, FrameError, Kind
from framing.place import Place, place_of
from framing.stream import FrameStream

log = logging.getLogger(__name__)

#: Longest payload of an answer in bytes, as over HTTP.
ANSWER_MAX_BYTES = 128 << 20
#: Longest `tracestate` in characters: the other parts of a call's head are bounded.
TRACESTATE_MAX = 512
#: Seconds for connecting and being welcomed, and without a new attempt after one that failed or a connection's end.
CONNECT_TIMEOUT, PAUSE = 2.0, 1.0


class _Call:
    """A call that waits for its answer."""

    __slots__ = ("budget", "timer", "token", "waiter")

    def __init__(self, budget: Budget) -> None:
        self.token = 0
        self.budget = budget
        self.waiter: Waiter[Answer] = Waiter()
        self.timer = get_hub().loop.timer(remaining(budget.begun_by))

    def wait_on(self, due: Callable[[int], None], number: int) -> None:
        """Set its timer to the second of its deadlines."""
        self.timer.close()
        self.timer = get_hub().loop.timer(max(0.0, self.budget.answered_by - monotonic()))
        self.timer.start(due, number)


class SharedConnection:
    """A welcomed connection. Calls of many greenlets are under way on it at the same time.

    Args:
        place: where the runtime listens.
        host: the host, if that is a port.
        secret: what the runtime asks for.

    Attributes:
        open: whether it takes new calls: it has not ended, and the runtime has not said that it will.
        left: whether the runtime has said so.
        call_max_bytes: largest payload of a call.

    Raises:
        OSError: the runtime cannot be reached, or does not welcome us.
    """

    def __init__(self, place: Place, host: str, secret: bytes) -> None:
        self._calls: dict[int, _Call] = {}
        self._number = 0
        self._welcome: AsyncResult[None] = AsyncResult()
        self.call_max_bytes = 0
        self.open = True
        self.left = False
        opened = place.connect(host, CONNECT_TIMEOUT)
        self._stream = FrameStream(opened, GREETING_MAX_BYTES, self)
        self._stream.send(codec.frame(Kind.HELLO, codec.VERSION, secret))
        try:
            self._welcome.get(timeout=CONNECT_TIMEOUT)
        except BaseException as error:
            self._stream.close(EOFError("not welcomed"))
            if isinstance(error, (gevent.Timeout, EOFError, FrameError)):
                raise ConnectionError(f"not welcomed: {error}") from error
            raise

    def takes(self, request: Request) -> bool:
        """Return whether a request may go here: a call of JSON that is not too large, while nothing stands still."""
        return (
            self.open
            and request.method == "POST"
            and len(request.body) + codec.CALL_HEAD_MAX_BYTES < self.call_max_bytes
            and len(request.headers.get("tracestate", "")) <= TRACESTATE_MAX
            and not self._stream.blocked
        )

    def exchange(self, request: Request, budget: Budget) -> Answer:
        """Send the request and wait for its answer. A request that ends early is cancelled.

        Raises:
            NothingRan: the runtime certainly did not get the whole request.
            AnswerLate: the deadline passed.
            RequestFailed: the connection ended.
            ValueError: a header has a control character.
        """
        number = self._number = self._number % codec.NUMBER_MAX + 1
        frame = codec.call_frame(number, request.path, request.headers, request.body)
        try:
            call = _Call(budget)
        except TimeoutError as error:
            raise NothingRan(f"not sent: {error}", kept=True) from error
        self._calls[number] = call
        call.token = self._stream.send(frame)
        call.timer.start(self._due, number)
        try:
            return call.waiter.get()
        finally:
            call.timer.close()
            if self._calls.pop(number, None) is not None and not self._stream.withdraw(call.token):
                self._stream.send(codec.frame(Kind.CANCEL, number))

    def retire(self) -> None:
        """Take no new calls, and close the connection when those under way are answered."""
        self.open = False
        if not self._calls:
            self._stream.close(EOFError("all is answered"))

    def take(self, kind: int, number: int, payload: bytes) -> None:
        """See `framing.stream.Owner`."""
        if kind == Kind.ANSWER:
            answer = Answer(*codec.read_answer(payload))
            call = self._calls.pop(number, None)
            if call is not None:  # else it was cancelled
                call.waiter.switch(answer)
            if not self.open:
                self.retire()
        elif kind == Kind.GOODBYE:
            self.left = True
            self.retire()
        elif kind == Kind.WELCOME and number == codec.VERSION and not self._welcome.ready():
            self._stream.allow(ANSWER_MAX_BYTES)
            self.call_max_bytes = codec.read_welcome(payload)
            self._welcome.set(None)
        else:
            raise FrameError(f"a frame of kind {kind} from a runtime")

    def drained(self) -> None:
        """See `framing.stream.Owner`."""

    def lost(self, error: Exception) -> None:
        """See `framing.stream.Owner`."""
        self.open = False
        if not self._welcome.ready():
            self._welcome.set_exception(EOFError(str(error)))
        calls, self._calls = self._calls, {}
        for position, call in enumerate(calls.values()):
            unread = self._stream.unread(call.token, error)
            failure = NothingRan(str(error), kept=True) if unread else RequestFailed(str(error))
            failure.counts = position == 0
            get_hub().loop.run_callback(call.waiter.throw, failure)

    def _due(self, number: int) -> None:
        """End a call whose time is over, or wait on if it is sent and has a script's time left."""
        self._stream.receive()  # after a busy period the timer fires before an answer that has come
        call = self._calls.get(number)
        if call is None:
            return
        if self._stream.withdraw(call.token):
            del self._calls[number]
            call.waiter.throw(NothingRan("not sent in time", kept=True))
        elif monotonic() < call.budget.answered_by:
            call.wait_on(self._due, number)
        else:
            call.waiter.throw(AnswerLate("no answer in time"))  # `exchange` cancels it


class FrameLine:
    """The frames of one address: a connection that is opened when calls come, and again after its end.

    Args:
        host: the host of the address.
        place: where its frames are.
        secret: what the runtime asks for.
    """

    def __init__(self, host: str, place: Place, secret: bytes) -> None:
        self._host = host
        self._place = place
        self._secret = secret
        self._connection: SharedConnection | None = None
        self._opening = False
        self._not_before = 0.0
        self._left = False
        self._state = ""

    @property
    def left(self) -> bool:
        """Whether the runtime has said goodbye just now."""
        if self._connection is not None:
            return self._connection.left
        return self._left and monotonic() < self._not_before

    def connection(self) -> SharedConnection | None:
        """Return the open connection. Without one, open one in the background, and return None."""
        connection = self._connection
        if connection is not None and connection.open:
            return connection
        if connection is not None:
            self._connection, self._not_before = None, monotonic() + PAUSE
            self._left = connection.left
        if not self._opening and monotonic() >= self._not_before:
            self._opening = True
            gevent.spawn(self._open)
        return None

    def retire(self) -> None:
        """Close the connection when its calls are answered."""
        if self._connection is not None:
            self._connection.retire()

    def _open(self) -> None:
        try:
            self._connection = SharedConnection(self._place, self._host, self._secret)
            self._told("calls go as frames")
        except OSError as error:
            self._not_before = monotonic() + PAUSE
            self._told(f"no frames, calls go by HTTP: {error}")
        finally:
            self._opening = False

    def _told(self, state: str) -> None:
        """Log a state that differs from the last one."""
        if state != self._state:
            self._state = state
            log.info("%s: %s", self._place.text(self._host), state)


def line_of(address: str, secret: str) -> FrameLine | None:
    """Return the frames of a runtime's address. None: it names none."""
    found = place_of(address)
    return None if found is None else FrameLine(*found, secret.encode())
