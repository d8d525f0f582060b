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
import ssl
import threading
from collections import deque
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

TOKEN = "service-account-token"
NAMESPACE = "openfaas-fn"
PATH = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
LABEL = "lambda-microservice/language"
KIND = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1"}

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
FORBIDDEN = status(403, "Forbidden", "endpointslices.discovery.k8s.io is forbidden")


class ApiServer:
    """Serves the slices that were put, and remembers every change.

    `lists` counts the lists; `watches` has the query of every watch. `refusals` are answered, one each, before
    anything else is.
    """

    def __init__(self, port: int = 0) -> None:
        self.authority = trustme.CA()
        self.lists = 0
        self.watches: list[dict[str, str]] = []
        self.refusals: list[dict[str, Any]] = []
        self.permitted = True
        self._version = 1000
        self._oldest = 0
        self._slices: dict[str, dict[str, Any]] = {}
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._frames: deque[object] = deque()
        self._news = threading.Condition()
        self._open_watches = 0
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

    def disappear(self) -> None:
        """Breaks the watch that is open, and accepts no connection."""
        server, self._server = self._server, None
        if server is not None:
            with self._news:
                self._news.notify_all()
                self._news.wait_for(lambda: not self._open_watches)
            server.shutdown()
            server.server_close()

    def reappear(self) -> None:
        self.start(self._port)

    def put(self, changed: dict[str, Any]) -> int:
        """Creates or replaces a slice. Returns its new version."""
        name = changed["metadata"]["name"]
        kinds = {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}
        with self._news:
            before, after = _is_labelled(self._slices.get(name)), _is_labelled(changed)
            self._slices[name] = self._record(kinds.get((before, after)), deepcopy(changed))
            return self._version

    def delete(self, name: str) -> None:
        with self._news:
            self._record("DELETED", self._slices.pop(name))

    def bookmark(self) -> int:
        """Tells the open watch, or the next one, of a version that other resources brought. Returns the version."""
        self._version += 1000
        metadata = {"resourceVersion": str(self._version)}
        self.send({"type": "BOOKMARK", "object": {**KIND, "metadata": metadata}})
        return self._version

    def end_watch(self) -> None:
        self.send(END)

    def forget(self) -> None:
        """Knows no change any more, only the slices as they are now."""
        self._oldest = self._version

    def forbid(self) -> None:
        self.permitted = False

    def permit(self) -> None:
        self.permitted = True

    def send(self, frame: object) -> None:
        """Sends a frame, whatever it is, on the watch that is open, or on the next one."""
        with self._news:
            self._frames.append(frame)
            self._news.notify_all()

    @property
    def reachable(self) -> bool:
        return self._server is not None

    def list(self) -> dict[str, Any]:
        with self._news:
            self.lists += 1
            items = [one for one in self._slices.values() if _is_labelled(one)]
            kind = {**KIND, "kind": "EndpointSliceList"}
            return {**kind, "metadata": {"resourceVersion": str(self._version)}, "items": items}

    def open_watch(self, query: dict[str, str]) -> None:
        with self._news:
            self._open_watches += 1
        self.watches.append(query)

    def close_watch(self) -> None:
        with self._news:
            self._open_watches -= 1
            self._news.notify_all()

    def next_frame(self, since: int) -> tuple[int, object]:
        """Waits for what comes after the version `since`. Returns it with the version to go on from."""
        with self._news:
            while True:
                if not self.reachable:
                    return since, BREAK
                if since < self._oldest:
                    self._frames.appendleft(END)
                    return self._version, {"type": "ERROR", "object": EXPIRED}
                for version, event in self._events:
                    if version > since:
                        return version, event
                if self._frames:
                    return since, self._frames.popleft()
                self._news.wait()

    def _record(self, kind: str | None, changed: dict[str, Any]) -> dict[str, Any]:
        """Gives the slice a new version, and tells the watches unless they do not select it."""
        self._version += 1
        stored = {**changed, "metadata": {**changed["metadata"], "resourceVersion": str(self._version)}}
        if kind is not None:
            self._events.append((self._version, {"type": kind, "object": stored}))
            self._news.notify_all()
        return stored


def _is_labelled(one: dict[str, Any] | None) -> bool:
    return one is not None and LABEL in one["metadata"]["labels"]


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.api.reachable:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        # The scheme's case does not matter: RFC 9110, 11.1.
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if (scheme.lower(), token) != ("bearer", TOKEN):
            self._answer(401, status(401, "Unauthorized", "Unauthorized"))
        elif url.path != PATH or query.get("labelSelector") != LABEL:
            self._answer(404, status(404, "NotFound", "the server could not find the requested resource"))
        elif self.api.refusals:
            refusal = self.api.refusals.pop(0)
            self._answer(refusal["code"], refusal)
        elif not self.api.permitted:
            self._answer(403, FORBIDDEN)
        elif query.get("watch", "").lower() in {"1", "true"}:
            self.api.open_watch(query)
            try:
                self._watch(int(query["resourceVersion"]))
            finally:
                self.api.close_watch()
        else:
            self._answer(200, self.api.list())

    def _watch(self, since: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            since, frame = self.api.next_frame(since)
            if frame is END:
                break
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
