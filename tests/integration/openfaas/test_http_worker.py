"""The template's HTTP server, tested with raw bytes: requests, errors, responses, shutdown."""

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.openfaas.http_server import (
    CLOSE,
    HOST,
    TIMEOUT,
    HttpServer,
    answers,
    body_of,
    everything,
    read_one,
    seen,
    serving,
    status_of,
)
from tests.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """The server that the tests share."""
    with serving(tmp_path_factory.mktemp("server") / "log") as served:
        yield served


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[HttpServer]:
    """A server that the test may end."""
    with serving(tmp_path / "log") as served:
        yield served


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "another coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "HTTP/2": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "another expectation": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Expect: luck\r\nContent-Length: 1\r\n\r\na",
        417,
    ),
    "too long a body": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 70000000\r\n\r\n", 413),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_invalid_request_is_refused_in_the_contracts_form(server: HttpServer, case: str) -> None:
    request, status = REFUSED[case]
    answer = server.send(request)
    assert status_of(answer) == status
    assert seen(answer)["error"]["code"] == "INVALID_REQUEST"
    assert server.ask("/")[0] == 200


def test_the_application_gets_the_complete_request(server: HttpServer) -> None:
    body = bytes(range(256)) * 4096
    head = (
        b"PUT /a%20b/%C3%BC?x=1&y=%2F HTTP/1.1\r\n"
        + HOST
        + CLOSE
        + b"X-One: 1\r\nx-one: 2\r\nX_One: 3\r\nCookie: a=1\r\n"
        b"Cookie: b=2\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    answer = seen(server.send(head + body))
    assert (answer["method"], answer["query"]) == ("PUT", "x=1&y=%2F")
    assert answer["path"].encode("latin-1").decode() == "/a b/ü"
    assert answer["digest"] == hashlib.sha256(body).hexdigest()
    assert answer["headers"]["HTTP_X_ONE"] == "1,2"
    assert answer["headers"]["HTTP_COOKIE"] == "a=1; b=2"


def test_a_chunked_body_gets_a_length_and_no_trailers(server: HttpServer) -> None:
    request = (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: a\r\nX-Second: b\r\n\r\n"
    )
    with server.connect() as client:
        client.sendall(request)
        first = read_one(client)
        # The last trailer must not show up in the request that follows either.
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
        second = seen(everything(client))
    assert (first["length"], first["digest"]) == ("5", hashlib.sha256(b"abcde").hexdigest())
    assert set(first["headers"]) == set(second["headers"]) - {"HTTP_CONNECTION"} == {"HTTP_HOST"}


def test_a_client_that_expects_100_continue_gets_it(server: HttpServer) -> None:
    with server.connect() as client:
        client.sendall(
            b"POST / HTTP/1.1\r\n" + HOST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert seen(everything(client))["digest"] == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/stream", b"4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n"), ("/announced", b"one,two"),
     ("/written", b"8\r\nwritten,\r\n8\r\nreturned\r\n0\r\n\r\n"), ("/nothing", b""), ("/short", b"one,")],
)  # fmt: skip
def test_answers_in_parts(server: HttpServer, path: str, body: bytes) -> None:
    answer = server.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert body_of(answer) == body


def test_a_body_longer_than_announced_is_cut(server: HttpServer) -> None:
    answer = server.send(b"GET /long HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert body_of(answer) == b"one,"


def test_a_response_that_fails_in_the_middle_is_incomplete(server: HttpServer) -> None:
    answer = server.send(b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n")
    assert body_of(answer) == b"4\r\none,\r\n"
    with pytest.raises(ConnectionResetError):
        server.send(b"GET /broken HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("path", ["/stream", "/announced", "/nothing", "/large"])
def test_the_request_after_a_head_request_is_answered(server: HttpServer, path: str) -> None:
    received = server.send(
        f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n".encode() + HOST + CLOSE + b"\r\n"
    )
    first, second = answers(received, "HEAD")
    assert (first.body, json.loads(second.body)["path"]) == (b"", "/")


def test_http_1_0_gets_no_chunks_and_may_keep_its_connection(server: HttpServer) -> None:
    assert body_of(server.send(b"GET /stream HTTP/1.0\r\n\r\n")) == b"one,two"
    answer = server.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"Connection: keep-alive") == 1


def test_head_has_the_length_and_no_body(server: HttpServer) -> None:
    answer = server.send(b"HEAD /announced HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert b"Content-Length: 7\r\n" in answer
    assert body_of(answer) == b""


def test_connection_headers_of_the_application_are_left_out(server: HttpServer) -> None:
    answer = server.send(b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert b"Connection: close" in answer
    assert b"Connection: x" not in answer
    assert b"Server:" not in answer


@pytest.mark.parametrize("path", ["/fail", "/split", "/silent", "/twice"])
def test_a_failing_application_is_a_500_without_details(server: HttpServer, path: str) -> None:
    status, body = server.ask(path)
    assert (status, json.loads(body)["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in body
    until(lambda: "the application failed" in server.log.read_text(), "the failure is in the log")
    assert server.ask("/")[0] == 200


def test_an_idle_connection_is_closed_after_keepalive(server: HttpServer) -> None:
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        read_one(client)
        assert client.recv(1) == b""


def test_a_disconnected_client_is_detected(server: HttpServer, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with server.connect() as client:
        client.sendall(f"GET /hold?{note} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    until(note.exists, "the application hears of it")
    server.ask("/release")


def test_a_client_that_does_not_read_does_not_delay_others(server: HttpServer) -> None:
    with server.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
        assert server.ask("/")[0] == 200
        assert len(body_of(everything(client))) == 8 << 20


def test_the_end_finishes_requests_and_closes_idle_connections(own_server: HttpServer) -> None:
    server = own_server
    with server.connect() as busy, server.connect() as idle, server.connect() as late:
        busy.sendall(b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n")
        idle.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        read_one(idle)
        late.sendall(b"GET /rel")
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        # Begun before the end, and so still served.
        late.sendall(b"ease HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"Connection: close" in everything(late)
        answer = everything(busy)
    assert body_of(answer) == b"released"
    assert b"Connection: close" in answer
    assert server.process.wait(TIMEOUT) == 0
