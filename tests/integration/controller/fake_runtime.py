"""A runtime that does what the params say, so that a test decides when a run ends and sees how many there were."""

import json
import select
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.integration.controller.fake_packages import PARTS

LOOK = 0.02
"""Seconds between two looks whether a held run's caller is still there."""


class FakeRuntime:
    """Serves the controller's calls on a free port.

    Params of an execution: `mark` names what the test asks about, `held`: the run ends when it is released, `fails`:
    the code of its error. The result is how often the mark has run.
    """

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.abandoned: Counter[str] = Counter()
        #: The parts of environments that it has.
        self.environments: dict[str, dict[int, bytes]] = {}
        self._gates: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def release(self, mark: str) -> None:
        """Lets the held runs of the mark end, and those to come."""
        self._gate(mark).set()

    def run(self, params: dict[str, Any], caller: socket.socket) -> tuple[int, dict[str, Any]] | None:
        """A run's answer; None: the caller has gone."""
        mark = params["mark"]
        with self._lock:
            self.runs[mark] += 1
            number = self.runs[mark]
        while params.get("held") and not self._gate(mark).wait(LOOK):
            if select.select([caller], [], [], 0)[0]:
                self.abandoned[mark] += 1
                return None
        if "fails" not in params:
            return 200, {"result": number, "execution_time": 1.5, "stdout": "", "stderr": ""}
        status = {"RUNTIME_ERROR": 500, "TIMEOUT": 504, "RATE_LIMITED": 429}[params["fails"]]
        return status, {"error": {"code": params["fails"], "message": f"run {number}", "details": {}}}

    def missing(self, digest: str | None) -> list[int]:
        """The parts of an environment that it lacks. Each has PARTS."""
        had = {} if digest is None else self.environments.get(digest, {})
        lacks = [] if digest is None else [part for part in range(PARTS) if part not in had]
        return [0] if 0 in lacks else lacks

    def _gate(self, mark: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(mark, threading.Event())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(runtime: FakeRuntime) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, {"status": "ok"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if missing := runtime.missing(body.get("environment")):
                details = {"missing": missing}
                self._answer(
                    409, {"error": {"code": "ENVIRONMENT_NEEDED", "message": "", "details": details}}
                )
            elif self.path.endswith("/prepare"):
                self._answer(200, {})
            elif (answer := runtime.run(body["params"], self.connection)) is not None:
                self._answer(*answer)
            else:
                self.close_connection = True

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            digest, part = self.path.split("/")[-2:]
            runtime.environments.setdefault(digest, {})[int(part)] = content
            self.send_response(204)
            self.end_headers()

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests read no log."""

    return Handler
