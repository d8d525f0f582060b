"""How gunicorn serves the controller and the runtimes on one machine: one gevent worker each."""

import os
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

bind = f"127.0.0.1:{os.environ['PORT']}"
# The same worker as in the functions' images.
pythonpath = str(Path(__file__).parents[1] / "template" / "python3-gevent")
worker_class = "http_worker.HttpWorker"
workers = 1
worker_connections = 2000
# Longer than any client of ours keeps an idle connection, so that it is never closed under a request.
keepalive = 75
# Shorter than what the supervisor grants before it kills.
graceful_timeout = 10
control_socket_disable = True
accesslog = None
errorlog = "-"
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the heartbeat's, not ours


def worker_exit(server: Any, worker: Any) -> None:
    """The app ends what it has started: its processes, its last log records."""
    close = getattr(getattr(worker, "wsgi", None), "close", None)
    if close is not None:
        close()


def child_exit(server: Any, worker: Any) -> None:
    """The figures of a worker that is gone are not those of a living one."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
