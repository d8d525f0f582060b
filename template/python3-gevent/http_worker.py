"""gunicorn's gevent worker with llhttp as its parser: `worker_class = "http_worker.HttpWorker"`.

Several times the throughput of the stock worker, whose parser is written in Python, and besides:

- A client on a kept-alive connection cannot starve the others.
- On SIGTERM the application is told by its `drain`, if it has one. Idle connections end at once and those at work
  after their answer; gunicorn's graceful_timeout bounds it.
- `environ["client.hangup"]` takes a function that is called, in another greenlet, when the client has gone away
  before it was answered. Without one nothing happens to the request.

Bodies are held in memory, up to `Limits.body_bytes`. There is no TLS, no access log and no max_requests here.
"""

import gc
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from typing import Any

import gevent
from gevent import monkey
from gevent import socket as gevent_socket
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker
from http_request import Limits, Refused, Request, RequestReader
from http_response import Response, refusal

#: Seconds between two looks at all connections.
TICK = 0.25
#: Seconds of gunicorn's graceful_timeout that are left for the application's own end.
CLOSING = 3
#: Seconds that a request may take to arrive, from its first byte to its last.
READ_TIMEOUT = 60.0
#: Seconds without a client taking anything of its answer.
WRITE_TIMEOUT = 30.0
#: Seconds, and bytes, that are still read from a client who was refused: closed at once it would not see why.
LINGER = 2.0
LINGER_BYTES = 1 << 20
_CHUNK = 64 * 1024
#: Answers on one connection after which the others get their turn.
_TURN = 16
#: gevent's own takes a moment for each descriptor, and knows nothing of clients that are gone.
_poll = monkey.get_original("select", "poll")
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Disconnected(Exception):
    """The client does not take what it is sent."""


class HttpWorker(GeventWorker):
    """See the module."""

    limits = Limits()

    def run(self) -> None:
        """Serve until told to end, then finish what has begun."""
        self.connections: set[Connection] = set()
        self._tick()
        # What the application has made so far stays: no collection need look at it again.
        gc.collect()
        gc.freeze()
        servers = [self._server(listener) for listener in self.sockets]
        while self.alive:
            self._tick()
            gevent.sleep(TICK)
        # No new connections from here on; those that wait in the kernel's queue belong to other workers.
        for server in servers:
            server.close()
        deadline = time.monotonic() + self.cfg.graceful_timeout - CLOSING
        while self.connections and time.monotonic() < deadline:
            self._tick()
            gevent.sleep(TICK / 10)
        if self.connections:
            self.log.warning("%d requests did not end in time (pid: %s)", len(self.connections), self.pid)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM. The rest is seen to by `run`."""
        super().handle_exit(sig, frame)
        drain = getattr(getattr(self, "wsgi", None), "drain", None)
        if drain is not None:
            drain()

    def handle(self, listener: Any, client: Any, address: Any) -> None:
        """One connection, from its first byte to its end."""
        if client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, client, self._environ(listener, address))
        self.connections.add(connection)
        try:
            connection.serve()
        except (Disconnected, OSError):
            pass
        finally:
            self.connections.discard(connection)
            client.close()

    def _server(self, listener: Any) -> StreamServer:
        listener.setblocking(True)
        server = StreamServer(listener, partial(self.handle, listener), spawn=Pool(self.worker_connections))
        if self.cfg.workers > 1:
            server.max_accept = 1
        server.start()
        return server

    def _environ(self, listener: Any, address: Any) -> dict[str, Any]:
        """What all requests of a connection have in common."""
        unix = listener.family == socket.AF_UNIX
        name, port = ("", "") if unix else listener.getsockname()[:2]
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": name,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": "" if unix else address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def _tick(self) -> None:
        self.notify()
        self.date = f"Date: {formatdate(usegmt=True)}\r\n"
        now = time.monotonic()
        watched = {}
        poll = _poll()
        for connection in self.connections:
            connection.check_time(now)
            if connection.hangup is not None:
                descriptor = connection.client.fileno()
                watched[descriptor] = connection.hangup
                poll.register(descriptor, select.POLLRDHUP)
        for descriptor, events in poll.poll(0) if watched else ():
            if events & _GONE:
                watched[descriptor]()


class Connection:
    """A client's connection; `hangup` is what to call when it goes away meanwhile."""

    def __init__(self, worker: HttpWorker, client: Any, environ: dict[str, Any]) -> None:
        self.client = client
        self.hangup: Callable[[], object] | None = None
        self._worker = worker
        self._application = worker.wsgi
        self._descriptor: int = client.fileno()
        environ["client.hangup"] = self._on_hangup
        self._reader = RequestReader(environ, worker.limits, self._send)
        self._waiting_since = time.monotonic()
        self._working = False

    def serve(self) -> None:
        """Answer request after request. Raises Disconnected or OSError when the client goes away."""
        receive, reader, requests = self.client.recv, self._reader, self._reader.requests
        answered = 0
        while data := receive(_CHUNK):
            if not reader.began:
                self._waiting_since = time.monotonic()
            refused = self._feed(data)
            while requests:
                if not self._answer(requests.popleft()):
                    return
                answered += 1
                if answered % _TURN == 0:
                    gevent.sleep(0)
            if refused is not None:
                self._refuse(refused)
                return

    def check_time(self, now: float) -> None:
        """End the connection if it waits for too long, or for nothing since the server ends."""
        if self._working:
            return
        worker = self._worker
        patience = READ_TIMEOUT if self._reader.began else worker.cfg.keepalive if worker.alive else 0
        if now - self._waiting_since >= patience:
            with suppress(OSError):
                # What has arrived already can still be read, and is answered.
                self.client.shutdown(socket.SHUT_RD)

    def _feed(self, data: bytes) -> Refused | None:
        try:
            self._reader.feed(data)
        except Refused as refused:
            return refused
        return None

    def _answer(self, request: Request) -> bool:
        """Returns whether the connection goes on."""
        self._working = True
        worker = self._worker
        response = Response(request, keep_alive=worker.alive, date=worker.date, send=self._send)
        try:
            parts = self._application(request.environ, response.start)
            try:
                self.hangup = None
                response.send(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        except Disconnected:
            raise
        except Exception:
            worker.log.exception("the application failed")
            if not response.started:
                self._refuse(Refused(500, "an internal error"))
            return False
        finally:
            self.hangup = None
            self._working = False
            self._waiting_since = time.monotonic()
        return response.keep_alive

    def _on_hangup(self, callback: Callable[[], object]) -> None:
        self.hangup = callback

    def _refuse(self, refused: Refused) -> None:
        self._send(refusal(refused))
        self.client.shutdown(socket.SHUT_WR)
        left = LINGER_BYTES
        with suppress(gevent.Timeout), gevent.Timeout(LINGER):
            while left > 0 and (dropped := self.client.recv(_CHUNK)):
                left -= len(dropped)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                self._wait_until_writable()
            except OSError as error:
                raise Disconnected from error

    def _wait_until_writable(self) -> None:
        try:
            gevent_socket.wait_write(self._descriptor, timeout=WRITE_TIMEOUT)
        except OSError as error:
            raise Disconnected from error
