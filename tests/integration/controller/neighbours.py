"""The controller's neighbours as it sees them: a runtime, and the function `packages`. Tests decide what they do."""

import hashlib
import json
import select
import socket
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any, Self

SECRET = "the secret of packages"
#: Bytes of a part before it is compressed, and of an environment.
PIECE, BYTES = 4 << 20, 9 << 20
PARTS = 1 + -(-BYTES // PIECE)
#: Seconds between two looks whether a held run's caller is still there.
LOOK = 0.02


class Handler(BaseHTTPRequestHandler):
    """Reads and writes JSON documents."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str, **details: Any) -> None:
        self.answer(status, {"error": {"code": code, "message": message, "details": details}})

    def log_message(self, *_: object) -> None:
        """Tests read no log."""


class Neighbour:
    """Serves on a free port while the block lasts."""

    def __init__(self, handler: type[Handler]) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class FakeRuntime(Neighbour):
    """Does what the params say, so that a test decides when a run ends and sees how many there were.

    Params of an execution: `mark` names what the test asks about, `held`: the run ends when it is released, `fails`:
    the code of its error. The result is how often the mark has run.
    """

    def __init__(self) -> None:
        super().__init__(_runtime_handler(self))
        self.runs: Counter[str] = Counter()
        self.abandoned: Counter[str] = Counter()
        #: The parts of environments that it has.
        self.environments: dict[str, dict[int, bytes]] = {}
        self._gates: dict[str, threading.Event] = {}

    def release(self, mark: str) -> None:
        """Let the held runs of the mark end, and those to come."""
        self._gate(mark).set()

    def run(self, params: dict[str, Any], caller: socket.socket) -> int | None:
        """Return the number of a run; None: the caller has gone."""
        mark = params["mark"]
        with self._lock:
            self.runs[mark] += 1
            number = self.runs[mark]
        while params.get("held") and not self._gate(mark).wait(LOOK):
            if select.select([caller], [], [], 0)[0]:
                self.abandoned[mark] += 1
                return None
        return number

    def missing(self, digest: str | None) -> list[int]:
        """The parts of an environment that it lacks. Each has PARTS."""
        had = {} if digest is None else self.environments.get(digest, {})
        lacks = [] if digest is None else [part for part in range(PARTS) if part not in had]
        return [0] if 0 in lacks else lacks

    def _gate(self, mark: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(mark, threading.Event())


def _runtime_handler(runtime: FakeRuntime) -> type[Handler]:
    class RuntimeHandler(Handler):
        def do_GET(self) -> None:
            self.answer(200, {"status": "ok"})

        def do_POST(self) -> None:
            body = json.loads(self.body())
            if missing := runtime.missing(body.get("environment")):
                self.refuse(409, "ENVIRONMENT_NEEDED", "", missing=missing)
            elif self.path.endswith("/prepare"):
                self.answer(200, {})
            elif (number := runtime.run(body["params"], self.connection)) is None:
                self.close_connection = True
            elif (code := body["params"].get("fails")) is not None:
                status = {"RUNTIME_ERROR": 500, "TIMEOUT": 504, "RATE_LIMITED": 429}[code]
                self.refuse(status, code, f"run {number}")
            else:
                self.answer(200, {"result": number, "execution_time": 1.5, "stdout": "", "stderr": ""})

        def do_PUT(self) -> None:
            digest, part = self.path.split("/")[-2:]
            runtime.environments.setdefault(digest, {})[int(part)] = self.body()
            self.send_response(204)
            self.end_headers()

    return RuntimeHandler


class FakePackages(Neighbour):
    """Serves resolve and build. Each package resolves to its version 1.

    `slow-…` in a name: each part takes `pause` seconds.
    """

    pause = 0.1

    def __init__(self) -> None:
        super().__init__(_packages_handler(self))
        self.builds: Counter[str] = Counter()

    def resolve(self, body: dict[str, Any]) -> dict[str, Any]:
        lock = body["lock"] or "".join(
            f"{name}==1 --hash=sha256:{'0' * 64}\n" for name in sorted(body["packages"])
        )
        return {"lock": lock, "version": "3.11", "platform": "linux", "packages": _packages(lock)}

    def frames(self, lock: str) -> Iterator[bytes]:
        with self._lock:
            self.builds[lock] += 1
        packages = [package | {"bytes": BYTES, "licence": "MIT"} for package in _packages(lock)]
        told = {"bytes": BYTES, "files": 1, "built_ms": 1, "parts": PARTS, "dropped": []}
        yield json.dumps({"packages": packages, **told}).encode()
        for number in range(PARTS):
            if "slow" in lock:
                sleep(self.pause)
            yield part_of(lock, number)


def _packages(lock: str) -> list[dict[str, Any]]:
    return [{"name": line.split("==")[0], "version": "1"} for line in lock.splitlines()]


@cache
def part_of(lock: str, number: int) -> bytes:
    """A part of an environment of one file, in the form that runtimes read."""
    content = hashlib.sha256(lock.encode()).digest() * (BYTES // 32)
    if number > 0:
        return zlib.compress(content[(number - 1) * PIECE : number * PIECE], 1)
    files = [["fake_package.bin", BYTES, hashlib.sha256(content).hexdigest(), 0]]
    return zlib.compress(json.dumps({"parts": PARTS, "files": files}, separators=(",", ":")).encode())


def _packages_handler(packages: FakePackages) -> type[Handler]:
    class PackagesHandler(Handler):
        def do_POST(self) -> None:
            body = json.loads(self.body())
            if self.headers["X-Packages-Secret"] != SECRET:
                self.refuse(401, "UNAUTHORIZED", "no")
            elif self.path.endswith("/resolve"):
                self.answer(200, packages.resolve(body))
            else:
                self._stream(packages.frames(body["lock"]))

        def _stream(self, frames: Iterator[bytes]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for frame in frames:
                chunk = len(frame).to_bytes(4, "big") + frame
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    return PackagesHandler
