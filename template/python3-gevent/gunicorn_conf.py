"""How gunicorn serves the function behind of-watchdog.

The number of processes is gunicorn's own default, one, or WEB_CONCURRENCY.

The end of it, step by step:

1. The watchdog gets SIGTERM, says 503 to whoever asks for its health, and hands the signal on to gunicorn.
2. gunicorn's arbiter closes the listening socket and tells the worker, whose application (`drain`) takes no more
   work.
3. The worker ends idle connections. What runs goes on to its own end, and its answer is sent: all of it has one after
   `exec_timeout`, beyond which the watchdog itself answers.
4. `worker_exit`: the application ends what it has started.
5. `on_exit`. A worker that is still there after `graceful_timeout` is killed, which ends all that it has started too.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

# The file the watchdog's health looks for; Go's os.TempDir knows TMPDIR and /tmp only.
LOCK = Path(os.environ.get("TMPDIR") or "/tmp", ".lock")  # noqa: S108

# The watchdog's own variable, so that the two cannot disagree.
bind = urlsplit(os.environ.get("upstream_url", "http://127.0.0.1:5000")).netloc  # noqa: SIM112
worker_class = "http_worker.HttpWorker"
# Seconds. Longer than the watchdog keeps an idle connection (half a second): if this side dropped it first, a request
# already on its way would be lost.
keepalive = 5


def seconds(duration):
    """Go's notation of a duration, or a bare number of seconds: 90 for "1m30s"."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "": 1}
    parts = re.findall(r"([0-9.]+)(h|ms|m|s|)", duration)
    return sum(float(number) * units[unit] for number, unit in parts)


# Seconds: step 3, and three for step 4 (`http_worker.CLOSING`). Kubernetes has to grant as much.
graceful_timeout = int(seconds(os.environ.get("exec_timeout", "30s"))) + 3  # noqa: SIM112 - the watchdog's own
errorlog = "-"
# It would lie in the home folder, which a read-only container does not have.
control_socket_disable = True


def on_starting(server):
    """A lock left by a killed server must not say that this one is ready."""
    LOCK.unlink(missing_ok=True)


def post_worker_init(worker):
    """The function is loaded: from here on the watchdog's health is 200."""
    LOCK.touch()


def worker_exit(server, worker):
    """Lets the application end what it started; a worker that never loaded one has none."""
    close = getattr(getattr(worker, "wsgi", None), "close", None)
    if close is not None:
        close()


def on_exit(server):
    """After an orderly end the watchdog stays, since gunicorn's status is 0: health says that nothing serves."""
    LOCK.unlink(missing_ok=True)
