"""gunicorn's gevent worker with llhttp as its parser: `worker_class = "http_worker.HttpWorker"`.

Several times the throughput of the stock worker, whose parser is written in Python, and besides:

- A client on a kept-alive connection cannot starve the others; thousands that say nothing cost next to nothing.
- All that a client controls has a limit, and all that it may let others wait for a deadline: http_limits.py.
- The application is told of the end, and of clients that hang up, and refuses bodies that are too long in its own
  words: http_app.py is the protocol.
- On SIGTERM idle connections end at once and those at work after their answer; gunicorn's graceful_timeout bounds it.
  After `max_requests` the worker ends in the same way.

Bodies are held in memory. There is no TLS here.
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
from http_app import Adapted, HttpApp
from http_client import Client
from http_connection import Connection
from http_limits import Limits, Patience
from http_listener import Listener

#: Seconds between two looks at the clock, and at the clients of those who want to know that they are gone.
TICK = 0.25
#: Seconds between two looks at which connections are due, of which there may be thousands.
SWEEP = 1.0
#: Seconds of gunicorn's graceful_timeout that are left for the application's own end.
CLOSING = 3
#: Seconds for which a connection's greenlet is kept for its client's next bytes.
_KEPT = 2.0
#: Descriptors for all but the connections: the application's own, the log's.
_RESERVED = 1024
#: Seconds that a connection has to have been idle to make room for others, and how many go at once, of so many.
_SPARE = 1.0
_ROOM = 64
# Where a greenlet was made is only for debugging, and takes a fifth of making it.
gevent.config.track_greenlet_tree = False
#: gevent's own takes a moment for each descriptor, and knows nothing of clients that are gone.
_poll = monkey.get_original("select", "poll")
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class HttpWorker(GeventWorker):
    """See the module. Derived classes may set `patience`."""

    patience = Patience()
    alive: bool
    #: None until it is loaded.
    application: HttpApp | None = None

    def load_wsgi(self) -> None:
        """Load the application."""
        super().load_wsgi()
        self.application = Adapted(self.wsgi)

    def run(self) -> None:
        """Serve until told to end, then finish what has begun."""
        self.connections: set[Connection] = set()
        self.watched: set[Connection] = set()
        self.hub = gevent.get_hub()
        self.loop = self.hub.loop
        self.limits = Limits.of(self.cfg, self.application)
        self.keepalive: float = self.cfg.keepalive
        self.kept = min(_KEPT, self.keepalive, self.patience.head)
        self.access_log = AccessLog.of(self.log)
        self._swept = 0.0
        self._most = _descriptors_for(self.worker_connections)
        self._tick()
        # What the application has made so far stays: no collection need look at it again.
        gc.collect()
        gc.freeze()
        self._listeners = [self._listener(listening) for listening in self.sockets]
        while self.alive:
            self._tick()
            self._resume()
            gevent.sleep(TICK)
        # No new connections from here on; those that wait in the kernel's queue belong to other workers.
        for listener in self._listeners:
            listener.close()
        self._finish(self.now + self.cfg.graceful_timeout - CLOSING)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM. The rest is seen to by `run`."""
        super().handle_exit(sig, frame)
        if self.application is not None:
            self.application.drain()

    def count_request(self) -> None:
        """Ends the worker in good order after as many as `max_requests` allows."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def gone(self, connection: Connection) -> None:
        """A connection has ended."""
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
        self.connections.add(Connection(self, Client(client, self.patience), environ))

    def _environ(self, listener: Listener, address: Any) -> dict[str, Any]:
        """What all requests of a connection have in common."""
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
        while self.connections and self.now < deadline:
            for connection in self.connections:
                if connection.idle:
                    connection.due = min(connection.due, self.now)
            self._tick()
            gevent.sleep(TICK / 10)
        if self.connections:
            self.log.warning("%d requests did not end in time (pid: %s)", len(self.connections), self.pid)

    def _tick(self) -> None:
        self.notify()
        self.date = f"Date: {formatdate(usegmt=True)}"
        self.now = now = monotonic()
        if now >= self._swept + SWEEP or not self.alive:
            self._swept = now
            for connection in self.connections:
                if connection.due <= now:
                    self.loop.run_callback(connection.look)
        if self.watched:
            self._call_those_hung_up_on()

    def _call_those_hung_up_on(self) -> None:
        """Asks the kernel which clients are gone."""
        poll = _poll()
        watched = {connection.descriptor: connection.hangup for connection in self.watched}
        for descriptor in watched:
            poll.register(descriptor, select.POLLRDHUP)
        for descriptor, events in poll.poll(0):
            callback = watched[descriptor]
            if events & _GONE and callback is not None:
                callback()


def _descriptors_for(connections: int) -> int:
    """Has this process allowed as many files as it needs. Returns how many connections it can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVED
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - _RESERVED // 4))
