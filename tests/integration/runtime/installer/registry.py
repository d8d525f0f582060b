"""A registry on loopback for uv (JSON of the simple API) and npm, which may misbehave, and packages for it."""

import base64
import gzip
import hashlib
import io
import json
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

#: A file's content, alone or with its mode.
Content = bytes | tuple[bytes, int]


def wheel(
    name: str,
    version: str,
    files: Mapping[str, Content],
    *,
    requires: tuple[str, ...] = (),
    more: Mapping[str, Content] | None = None,
) -> bytes:
    """A wheel. `more` are entries that its RECORD does not list."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    listed: dict[str, Content] = {
        **files,
        f"{info}/METADATA": ("\n".join(metadata) + "\n").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*listed, f"{info}/RECORD"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**listed, f"{info}/RECORD": record.encode(), **(more or {})}.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (mode if stat.S_IFMT(mode) else mode | stat.S_IFREG) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return made.getvalue()


def tarball(
    manifest: Mapping[str, Any],
    files: Mapping[str, Content],
    links: Mapping[str, tuple[bytes, str]] | None = None,
) -> bytes:
    """An npm tarball. `links` have a type of tarfile and a target by path."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in {"package/package.json": json.dumps(manifest).encode(), **files}.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
        for path, (kind, target) in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
    return gzip.compress(made.getvalue())


def integrity(content: bytes) -> str:
    """The hash of a tarball, as npm has it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


OLD, LATER = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
_JSON = "application/vnd.pypi.simple.v1+json"
_TREES = "/-/files/"


class Registry:
    """What is published, and how it is served.

    Attributes:
        fault: How files are served: "" well; `stalls`, `longer` than it says, `shorter`, `dies`; `away`: status 503.
        paths: The paths that were asked for.
        authorization: The header that a request must have; None: any.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.paths: list[str] = []
        self.authorization: str | None = None
        self.seen_authorization: set[str | None] = set()
        self.files: dict[str, bytes] = {}
        self.wheels: dict[str, list[tuple[str, str, str]]] = {}
        self.packages: dict[str, dict[str, dict[str, Any]]] = {}
        self.times: dict[str, dict[str, str]] = {}
        self.released = threading.Event()
        self.url = ""

    def add_wheel(self, name: str, version: str, content: bytes, uploaded: str = OLD) -> None:
        """Publish a wheel."""
        self._add_file(name, f"{name}-{version}-py3-none-any.whl", content, uploaded)

    def add_source(self, name: str, version: str) -> None:
        """Publish a version without a wheel."""
        self._add_file(name, f"{name}-{version}.tar.gz", b"no archive", OLD)

    def add_package(
        self, name: str, version: str, content: bytes, uploaded: str = OLD, **manifest: Any
    ) -> None:
        """Publish an npm package."""
        path = f"{_TREES}{name.replace('/', '-')}-{version}.tgz"
        self.files[path] = content
        dist = {"tarball": f"{self.url}{path}", "integrity": integrity(content)}
        self.packages.setdefault(name, {})[version] = {
            "name": name,
            "version": version,
            "dist": dist,
            **manifest,
        }
        self.times.setdefault(name, {})[version] = uploaded

    def replace(self, part: str, content: bytes) -> None:
        """Serve other bytes for the file with `part` in its name, and say nothing of it."""
        [path] = [each for each in self.files if part in each]
        self.files[path] = content

    def _add_file(self, name: str, file: str, content: bytes, uploaded: str) -> None:
        self.files[f"{_TREES}{file}"] = content
        self.wheels.setdefault(name, []).append((file, hashlib.sha256(content).hexdigest(), uploaded))

    def document(self, path: str) -> tuple[str, dict[str, Any]] | None:
        """The answer to a path that is no file, with its type."""
        name = unquote(path).strip("/").removeprefix("simple/")
        if path.startswith("/simple/") and name in self.wheels:
            files = [
                {
                    "filename": file,
                    "url": f"{_TREES}{file}",
                    "hashes": {"sha256": digest},
                    "upload-time": uploaded,
                }
                for file, digest, uploaded in self.wheels[name]
            ]
            versions = sorted(
                {file.split("-")[1].removesuffix(".tar.gz") for file, _, _ in self.wheels[name]}
            )
            return _JSON, {
                "meta": {"api-version": "1.1"},
                "name": name,
                "versions": versions,
                "files": [{**one, "size": len(self.files[f"{_TREES}{one['filename']}"])} for one in files],
            }
        if name in self.packages:
            versions_of = self.packages[name]
            return "application/json", {
                "name": name,
                "dist-tags": {"latest": list(versions_of)[-1]},
                "versions": versions_of,
                "time": self.times[name],
            }
        return None


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def handle_one_request(self) -> None:
        """Serve a request. A job that was ended reads no more of the answer."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        registry = self.registry
        registry.paths.append(self.path)
        given = self.headers["Authorization"]
        registry.seen_authorization.add(given)
        if registry.authorization not in (None, given):
            self.send_error(401)
        elif registry.fault == "away":
            self.send_error(503)
        elif content := registry.files.get(self.path):
            self._send_file(content)
        elif found := registry.document(self.path):
            kind, document = found
            self._send(kind, json.dumps(document).encode())
        else:
            self.send_error(404)

    def _send(self, kind: str, content: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def do_HEAD(self) -> None:
        content = self.registry.files.get(self.path, b"")
        self._send("application/octet-stream", b"", len(content))

    def _send_file(self, content: bytes) -> None:
        kind = "application/octet-stream"
        match self.registry.fault:
            case "stalls":
                self._send(kind, content[: len(content) // 2], len(content))
                self.wfile.flush()
                self.registry.released.wait()
            case "longer":
                self._send(kind, content, len(content) * 2)
            case "shorter":
                self._send(kind, content, len(content) // 2)
            case "dies":
                self._send(kind, content[: len(content) // 2], len(content))
        if self.registry.fault:
            self.close_connection = True
        else:
            self._send(kind, content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[Registry]:
    """A registry that answers as long as the block runs."""
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    server.daemon_threads = True
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield registry
    finally:
        registry.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
