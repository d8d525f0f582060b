"""The configuration of gunicorn, which serves the function behind of-watchdog, or alone where `make run` starts it.

The number of processes is WEB_CONCURRENCY, one by default. They share the listening socket. The function is ready
while at least one of them has loaded it.

The shutdown, step by step:

1. The watchdog receives SIGTERM. It passes the signal on to gunicorn immediately and answers health checks with 503,
   but accepts requests for another `healthcheck_interval`, until all clients have noticed.
2. gunicorn's arbiter closes its descriptor of the listening socket, which stays open in the workers, and signals
   them. They continue to serve (`leave`), for a little longer than the watchdog.
3. Then a worker ends: its application refuses new work (`drain`), and the listening socket and idle connections are
   closed. Running requests are finished and answered, within `exec_timeout`: after that the watchdog answers by
   itself. The watchdog ends after its last response and does not wait for gunicorn.
4. `worker_exit`: the application ends what it has started. init.py waits for that.
5. `on_exit`. A worker that is still running after `graceful_timeout` is killed, with everything that it has started.

With a `healthcheck_interval` of 0 step 2 takes no time: there is no watchdog, and the sender of SIGTERM sends no more
requests.

This file works with any gevent worker, such as `worker_class = "gevent"`.
"""

import os
import re
import signal
import tempfile
from functools import partial
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

import gevent
import log_format

# Several processes share their metrics in files, so that each of them can answer for all. The library reads the
# variable when it is imported.
if int(os.environ.get("WEB_CONCURRENCY", "1")) > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
try:
    from prometheus_client import multiprocess
except ImportError:  # the function has no metrics
    multiprocess = None

UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "": 1}


def seconds(duration):
    """Return the seconds of a duration in Go's notation ("1m30s" is 90), or of a plain number."""
    parts = re.findall(r"([0-9.]+)(h|ms|m|s|us|µs|ns|)", duration)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


# These are the watchdog's variables, with its defaults, so that both agree.
upstream_url = os.environ.get("upstream_url", "http://127.0.0.1:5000")  # noqa: SIM112
write_timeout = os.environ.get("write_timeout", "30s")  # noqa: SIM112
exec_timeout = seconds(os.environ.get("exec_timeout", "30s"))  # noqa: SIM112
healthcheck_interval = seconds(os.environ.get("healthcheck_interval", write_timeout))  # noqa: SIM112

# The file that the watchdog's health check requires. Go's os.TempDir uses TMPDIR or /tmp only.
LOCK = Path(os.environ.get("TMPDIR") or "/tmp", ".lock")  # noqa: S108
# Seconds of step 2. The last request that the watchdog accepted needs some time to arrive.
LEAVING = healthcheck_interval + 1 if healthcheck_interval else 0
# Seconds of steps 3 and 4, of which the last three are for step 4 (`http_worker.CLOSING`).
ENDING = ceil(exec_timeout) + 3

bind = urlsplit(upstream_url).netloc
worker_class = "http_worker.HttpWorker"
# For servers without a watchdog in front. A silent client costs a few kilobytes.
worker_connections = 12_000
# Seconds. Longer than the watchdog keeps an idle connection (half a second): if this side closed it first, a request
# on its way would be lost.
keepalive = 5
# Seconds after which gunicorn replaces a worker that computes without yielding. Not less than a call may take.
timeout = max(30, ENDING)
# Kubernetes must allow as much, by terminationGracePeriodSeconds.
graceful_timeout = ceil(LEAVING) + ENDING
logconfig_dict = log_format.settings(
    os.environ.get("LOG_LEVEL", "info"), os.environ.get("LOG_FORMAT", "line")
)
# It would be in the home folder, which is not writable in a read-only container.
control_socket_disable = True


def on_starting(server):
    """Remove the lock of a server that was killed: it must not make this one ready."""
    LOCK.unlink(missing_ok=True)
    os.register_at_fork(after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, [signal.SIGTERM]))


def pre_fork(server, worker):
    """Hold back SIGTERM until `post_fork`. The arbiter's handler, which the new worker inherits, would ignore it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def when_ready(server):
    """Remove the lock on SIGTERM: without a watchdog the missing file shows that the function is not ready."""

    def end(number, frame):
        LOCK.unlink(missing_ok=True)
        server.signal(number, frame)

    signal.signal(signal.SIGTERM, end)


def post_fork(server, worker):
    """Let SIGTERM end a worker that is still loading, even one that was sent while it was held back."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def post_worker_init(worker):
    """Make the function ready, because it is loaded, unless the worker has been told to end."""
    signal.signal(signal.SIGTERM, partial(leave, worker))
    if worker.alive:
        LOCK.touch()


def leave(worker, number, frame):
    """Start step 2, and give the worker the time of step 3 only: the arbiter's graceful_timeout includes step 2."""
    worker.cfg.set("graceful_timeout", ENDING)
    gevent.spawn_later(LEAVING, worker.handle_exit, number, frame)


def worker_exit(server, worker):
    """Let the application, if one was loaded, end what it has started."""
    if os.getppid() != server.pid:
        # The arbiter was killed, so no other worker will be started.
        LOCK.unlink(missing_ok=True)
    close = getattr(getattr(worker, "wsgi", None), "close", None)
    if close is not None:
        close()


def child_exit(server, worker):
    """Drop the gauges of a worker that has ended, and remove the lock if it was the last one."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and multiprocess is not None:
        multiprocess.mark_process_dead(worker.pid)
    if not server.WORKERS:
        LOCK.unlink(missing_ok=True)


def on_exit(server):
    """Remove the lock: the watchdog keeps running if gunicorn ends with status 0, and must not be ready."""
    LOCK.unlink(missing_ok=True)
