"""A small Kubernetes API server: one collection, list and watch.

Its paths, frames and errors are those of the documentation, not what any client sends:
- kubernetes.io/docs/reference/using-api/api-concepts, "Efficient detection of changes", "Watch bookmarks" and
  "410 Gone responses": a list carries `metadata.resourceVersion`; a watch is a chunked answer, one JSON object after
  the other, `{"type": ..., "object": ...}` with the types ADDED, MODIFIED, DELETED, BOOKMARK and ERROR; a bookmark's
  object has nothing but its `resourceVersion`; a version that is too old is 410, as the answer's status or as an
  ERROR whose object is a `Status`.
- kubernetes.io/docs/reference/kubernetes-api/common-definitions/status for `Status`, and
  kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1 for path and objects.
"""

import json
import queue
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

TOKEN = "service-account-token"
NAMESPACE = "openfaas-fn"
PATH = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"

END = object()
"""Ends a watch in an orderly way, as its `timeoutSeconds` does."""
BREAK = object()
"""Breaks the connection in the middle of a chunk."""


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


EXPIRED = status(410, "Expired", "too old resource version: 1 (9)")


class ApiServer:
    """Serves `slices` at `version`; a test puts frames on the watch that is open.

    `lists` counts the lists; `watches` has the query of every watch. `refusals` are answered, one each, before
    anything else is.
    """

    def __init__(self, port: int = 0) -> None:
        self.authority = trustme.CA()
        self.slices: list[dict[str, Any]] = []
        self.version = "1000"
        self.lists = 0
        self.watches: list[dict[str, str]] = []
        self.refusals: list[dict[str, Any]] = []
        self._frames: queue.Queue[object] = queue.Queue()
        self._server: ThreadingHTTPServer | None = None
        self.start(port)

    @property
    def port(self) -> int:
        return self._port

    def start(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"api": self})
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._server, self._port = server, server.server_port

    def stop(self) -> None:
        """Goes away; the watch that is open breaks."""
        if self._server is not None:
            self.send(BREAK)
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def send(self, frame: object) -> None:
        """On the watch that is open, or the next one."""
        self._frames.put(frame)

    def event(self, kind: str, changed: dict[str, Any]) -> None:
        self.send({"type": kind, "object": changed})

    def next_frame(self) -> object:
        return self._frames.get()


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        # The scheme's case does not matter: RFC 9110, 11.1.
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if (scheme.lower(), token) != ("bearer", TOKEN):
            self._answer(401, status(401, "Unauthorized", "Unauthorized"))
        elif url.path != PATH or query.get("labelSelector") != "lambda-microservice/language":
            self._answer(404, status(404, "NotFound", "the server could not find the requested resource"))
        elif self.api.refusals:
            refusal = self.api.refusals.pop(0)
            self._answer(refusal["code"], refusal)
        elif query.get("watch", "").lower() in {"1", "true"}:
            self.api.watches.append(query)
            self._watch()
        else:
            self.api.lists += 1
            kind = {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1"}
            metadata = {"resourceVersion": self.api.version}
            self._answer(200, {**kind, "metadata": metadata, "items": self.api.slices})

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (frame := self.api.next_frame()) is not END:
            if frame is BREAK:
                self.wfile.write(b'1000\r\n{"type": "ADD')
                self.close_connection = True
                return
            line = frame if isinstance(frame, bytes) else json.dumps(frame).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, code: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the one above
        pass
