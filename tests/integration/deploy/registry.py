"""A registry of images on loopback: what the distribution specification asks of one that only answers."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from local.supervisor.ports import LOOPBACK

INDEX = "application/vnd.oci.image.index.v1+json"


class Registry:
    """Serves one index of manifests for each `name:tag`. A context manager."""

    def __init__(self) -> None:
        registry = self
        self.indexes: dict[str, bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def do_HEAD(self) -> None:
                registry.answer(self)

            def log_message(self, *_: Any) -> None:
                """Silent: what was asked is not what is tested."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)
        self.host = f"{LOOPBACK}:{self._server.server_port}"

    def put(self, name: str, tag: str) -> str:
        """Make a tag; returns the digest it stands for."""
        platform = {"architecture": "amd64", "os": "linux", "variant": tag}
        manifest = {"mediaType": INDEX, "size": 1, "digest": f"sha256:{'0' * 64}", "platform": platform}
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}).encode()
        self.indexes[f"/v2/{name}/manifests/{tag}"] = index
        return f"sha256:{hashlib.sha256(index).hexdigest()}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        index = b"{}" if request.path == "/v2/" else self.indexes.get(request.path)
        request.send_response(404 if index is None else 200)
        request.send_header("Content-Type", INDEX)
        request.send_header("Content-Length", str(len(index or b"")))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(index or b"")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
