"""A connection: it reads, has the application answer, and waits, for nothing longer than it has patience.

It has a greenlet while it is at work, and for a moment after. A client that says nothing costs a socket, a watcher of
the loop's, and the objects of this module.
"""

from collections.abc import Callable, Iterable
from math import inf
from time import monotonic
from typing import Any, Protocol

import gevent
from http_access_log import AccessLog
from http_app import HANGUP
from http_client import Client, Disconnected
from http_limits import Limits, Patience
from http_message import Refused, Request
from http_request import RequestReader
from http_response import Response, refusal

#: Answers on one connection after which the others get their turn.
_TURN = 4
_READ = 1
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TIMED_OUT = Refused(408, "the request did not arrive in time")


class Server(Protocol):
    """What a connection asks of the worker that serves it. `http_worker.HttpWorker` is one."""

    alive: bool
    #: Of the access log; None: nothing is logged.
    access_log: AccessLog | None
    #: The line `Date: ...` of every answer.
    date: str
    hub: Any
    #: Seconds that an idle connection stays open.
    keepalive: float
    #: Seconds that an idle connection keeps its greenlet.
    kept: float
    limits: Limits
    log: Any
    loop: Any
    #: The monotonic clock, as of the last tick.
    now: float
    patience: Patience
    #: Connections with a callback for clients that hang up.
    watched: "set[Connection]"
    wsgi: Any

    def count_request(self) -> None:
        """Count a request, and end the worker after as many as it may serve."""

    def gone(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""


class Connection:
    """From its first byte to its end.

    Attributes:
        descriptor: its file descriptor.
        due: when to `look` at it, on the monotonic clock.
        since: when it was opened, or last answered.
        idle: whether nothing of a request is here.
        hangup: what to call when its client goes away before it was answered.
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

    def look(self) -> None:
        """When it is due: let its greenlet go, or end it, unless what it waits for is there after all.

        To be called by the loop.
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
        """It has been idle for long enough. To be called by the loop."""
        self.since = -inf
        self.look()

    def close(self) -> None:
        """At once."""
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
        self._watcher.start(self._resume)

    def _resume(self) -> None:
        self._watcher.stop()
        self.due = inf
        self.idle = False
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is None:
            gevent.spawn(self._serve)
        else:
            greenlet.switch(True)

    def _deadline(self) -> float:
        """When the client will have had enough time for what it is about."""
        worker, reader = self._worker, self._reader
        if reader.head_done:
            return self._began + worker.patience.body + reader.body_bytes / worker.patience.body_rate
        if reader.began:
            return self._began + worker.patience.head
        return self.since + (worker.keepalive if worker.alive else worker.patience.leave)

    def _serve(self) -> None:
        goes_on = False
        try:
            while self._turn():
                if not self._wait():
                    goes_on = True
                    return
        except (Disconnected, OSError):
            pass
        finally:
            if not goes_on:
                self.close()

    def _wait(self) -> bool:
        """Returns whether there is something to do; else this greenlet is not needed."""
        worker = self._worker
        self._greenlet = gevent.getcurrent()
        self._listen(min(self._deadline(), worker.now + worker.kept))
        there: bool = worker.hub.switch()
        return there

    def _turn(self) -> bool:
        """Take what is there, though not for ever. Returns whether the connection goes on."""
        reader, receive = self._reader, self._client.receive
        for _ in range(_TURN):
            try:
                data = receive(reader.appetite)
            except BlockingIOError:
                break
            if not data or not self._take(data):
                return False
        return not self._overdue or self._has_time_left()

    def _has_time_left(self) -> bool:
        """What was overdue when it was looked at has not come. It is refused if its time is over now."""
        self._overdue = False
        if self._deadline() > self._worker.now:
            return True
        if self._reader.began:
            self._refuse(_TIMED_OUT)
        return False

    def _take(self, data: bytes) -> bool:
        """Read what was received, answer what is complete. Returns whether the connection goes on."""
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
            if answered % _TURN == 0:
                gevent.sleep(0)
        self._overdue = False
        self.since = self._began = self._worker.now
        return True

    def _answer(self, request: Request) -> bool:
        """Returns whether the connection goes on."""
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
                response.keep_alive = False  # the end has begun meanwhile
            response.send(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def _fail(self, request: Request, response: Response) -> None:
        if not response.started:
            self._client.send(refusal(Refused(500, "an internal error")))
            self._client.linger()
        elif request.version == "1.0":
            # Nothing else would tell the client that this was not the answer's end.
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
