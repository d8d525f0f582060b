"""PackagesClient: the two calls to the function `packages`, resolve and build.

An environment comes as a stream of frames, of which one at a time is in memory. What `packages` says is not trusted:
it is the one part of the deployment with a way out.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NamedTuple, Self

import msgspec
from msgspec import Meta, Struct

from controller.errors import InitializationFailed, InvalidRequest, RuntimeUnavailable, ServiceError
from controller.json_codec import dumps
from controller.models.environments import Package, Resolved
from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import RequestFailed
from controller.runtimes.transport.messages import Answer, Budget, Request, header_lines

log = logging.getLogger(__name__)

#: Seconds to connect and send, then those to resolve and to build. The limits of `packages` are lower.
SEND_SECONDS, RESOLVE_SECONDS, BUILD_SECONDS = 5.0, 90.0, 300.0
#: Most bytes of a frame: a part has 8 MiB at most. And most parts, of 4 MiB before they are compressed.
FRAME_MAX, PARTS_MAX = 8 << 20, 1024
#: Most bytes of an answer that is no stream.
ANSWER_MAX = 4 << 20
#: Seconds after which a client may ask again when `packages` is busy or its registry is away.
RETRY_AFTER = 5
Size = Annotated[int, Meta(ge=0, lt=1 << 62)]


class _Document(Struct):
    @classmethod
    def of(cls, text: bytes) -> Self:
        """Read a document of `packages`. Raises RequestFailed, msgspec.DecodeError."""
        if b"\\u0000" in text:
            raise RequestFailed("a NUL, which PostgreSQL does not keep")
        return msgspec.json.decode(text, type=cls)


class _Named(Struct):
    name: str
    version: str


class _BuiltPackage(_Named):
    bytes: Size
    licence: str | None = None


class _Resolved(_Document):
    lock: str
    version: str
    platform: str
    packages: list[_Named]


class _Head(_Document):
    packages: list[_BuiltPackage]
    bytes: Size
    built_ms: Annotated[int, Meta(ge=0, lt=1 << 31)]
    parts: Annotated[int, Meta(ge=1, le=PARTS_MAX)]


class BuildStream(NamedTuple):
    """A build. `size` is the bytes of all files. `contents` yields its parts in their order."""

    packages: Sequence[Package]
    size: int
    built_ms: int
    parts: int
    contents: Iterator[bytes]


class PackagesClient:
    """Calls `packages`, each time on a new connection: calls are rare and take seconds.

    Args:
        address: base URL.
        secret: the shared secret that authenticates the controller.
    """

    def __init__(self, address: str, secret: str) -> None:
        self._endpoint = Endpoint(address)
        self._secret = header_lines({"X-Packages-Secret": secret})

    def resolve(
        self, language: str, packages: Sequence[str], requires_python: str | None, lock: str | None
    ) -> Resolved:
        """Return the canonical lock of packages, or of a given lock that satisfies them.

        Raises:
            InitializationFailed: they have no solution, or are not allowed.
            InvalidRequest: the lock is malformed, or does not satisfy them.
            RuntimeUnavailable: `packages` or its registry is away, slow or busy.
        """
        body = {"packages": list(packages), "requires_python": requires_python, "lock": lock}
        with self._asked(f"/packages/{language}/resolve", body, RESOLVE_SECONDS) as chunks:
            found = _Resolved.of(_joined(chunks))
        return Resolved(found.lock, found.version, found.platform, msgspec.to_builtins(found.packages))

    @contextmanager
    def build(self, language: str, lock: str) -> Iterator[BuildStream]:
        """Build the environment of a canonical lock. The block reads its parts.

        Raises:
            InitializationFailed: a package cannot be installed.
            RuntimeUnavailable: as `resolve` has it.
        """
        with self._asked(f"/packages/{language}/build", {"lock": lock}, BUILD_SECONDS) as chunks:
            frames = _Frames(chunks)
            head = _Head.of(frames.next())
            packages = msgspec.to_builtins(head.packages)
            yield BuildStream(packages, head.bytes, head.built_ms, head.parts, frames.rest(head.parts))

    @contextmanager
    def _asked(self, path: str, body: object, seconds: float) -> Iterator[Iterator[bytes]]:
        """Send a request. The block reads the body of its answer. Raises the error that the answer is."""
        budget = Budget.of(SEND_SECONDS, seconds)
        request = Request(path, dumps(body), constant=self._secret)
        try:
            connection = Connection(self._endpoint, budget.begun_by)
            try:
                status, chunks = connection.stream(request, budget)
                if status != 200:
                    raise _failure(path, Answer(status, _joined(chunks)))
                yield chunks
            finally:
                connection.close()
        except (RequestFailed, msgspec.DecodeError) as error:
            log.warning("no usable answer to %s: %s", path, error)
            raise away("packages cannot be installed now") from error


class _Frames:
    """Reads frames: a length of 4 bytes, and that many bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()

    def next(self) -> bytes:
        """Return the next frame. Raises RequestFailed if it is too long, or the stream ends early."""
        length = int.from_bytes(self._take(4), "big")
        if length > FRAME_MAX:
            raise RequestFailed(f"a frame of {length} bytes")
        return self._take(length)

    def rest(self, count: int) -> Iterator[bytes]:
        """Yield the rest of the stream, which is `count` frames. Raises as `next` does."""
        for _ in range(count):
            yield self.next()
        if self._buffer or any(self._chunks):
            raise RequestFailed("more bytes after the last frame")

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise RequestFailed("the stream ended early")
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def away(message: str) -> RuntimeUnavailable:
    """Return the error for packages that cannot be installed now."""
    error = RuntimeUnavailable(message)
    error.retry_after = RETRY_AFTER
    return error


def _joined(chunks: Iterator[bytes]) -> bytes:
    """Return a whole body. Raises RequestFailed if it is too long."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > ANSWER_MAX:
            raise RequestFailed("the answer is too large")
    return bytes(body)


def _failure(path: str, answer: Answer) -> ServiceError:
    """Return the error that an answer is. Only what concerns the declaration and the registry reaches the client."""
    try:
        error = json.loads(answer.body)["error"]
        code, message, details = str(error["code"]), str(error["message"]), dict(error["details"])
    except (ValueError, TypeError, KeyError, RecursionError):
        code, message, details = "", f"status {answer.status}", {}
    if code == InitializationFailed.code:
        return InitializationFailed(
            message, details={"line": None, "column": None, "diagnostics": [], **details}
        )
    if code == InvalidRequest.code and answer.status in (400, 413):
        return InvalidRequest(message, status=answer.status, details=details)
    log.warning("%s was answered %d: %s", path, answer.status, message)
    return away(message if code == RuntimeUnavailable.code else "packages cannot be installed now")
