"""How gunicorn serves the controller and the runtimes where no watchdog does: one gevent worker each.

That is on one machine (`make run`) and in the images of Docker Compose.

The end of a part, step by step:

1. The supervisor, or Compose, sends SIGTERM, to the controller first: while it finishes what it has begun it needs
   the runtimes.
2. The arbiter closes the listening socket and tells the worker, whose app (`drain`) takes no more work.
3. The worker ends idle connections. What runs goes on until its own deadline, and its answer is sent.
4. `worker_exit`: the app ends what it has started. So much of `graceful_timeout` is left for it: http_worker.CLOSING.
5. After `graceful_timeout` the arbiter kills the worker, a little later whoever sent SIGTERM kills the arbiter.
"""

import os
import signal
from typing import Any

from prometheus_client import multiprocess

bind = f"0.0.0.0:{os.environ['PORT']}"
worker_class = "http_worker.HttpWorker"
workers = 1
# Ten thousand clients that are connected and say little, and some that do.
worker_connections = 12_000
# Those that have connected and are not yet taken; the kernel's own limit is often smaller.
backlog = 4096
# Longer than any client of ours keeps an idle connection, so that it is never closed under a request.
keepalive = 75
# Seconds. Whoever starts us knows how long a call may take: HttpServer of local/supervisor/python_server.py and
# deploy/docker-compose.yml.
graceful_timeout = int(os.environ.get("GRACEFUL_TIMEOUT", "30"))
control_socket_disable = True
accesslog = None
errorlog = "-"
# The arbiter's lines have the form of ours; a worker's are the app's to write: controller/observability/logs.py and
# runtime/logs.py.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "ecs": {
            "()": "ecs_logging.StdlibFormatter",
            "exclude_fields": ["log.original", "process.name", "process.thread"],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ecs"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the heartbeat's, not ours


def post_fork(server: Any, worker: Any) -> None:
    """Told to end before it has begun, a worker just goes; the arbiter's handler, inherited, would forget it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def worker_exit(server: Any, worker: Any) -> None:
    """The app ends what it has started: its processes, its last log records."""
    close = getattr(getattr(worker, "wsgi", None), "close", None)
    if close is not None:
        close()


def child_exit(server: Any, worker: Any) -> None:
    """The figures of a worker that is gone are not those of a living one."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
