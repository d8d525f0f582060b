"""gunicorn in one process: `python -m local.supervisor.alone`, with the arguments of gunicorn.

gunicorn's first process, the arbiter, only starts the others and starts them again. Where a supervisor does that, it
is one Python interpreter too many for each server. So here the worker runs in the first process. With more than one
worker (`--workers`) there is an arbiter as always.
"""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

from gevent import monkey
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError


class Alone(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """Makes the one worker, and runs it in this process with the hooks that the arbiter calls."""

    def init_signals(self) -> None:
        """Leave the signals to the worker: until it has its own handlers, SIGTERM ends the process."""
        self.log.close_on_exec()

    def signal(self, number: int, frame: FrameType | None) -> NoReturn:
        """End the process: the worker is not there yet. `when_ready` of the configuration calls this."""
        raise SystemExit(0)

    def run(self) -> None:
        """Serve until the worker ends. SystemExit has the status that gunicorn's worker would have."""
        self.start()
        make = _supervised(self.cfg.worker_class)
        worker = make(1, os.getppid(), self.LISTENERS, self.app, self.timeout / 2, self.cfg, self.log)
        worker.pid = self.pid
        self.log.info("Booting worker with pid: %s", worker.pid)
        self.cfg.post_fork(self, worker)
        try:
            worker.init_process()
        except AppImportError as error:
            print(error, file=sys.stderr, flush=True)
            sys.exit(self.APP_LOAD_ERROR)
        except Exception:
            self.log.exception("Exception in worker process")
            sys.exit(1 if worker.booted else self.WORKER_BOOT_ERROR)
        finally:
            self._end(worker)

    def _end(self, worker: object) -> None:
        self.log.info("Worker exiting (pid: %s)", self.pid)
        try:
            self.cfg.worker_exit(self, worker)
        except Exception:  # noqa: BLE001 - as the arbiter: an end goes on
            self.log.warning("Exception during worker exit:\n%s", traceback.format_exc())
        self.cfg.on_exit(self)


def _supervised(worker_class: Any) -> Any:
    """The class with another heartbeat: the kernel ends a process that has not called for `timeout` seconds."""

    class Supervised(worker_class):  # type: ignore[misc]
        def notify(self) -> None:
            signal.alarm(self.cfg.timeout)

    return Supervised


class Server(WSGIApplication):  # type: ignore[misc]
    """gunicorn's application: it reads the arguments and the configuration."""

    def run(self) -> None:
        """Serve until told to end."""
        if self.cfg.workers == 1:
            Alone(self).run()
        elif monkey.is_module_patched("os"):
            # A fork of the zygote. An arbiter has to be a program without gevent.
            os.execv(sys.executable, [sys.executable, "-m", "local.supervisor.alone", *sys.argv[1:]])  # noqa: S606
        else:
            super().run()


def serve() -> None:
    """Serve what `sys.argv` says until told to end."""
    Server("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()


if __name__ == "__main__":
    serve()
