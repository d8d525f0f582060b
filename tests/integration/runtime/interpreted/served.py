"""A runtime behind its real server, and the controller's two calls to it over HTTP."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

from local.supervisor.python_server import TEMPLATE, serving
from tests.conftest import ROOT
from tests.waiting import until

SECRET = "integration-test-secret"
HEADERS = {"X-Runtime-Secret": SECRET}
TITLE = "test"
#: Seconds for which the shutdown waits for running calls.
GRACE = 7


class Server:
    """gunicorn as `make run` starts it, on a free port; `environment` overrides the defaults."""

    def __init__(self, language: str, state: Path, environment: Mapping[str, str]) -> None:
        self.language = language
        self.state = state
        listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = ("127.0.0.1", listener.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.endpoint[1]}"
        with listener:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "--config", f"{TEMPLATE}/gunicorn_conf.py"),
                    *("--log-level", "warning", "-b", f"fd://{listener.fileno()}"),
                    f"function.runtime_{language}.handler:app",
                ],
                cwd=ROOT,
                env=serving(
                    {
                        **os.environ,
                        "RUNTIME_SECRET": SECRET,
                        "METRICS_PORT": "0",
                        "STATE_DIR": str(state),
                        "TMPDIR": str(state),
                        **environment,
                    },
                    ROOT,
                    GRACE,
                ),
                pass_fds=(listener.fileno(),),
            )
        self.get("/health")

    def get(self, path: str) -> requests.Response:
        return requests.get(self.address + path, headers=HEADERS, timeout=60)

    def post(self, path: str, body: Any, timeout: float = 60) -> requests.Response:
        return requests.post(self.address + path, json=body, headers=HEADERS, timeout=timeout)

    def prepare(self, script: str, **more: Any) -> requests.Response:
        return self.post(
            f"/runtime/{self.language}/{TITLE}/prepare",
            _reference(script) | {"script_content": script} | more,
        )

    def run(
        self, script: str, params: dict[str, Any] | None = None, *, timeout: float = 60, **more: Any
    ) -> requests.Response:
        """Run a script by its hash; `script_content` is sent only if it is given."""
        body = {"request_id": "r1", "params": params or {}, "context": {"user": "ada"}, "timeout_ms": 10_000}
        return self.post(f"/runtime/{self.language}/{TITLE}", _reference(script) | body | more, timeout)

    def fresh(self, script: str, params: dict[str, Any] | None = None, **more: Any) -> requests.Response:
        """Run a script, sending its content along."""
        return self.run(script, params, script_content=script, **more)

    def result(self, script: str, params: dict[str, Any] | None = None) -> Any:
        """Return the result of a script, which must succeed."""
        answer = self.fresh(script, params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def failure(self, script: str, code: str = "RUNTIME_ERROR", **more: Any) -> dict[str, Any]:
        """Return the error of a script, which must fail with that code; details and message in one dict."""
        error = self.fresh(script, **more).json()["error"]
        assert error["code"] == code, error
        return {"message": error["message"], **error["details"]}

    def workers(self) -> dict[str, int]:
        counts: dict[str, int] = self.get("/health").json()["workers"]
        return counts

    def terminate(self) -> None:
        """Send SIGTERM. `wait` waits for the end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all processes of gunicorn together, as a failing machine would."""
        for child in _children(self._process.pid):
            os.kill(child, signal.SIGKILL)
        self._process.kill()

    def wait(self) -> None:
        self._process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.terminate()
        self.wait()
        until(lambda: not list(self.state.glob("workers-*")), "the private folders are gone")


def _reference(script: str) -> dict[str, Any]:
    script_hash = hashlib.sha256(script.encode(errors="replace")).hexdigest()
    return {"tenant": "t1", "script_hash": script_hash, "compile_options": {}}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
