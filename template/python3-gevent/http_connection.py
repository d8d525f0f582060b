"""A connection: reads requests, calls the application, sends responses, and waits within timeouts.

It has a greenlet while it works, and for a moment after. A silent client only costs a socket, a watcher of the loop,
and the objects of this module.
"""

from collections.abc import Callable, Iterable
from math import inf
from time import monotonic
from typing import Any, Protocol

import gevent
from http_access_log import AccessLog
from http_app import HANGUP
from http_client import Client, Disconnected
from http_limits import Limits, Timeouts
from http_message import Refused, Request
from http_request import RequestReader
from http_response import Response, refusal

#: Reads, and responses, on one connection after which other connections get their turn.
_BATCH = 4
_READ = 1
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TIMED_OUT = Refused(408, "the request did not arrive in time")


class Server(Protocol):
    """What a connection requires of its worker. `http_worker.HttpWorker` implements it."""

    alive: bool
    #: None: nothing is logged.
    access_log: AccessLog | None
    #: The line `Date: ...` of every response.
    date: str
    hub: Any
    #: Seconds that an idle connection stays open.
    keepalive: float
    #: Seconds for which an idle connection keeps its greenlet.
    kept: float
    limits: Limits
    log: Any
    loop: Any
    #: The monotonic clock, as of the last tick.
    now: float
    timeouts: Timeouts
    #: Connections with a callback for clients that hang up.
    watched: "set[Connection]"
    wsgi: Any

    def count_request(self) -> None:
        """Count a request, and end the worker after the most that it may serve."""

    def gone(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""


class Connection:
    """A connection, from its first byte to its end.

    Attributes:
        descriptor: Its file descriptor.
        due: When to call `check_deadline`, on the monotonic clock.
        since: When it was opened, or when its last response was sent.
        idle: Whether no part of a request has been received.
        hangup: Called when the client disconnects before its response.
    """

    __slots__ = (
        "_began", "_client", "_greenlet", "_overdue", "_reader", "_watcher", "_worker",
        "descriptor", "due", "hangup", "idle", "since",
    )  # fmt: skip

    def __init__(self, worker: Server, client: Client, environ: dict[str, Any]) -> None:
        environ[HANGUP] = self._on_hangup
        self._worker = worker
        self._client = client
        self.descriptor = client.descriptor
        self._reader = RequestReader(environ, worker.limits)
        self._watcher = worker.loop.io(client.descriptor, _READ)
        self.due = inf
        self._greenlet: Any = None  # while it waits
        self._overdue = False
        self.hangup: Callable[[], object] | None = None
        self.since = self._began = worker.now
        self._listen(self._deadline())

    def check_deadline(self) -> None:
        """Check an overdue connection: end its greenlet, or close it unless data has arrived after all.

        The loop calls it, so it must not wait.
        """
        if self.due == inf:
            return
        self.due = self._deadline()
        if self.due > self._worker.now:
            greenlet, self._greenlet = self._greenlet, None
            if greenlet is not None:
                greenlet.switch(False)  # it ends, the connection goes on
        else:
            self._overdue = True
            self._resume()

    def retire(self) -> None:
        """Close an idle connection to make room, unless data has arrived. The loop calls it."""
        self.since = -inf
        self.check_deadline()

    def close(self) -> None:
        """Close the connection without waiting."""
        self.due = inf
        self.idle = False
        self._greenlet = None
        self._watcher.stop()
        self._watcher.close()
        self._reader.close()
        self._client.close()
        self._worker.gone(self)

    def _listen(self, due: float) -> None:
        self.idle = not self._reader.began
        self.due = due
        if not self._watcher.active:
            self._watcher.start(self._on_data)

    def _on_data(self) -> None:
        """Wake the greenlet. While it works, stop watching: the data can wait, and would be reported again and again.

        Otherwise the watcher stays active, because starting it again costs a system call.
        """
        if self.due == inf:
            self._watcher.stop()
        else:
            self._resume()

    def _resume(self) -> None:
        self.due = inf
        self.idle = False
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is None:
            gevent.spawn(self._serve)
        else:
            greenlet.switch(True)

    def _deadline(self) -> float:
        """Return the time at which the client must have sent the current part of a request."""
        worker, reader = self._worker, self._reader
        if reader.head_done:
            return self._began + worker.timeouts.body + reader.body_bytes / worker.timeouts.body_rate
        if reader.began:
            return self._began + worker.timeouts.head
        return self.since + (worker.keepalive if worker.alive else worker.timeouts.leave)

    def _serve(self) -> None:
        goes_on = False
        try:
            while self._read_available():
                if not self._wait():
                    goes_on = True
                    return
        except (Disconnected, OSError):
            pass
        finally:
            if not goes_on:
                self.close()

    def _wait(self) -> bool:
        """Wait for data. Return False if the greenlet should end because none has come."""
        worker = self._worker
        self._greenlet = gevent.getcurrent()
        self._listen(min(self._deadline(), worker.now + worker.kept))
        there: bool = worker.hub.switch()
        return there

    def _read_available(self) -> bool:
        """Read available data, in a bounded number of reads. Return whether the connection stays open."""
        reader, receive = self._reader, self._client.receive
        for _ in range(_BATCH):
            size = reader.read_size
            try:
                data = receive(size)
            except BlockingIOError:
                break
            if not data or not self._take(data):
                return False
            if len(data) < size:
                break
        return not self._overdue or self._has_time_left()

    def _has_time_left(self) -> bool:
        """Return whether the client has time left. If not, a request that it has begun is refused."""
        self._overdue = False
        if self._deadline() > self._worker.now:
            return True
        if self._reader.began:
            self._refuse(_TIMED_OUT)
        return False

    def _take(self, data: bytes) -> bool:
        """Parse received data and answer complete requests. Return whether the connection stays open."""
        reader = self._reader
        if not reader.began:
            self._began = self._worker.now
        refused = None
        try:
            reader.feed(data)
        except Refused as error:
            refused = error
        if reader.requests and not self._answer_all():
            return False
        if refused is not None:
            self._refuse(refused)
            return False
        if reader.expects:
            reader.expects = False
            self._client.send(_CONTINUE)
        return True

    def _answer_all(self) -> bool:
        requests, answered = self._reader.requests, 0
        while requests:
            request = requests.popleft()
            if not self._answer(request):
                if requests or not request.whole:
                    self._client.linger()
                return False
            answered += 1
            if answered % _BATCH == 0:
                gevent.sleep(0)
        self._overdue = False
        self.since = self._began = self._worker.now
        return True

    def _answer(self, request: Request) -> bool:
        """Answer a request. Return whether the connection stays open."""
        worker, client = self._worker, self._client
        worker.count_request()
        client.expect_answer()
        response = Response(request, worker.alive, worker.date, client.send)
        began = monotonic() if worker.access_log else 0.0
        try:
            self._send(response, worker.wsgi(request.environ, response.start))
        except Disconnected:
            raise
        except Exception:
            worker.log.exception("the application failed")
            self._fail(request, response)
            return False
        finally:
            self._forget_hangup()
            if worker.access_log:
                worker.access_log.answered(request, response, monotonic() - began)
        return response.keep_alive

    def _send(self, response: Response, parts: Iterable[bytes]) -> None:
        try:
            self._forget_hangup()
            if not self._worker.alive and not response.started:
                response.keep_alive = False  # the worker began to end during the call
            response.send(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def _fail(self, request: Request, response: Response) -> None:
        if not response.started:
            self._client.send(refusal(Refused(500, "an internal error")))
            self._client.linger()
        elif request.version == "1.0":
            # In HTTP/1.0 only a reset shows the client that the response is incomplete.
            self._client.reset()

    def _refuse(self, refused: Refused) -> None:
        if self._worker.access_log:
            self._worker.access_log.refused(refused)
        self._client.send(refusal(refused))
        self._client.linger()

    def _on_hangup(self, callback: Callable[[], object]) -> None:
        self.hangup = callback
        self._worker.watched.add(self)

    def _forget_hangup(self) -> None:
        if self.hangup is not None:
            self.hangup = None
            self._worker.watched.discard(self)
