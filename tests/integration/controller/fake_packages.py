"""The function `packages` as the controller sees it: what a package is called decides what happens."""

import hashlib
import json
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


class FakePackages:
    """Serves resolve and build on a free port. Each package resolves to its version 1.

    Names: `held-…`: the build ends when it is released; `cut-…`: each stream ends early; `broken-…`: it has no wheel;
    `slow-…`: each part takes `pause` seconds.
    """

    pause = 0.1

    def __init__(self) -> None:
        self.builds: Counter[str] = Counter()
        self.resolved: Counter[str] = Counter()
        self._gate = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def release(self) -> None:
        """Lets the held builds end, and those to come."""
        self._gate.set()

    def resolve(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        names = sorted(body["packages"])
        with self._lock:
            self.resolved.update(names)
        if any(name.startswith("broken") for name in names):
            details = {"stage": "resolve", "diagnostics": [{"message": "no wheel"}]}
            return 400, {"error": {"code": "INITIALIZATION_ERROR", "message": "no wheel", "details": details}}
        lock = body["lock"] or "".join(f"{name}==1 --hash=sha256:{'0' * 64}\n" for name in names)
        packages = [{"name": line.split("==")[0], "version": "1"} for line in lock.splitlines()]
        return 200, {"lock": lock, "version": "3.11", "platform": "linux", "packages": packages}

    def frames(self, lock: str) -> Iterator[bytes]:
        with self._lock:
            self.builds[lock] += 1
        if "held" in lock:
            self._gate.wait()
        packages = [
            {"name": line.split("==")[0], "version": "1", "bytes": BYTES, "licence": "MIT"}
            for line in lock.splitlines()
        ]
        head = {
            "packages": packages,
            "bytes": BYTES,
            "files": 1,
            "built_ms": 1,
            "parts": PARTS,
            "dropped": [],
        }
        yield json.dumps(head).encode()
        for number in range(PARTS):
            if "cut" in lock and number == 2:
                return
            if "slow" in lock:
                sleep(self.pause)
            yield part_of(lock, number)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


@cache
def part_of(lock: str, number: int) -> bytes:
    """A part of an environment of one file, in the form that runtimes read."""
    content = hashlib.sha256(lock.encode()).digest() * (BYTES // 32)
    if number > 0:
        return zlib.compress(content[(number - 1) * PIECE : number * PIECE], 1)
    files = [["fake_package.bin", BYTES, hashlib.sha256(content).hexdigest(), 0]]
    return zlib.compress(json.dumps({"parts": PARTS, "files": files}, separators=(",", ":")).encode())


def _handler(packages: FakePackages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["X-Packages-Secret"] != SECRET:
                error = {"code": "UNAUTHORIZED", "message": "no", "details": {}}
                self._answer(401, json.dumps({"error": error}).encode())
            elif self.path.endswith("/resolve"):
                status, document = packages.resolve(body)
                self._answer(status, json.dumps(document).encode())
            else:
                self._stream(packages.frames(body["lock"]))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, frames: Iterator[bytes]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for frame in frames:
                chunk = len(frame).to_bytes(4, "big") + frame
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Tests read no log."""

    return Handler
