"""How gunicorn serves the function behind of-watchdog, and by itself where `make run` starts it on one machine.

The number of processes is gunicorn's own default, one, or WEB_CONCURRENCY. They share the listening socket: the
function is ready when the first of them has loaded it, and no longer when the last one is gone.

The end of it, step by step:

1. The watchdog gets SIGTERM, says 503 to whoever asks for its health, hands the signal on to gunicorn at once, and
   itself goes on taking requests for `healthcheck_interval`, until everybody has heard of it.
2. gunicorn's arbiter closes its own descriptor of the listening socket, which stays open in the workers, and tells
   them. They go on as if nothing were (`leave`), for a little longer than the watchdog does.
3. Then a worker really ends: its application (`drain`) takes no more work, the listening socket and idle connections
   are closed. What runs goes on to its own end, and its answer is sent: all of it has one after `exec_timeout`,
   beyond which the watchdog itself answers. The watchdog ends with its last answer and waits for nobody.
4. `worker_exit`: the application ends what it has started. init.py waits for that.
5. `on_exit`. A worker that is still there after `graceful_timeout` is killed, which ends all that it has started too.

With a `healthcheck_interval` of 0 step 2 takes no time: no watchdog stands in front, and the sender of SIGTERM sends
no more requests.

Nothing here depends on which gevent worker it is: `worker_class = "gevent"` would do.
"""

import os
import re
import signal
import tempfile
from functools import partial
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

import call_log
import gevent

# Several processes tell each other of their metrics by files: whichever is asked answers for all of them. The library
# wants to know where when it is loaded.
if int(os.environ.get("WEB_CONCURRENCY", "1")) > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
try:
    from prometheus_client import multiprocess
except ImportError:  # the function has no metrics of its own
    multiprocess = None

UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "": 1}


def seconds(duration):
    """Go's notation of a duration, or a bare number of seconds: 90 for "1m30s"."""
    parts = re.findall(r"([0-9.]+)(h|ms|m|s|us|µs|ns|)", duration)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


# The variables are the watchdog's own, its defaults too, so that the two cannot disagree.
upstream_url = os.environ.get("upstream_url", "http://127.0.0.1:5000")  # noqa: SIM112
write_timeout = os.environ.get("write_timeout", "30s")  # noqa: SIM112
exec_timeout = seconds(os.environ.get("exec_timeout", "30s"))  # noqa: SIM112
healthcheck_interval = seconds(os.environ.get("healthcheck_interval", write_timeout))  # noqa: SIM112

# The file the watchdog's health looks for; Go's os.TempDir knows TMPDIR and /tmp only.
LOCK = Path(os.environ.get("TMPDIR") or "/tmp", ".lock")  # noqa: S108
# Seconds of step 2. The last request that the watchdog took needs some time to get here.
LEAVING = healthcheck_interval + 1 if healthcheck_interval else 0
# Seconds of steps 3 and 4, of which the last three are for step 4 (`http_worker.CLOSING`).
ENDING = ceil(exec_timeout) + 3

bind = urlsplit(upstream_url).netloc
worker_class = "http_worker.HttpWorker"
# Where more than the watchdog connects: a client that says nothing costs some kilobytes.
worker_connections = 12_000
# Seconds. Longer than the watchdog keeps an idle connection (half a second): if this side dropped it first, a request
# already on its way would be lost.
keepalive = 5
# Seconds after which a worker is replaced that only computes and lets nobody else have a turn: not before its call
# may take no longer anyway.
timeout = max(30, ENDING)
# Kubernetes has to grant as much, by terminationGracePeriodSeconds.
graceful_timeout = ceil(LEAVING) + ENDING
logconfig_dict = call_log.settings(os.environ.get("LOG_LEVEL", "info"), os.environ.get("LOG_FORMAT", "line"))
# It would lie in the home folder, which a read-only container does not have.
control_socket_disable = True


def on_starting(server):
    """A lock left by a killed server must not say that this one is ready."""
    LOCK.unlink(missing_ok=True)


def when_ready(server):
    """From SIGTERM on the function is not ready. The watchdog says so itself; without one the missing file does."""

    def end(number, frame):
        LOCK.unlink(missing_ok=True)
        server.signal(number, frame)

    signal.signal(signal.SIGTERM, end)


def post_fork(server, worker):
    """Told to end before it has begun, a worker just goes; the arbiter's handler, inherited, would forget it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def post_worker_init(worker):
    """The function is loaded: from here on the watchdog's health is 200, unless the end has come meanwhile."""
    signal.signal(signal.SIGTERM, partial(leave, worker))
    if worker.alive:
        LOCK.touch()


def leave(worker, number, frame):
    """Step 2, and what step 3 may take from then on: the arbiter counts from here."""
    worker.cfg.set("graceful_timeout", ENDING)
    gevent.spawn_later(LEAVING, worker.handle_exit, number, frame)


def worker_exit(server, worker):
    """Lets the application end what it started; a worker that never loaded one has none."""
    if os.getppid() != server.pid:
        # The arbiter was killed, so that nobody comes after this worker.
        LOCK.unlink(missing_ok=True)
    close = getattr(getattr(worker, "wsgi", None), "close", None)
    if close is not None:
        close()


def child_exit(server, worker):
    """Between the last worker's death and the next one's start nothing serves, and its gauges are of nobody."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and multiprocess is not None:
        multiprocess.mark_process_dead(worker.pid)
    if not server.WORKERS:
        LOCK.unlink(missing_ok=True)


def on_exit(server):
    """After an orderly end the watchdog stays, since gunicorn's status is 0: health says that nothing serves."""
    LOCK.unlink(missing_ok=True)
