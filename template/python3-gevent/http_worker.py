"""gunicorn's gevent worker with llhttp as its parser: `worker_class = "http_worker.HttpWorker"`.

It has several times the throughput of gunicorn's worker, which parses in Python. It also has these features:

- A client on a kept-alive connection cannot starve the others. Thousands of silent clients cost almost nothing.
- Everything that a client sends has a size limit, and everything that it may delay has a timeout: http_limits.py.
- The application hears of its end and of clients that disconnect, and refuses bodies that are too large in its own
  format: http_app.py is the protocol.
- On SIGTERM idle connections are closed immediately, others after their response, within gunicorn's graceful_timeout.
  After `max_requests` the worker ends in the same way.

Bodies are kept in memory. TLS is not supported.
"""

import gc
import resource
import select
import sys
from email.utils import formatdate
from heapq import nsmallest
from time import monotonic
from typing import Any

import gevent
from gevent import monkey
from gunicorn.workers.ggevent import GeventWorker
from http_access_log import AccessLog
from http_app import Adapted
from http_client import Client
from http_connection import Connection
from http_limits import Limits, Timeouts
from http_listener import Listener

#: Seconds between two readings of the clock, and between two checks for clients that have disconnected.
TICK = 0.25
#: Seconds between two checks for overdue connections. There may be thousands of connections.
SWEEP = 1.0
#: Seconds of gunicorn's graceful_timeout that are reserved for the end of the application.
CLOSING = 3
#: Seconds for which an idle connection keeps its greenlet.
_KEPT = 2.0
#: Descriptors reserved for everything but connections: the application, the log.
_RESERVED = 1024
#: Seconds after which an idle connection may be closed to make room, and the share that is closed: one of 64.
_SPARE = 1.0
_ROOM = 64
# The place where a greenlet was created is only for debugging, and takes a fifth of the time to create one.
gevent.config.track_greenlet_tree = False
#: The original: gevent's replacement yields for each descriptor, and does not report disconnected clients.
_poll = monkey.get_original("select", "poll")
#: When the garbage collector looks for cycles. By default that is after 700 new objects, those of a few requests, and
#: takes a twentieth of the CPU time. Requests leave hardly any cycles.
_COLLECTIONS = (20_000, 20, 20)
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class HttpWorker(GeventWorker):
    """The worker. Subclasses may set `timeouts`."""

    timeouts = Timeouts()
    alive: bool
    #: None until it is loaded.
    application: Adapted | None = None

    def load_wsgi(self) -> None:
        """Load the application."""
        super().load_wsgi()
        self.application = Adapted(self.wsgi)

    def run(self) -> None:
        """Serve until the worker must end, then finish the running requests."""
        self.connections: set[Connection] = set()
        self.watched: set[Connection] = set()
        self.hub = gevent.get_hub()
        self.loop = self.hub.loop
        self.limits = Limits.of(self.cfg, self.application)
        self.keepalive: float = self.cfg.keepalive
        self.kept = min(_KEPT, self.keepalive, self.timeouts.head)
        self.access_log = AccessLog.of(self.log)
        self._swept = 0.0
        self._most = _descriptors_for(self.worker_connections)
        self._tick()
        # The objects of the loaded application stay: the garbage collector need not visit them again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        self._listeners = [self._listener(listening) for listening in self.sockets]
        while self.alive:
            self._tick()
            self._resume()
            gevent.sleep(TICK)
        # No new connections: other workers accept those in the kernel's queue.
        for listener in self._listeners:
            listener.close()
        self._finish(self.now + self.cfg.graceful_timeout - CLOSING)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle SIGTERM: call `drain` of the application. `run` does the rest."""
        super().handle_exit(sig, frame)
        if self.application is not None:
            self.application.drain()

    def count_request(self) -> None:
        """Count a request. End the worker gracefully after `max_requests`."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def gone(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.connections.discard(connection)
        self.watched.discard(connection)
        self._resume()

    def _resume(self) -> None:
        for listener in self._listeners:
            listener.resume()

    def _listener(self, listening: Any) -> Listener:
        burst = 1 if self.cfg.workers > 1 else 100
        return Listener(listening, burst, self._has_room, self._take, self.log.warning)

    def _has_room(self) -> bool:
        if len(self.connections) < self._most:
            return True
        spare = (one for one in self.connections if one.idle and self.now - one.since > _SPARE)
        for connection in nsmallest(self._most // _ROOM + 1, spare, key=lambda one: one.since):
            connection.retire()
        return len(self.connections) < self._most

    def _take(self, listener: Listener, client: Any, address: Any) -> None:
        environ = self._environ(listener, address)
        self.connections.add(Connection(self, Client(client, self.timeouts), environ))

    def _environ(self, listener: Listener, address: Any) -> dict[str, Any]:
        """Return the part of the environ that all requests of a connection share."""
        name, port = listener.name
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": name,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": "" if listener.is_unix else address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def _finish(self, deadline: float) -> None:
        while self._unfinished() and self.now < deadline:
            for connection in self.connections:
                if connection.idle:
                    connection.due = min(connection.due, self.now)
            self._tick()
            gevent.sleep(TICK / 10)
        if self._unfinished():
            self.log.warning("%d requests did not end in time (pid: %s)", len(self.connections), self.pid)

    def _unfinished(self) -> bool:
        return bool(self.connections) or (self.application is not None and self.application.busy())

    def _tick(self) -> None:
        self.notify()
        self.date = f"Date: {formatdate(usegmt=True)}"
        self.now = now = monotonic()
        if now >= self._swept + SWEEP or not self.alive:
            self._swept = now
            for connection in self.connections:
                if connection.due <= now:
                    self.loop.run_callback(connection.check_deadline)
        if self.watched:
            self._call_those_hung_up_on()

    def _call_those_hung_up_on(self) -> None:
        """Ask the kernel which clients have disconnected, and call their functions."""
        poll = _poll()
        watched = {connection.descriptor: connection.hangup for connection in self.watched}
        for descriptor in watched:
            poll.register(descriptor, select.POLLRDHUP)
        for descriptor, events in poll.poll(0):
            callback = watched[descriptor]
            if events & _GONE and callback is not None:
                callback()


def _descriptors_for(connections: int) -> int:
    """Raise the limit of open files if necessary. Return how many connections the process can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVED
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - _RESERVED // 4))
