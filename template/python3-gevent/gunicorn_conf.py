"""How gunicorn serves the function behind of-watchdog.

The number of processes is gunicorn's own default, one, or WEB_CONCURRENCY.
"""

import os
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
