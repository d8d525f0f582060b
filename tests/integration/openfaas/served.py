"""A function that is served: by gunicorn as the template starts it, with or without the of-watchdog before it."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests

from local.supervisor.ports import free_port
from tests.integration.openfaas.build import clean_environment
from tests.waiting import until

FPROCESS = "gunicorn --config gunicorn_conf.py host:app"
STOP_TIMEOUT = 20


class Served:
    """The process that answers for one build folder. A context manager: ready when entered, gone when left.

    Args:
        context: the build folder.
        environment: the function's own Python environment.
        scratch: for its temporary files, its log and the file that says it is ready.
        variables: what stack.yml would set.
        watchdog: the program that starts the function; without it the function is started directly.
    """

    def __init__(
        self,
        context: Path,
        environment: Path,
        scratch: Path,
        variables: Mapping[str, str] | None = None,
        watchdog: Path | None = None,
    ) -> None:
        self._context = context
        self._watchdog = watchdog
        self._scratch = scratch
        self.log = scratch / "log"
        self.lock = scratch / ".lock"
        upstream, port, metrics = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port if watchdog else upstream}"
        self._variables = clean_environment(environment) | {
            "TMPDIR": str(scratch),
            "PYTHONUNBUFFERED": "1",
            "mode": "http",
            "fprocess": FPROCESS,
            "upstream_url": f"http://127.0.0.1:{upstream}",
            "suppress_lock": "true",
            "prefix_logs": "false",
            "log_buffer_size": "-1",
            "port": str(port),
            "metrics_port": str(metrics),
            "healthcheck_interval": "100ms",
            **(variables or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it without waiting until it is ready."""
        # The watchdog, too, splits at single spaces and knows no quotes.
        command = ["python", "init.py", str(self._watchdog)] if self._watchdog else FPROCESS.split(" ")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self._context, env=self._variables, stdout=log, stderr=subprocess.STDOUT
            )
        return self.process

    def ready(self) -> bool:
        """As Kubernetes asks: the watchdog's health, or the file it goes by."""
        assert self.process is not None and self.process.poll() is None, self.log.read_text()
        return self.health() == 200 if self._watchdog else self.lock.exists()

    def health(self) -> int | None:
        """The watchdog's status; None while it does not listen."""
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/_/health", timeout=5).status_code
        return None

    def stop(self) -> int:
        """Ends it as Kubernetes does and returns its status."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        try:
            until(self.ready, f"{self._context.name} is ready")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


Serve = Callable[..., Served]
"""Makes a function ready to be started: its name, the library it is built on, and its variables."""
