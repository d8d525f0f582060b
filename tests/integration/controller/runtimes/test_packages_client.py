"""PackagesClient against servers that stop early, lie about lengths and answer errors."""

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from controller.errors import InitializationFailed, InvalidRequest, RuntimeUnavailable
from controller.runtimes import packages_client
from controller.runtimes.packages_client import PackagesClient
from tests.integration.controller.neighbours import BYTES, PARTS, SECRET, FakePackages, part_of

HEAD = {"packages": [], "bytes": 1, "files": 1, "built_ms": 1, "parts": 2, "dropped": []}
Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answers each request with the same bytes, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def begin(answer: bytes) -> str:
        def work() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(1 << 16)
                    peer.sendall(answer)

        threading.Thread(target=work, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def framed(*frames: bytes) -> bytes:
    return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)


def http(status: int, body: bytes, length: int | None = None) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {length or len(body)}\r\n\r\n".encode() + body


def head(**changes: object) -> bytes:
    return json.dumps(HEAD | changes).encode()


def built(url: str, secret: str = SECRET) -> list[bytes]:
    with PackagesClient(url, secret).build("python", "a==1\n") as stream:
        return list(stream.contents)


def test_an_environment_comes_part_by_part() -> None:
    with FakePackages() as packages:
        client = PackagesClient(f"{packages.url}/", SECRET)
        resolved = client.resolve("python", ["b", "a"], ">=3", None)
        assert [package["name"] for package in resolved.packages] == ["a", "b"]
        assert (resolved.version, resolved.platform) == ("3.11", "linux")
        with client.build("python", resolved.lock) as stream:
            assert (stream.size, stream.built_ms, stream.parts) == (BYTES, 1, PARTS)
            assert list(stream.contents) == [part_of(resolved.lock, number) for number in range(PARTS)]
        with pytest.raises(RuntimeUnavailable):
            built(packages.url, "another secret of packages")


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b""),
        http(200, framed(b"no json")),
        http(200, framed(head(parts=0))),
        http(200, framed(head(parts=10**6))),
        http(200, framed(head(bytes=-1))),
        http(200, framed(head(packages=[{"name": "a\0", "version": "1", "bytes": 1}]), b"1", b"2")),
        http(200, framed(head(), b"1")),
        http(200, framed(head(), b"1", b"2", b"3")),
        http(200, framed(head(), b"1", b"2") + b"x"),
        http(200, framed(head(), b"1") + b"\x7f\xff\xff\xff"),
        http(200, framed(head(), b"1", b"2"), length=10**6),
        http(500, b"oops"),
        http(401, b"{}"),
        http(
            503,
            json.dumps({"error": {"code": "RUNTIME_UNAVAILABLE", "message": "x", "details": {}}}).encode(),
        ),
        b"no http\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_whole_environment_is_unavailable(serve: Serve, answer: bytes) -> None:
    with pytest.raises(RuntimeUnavailable) as failed:
        built(serve(answer))
    assert failed.value.retry_after == packages_client.RETRY_AFTER


def test_an_address_without_a_server_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RuntimeUnavailable):
        built(f"http://127.0.0.1:{port}")


def test_an_answer_that_does_not_end_is_unavailable(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_client, "ANSWER_MAX", 1000)
    with pytest.raises(RuntimeUnavailable):
        PackagesClient(serve(http(200, b"x" * 2000)), SECRET).resolve("python", ["a"], None, None)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INITIALIZATION_ERROR", InitializationFailed),
        (400, "INVALID_REQUEST", InvalidRequest),
        (413, "INVALID_REQUEST", InvalidRequest),
    ],
)
def test_what_is_wrong_with_the_packages_is_passed_on(
    serve: Serve, status: int, code: str, kind: type[Exception]
) -> None:
    error = {
        "code": code,
        "message": "why",
        "details": {"stage": "resolve", "diagnostics": [{"message": "x"}]},
    }
    client = PackagesClient(serve(http(status, json.dumps({"error": error}).encode())), SECRET)
    with pytest.raises(kind, match="why") as failed:
        client.resolve("python", ["a"], None, None)
    assert failed.value.status == status  # type: ignore[attr-defined]
    assert failed.value.details["diagnostics"] == [{"message": "x"}]  # type: ignore[attr-defined]
