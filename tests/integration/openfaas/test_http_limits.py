"""The limits of one client of the template's server: sizes and times."""

import json
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.openfaas.http_server import (
    CLOSE,
    HOST,
    HttpServer,
    answers,
    everything,
    read_one,
    seen,
    serving,
    status_of,
)
from tests.waiting import until

GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server with short timeouts."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, "wsgi_app.ImpatientWorker") as served:
        yield served


@pytest.fixture(scope="module")
def announcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server with an application that accepts a thousand bytes."""
    with serving(tmp_path_factory.mktemp("server") / "log", app="wsgi_app:announcing") as served:
        yield served


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 4100 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"a" * 4100, 414),
        (GET + b"X-A: b\r\n" * 101 + b"\r\n", 431),
        (GET + b"X-A: " + b"b" * 8200 + b"\r\n\r\n", 431),
        (GET + b"X-A: " + b"b" * 40_000, 431),
        (GET + (b"X-A: " + b"b" * 4000 + b"\r\n") * 10 + CLOSE + b"\r\n", 431),
    ],
    ids=["a target", "half a target", "fields", "a field", "half a field", "a head"],
)
def test_heads(server: HttpServer, request_: bytes, status: int) -> None:
    answer = server.send(request_)
    assert (status_of(answer), seen(answer)["error"]["code"]) == (status, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "rest",
    [
        b"1;" + b"a" * 100_000,
        b"1\r\na\r\n" + b"1;%b\r\na\r\n" % (b"e" * 2000) * 100,
        b"0\r\n" + b"X-T: 1\r\n" * 102,
        b"0\r\nX-T: " + b"a" * 100_000,
    ],
    ids=["an extension", "extensions", "trailers", "a trailer"],
)
def test_the_framing_of_chunks_is_limited(server: HttpServer, rest: bytes) -> None:
    assert status_of(server.send(CHUNKED + rest)) in {400, 431}


def test_a_body_in_chunks_of_one_byte_is_accepted(server: HttpServer) -> None:
    (answer,) = answers(server.send(CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n")
                                    + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"))  # fmt: skip
    assert json.loads(answer.body)["length"] == "20000"


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_is_too_long_is_refused_after_the_head(server: HttpServer, expect: bytes) -> None:
    answer = server.send(POST + expect + b"Content-Length: 70000000\r\n\r\n")
    assert (status_of(answer), seen(answer)["error"]["message"]) == (413, "the body is too large")


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_an_application_with_a_limit_refuses_by_itself(announcing: HttpServer, expect: bytes) -> None:
    answer = announcing.send(POST + expect + b"Content-Length: 1001\r\n\r\n")
    assert status_of(answer) == 413
    assert b"X-Own: words\r\n" in answer and b"Connection: close\r\n" in answer
    assert answer.endswith(b"too much")
    fitting = announcing.send(POST + CLOSE + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert seen(fitting)["length"] == "1000"


def test_an_application_reads_no_chunks_beyond_its_limit(announcing: HttpServer) -> None:
    with announcing.connect() as client:
        client.sendall(CHUNKED + b"400\r\n" + b"x" * 1024)
        assert status_of(client.recv(1000)) == 413


def test_a_client_that_is_refused_while_sending_reads_the_error(announcing: HttpServer) -> None:
    with announcing.connect() as client:
        client.sendall(POST + b"Content-Length: %d\r\n\r\n" % MEBIBYTE + b"x" * MEBIBYTE)
        assert status_of(everything(client)) == 413


@pytest.mark.parametrize(
    ("beginning", "dribble"),
    [
        (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n"),
        (POST + b"Content-Length: 100000\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (POST + b"Content-Length: 1\r\n\r\n", b""),
    ],
    ids=["head", "body", "chunks", "nothing"],
)
def test_a_slow_request_times_out(server: HttpServer, beginning: bytes, dribble: bytes) -> None:
    with server.connect() as client:
        client.sendall(beginning)
        client.settimeout(0.1)
        began, answer = time.monotonic(), b""
        while not answer and time.monotonic() - began < 60:
            client.sendall(dribble)
            try:
                answer = client.recv(1000)
            except TimeoutError:
                continue
    assert (status_of(answer), seen(answer)["error"]["code"]) == (408, "INVALID_REQUEST")
    assert time.monotonic() - began > 0.4


def test_a_large_body_has_more_time(server: HttpServer) -> None:
    """Send at four times the minimum rate, for longer than a small body may take."""
    with server.connect() as client:
        client.sendall(POST + CLOSE + b"Content-Length: 6000\r\n\r\n")
        for _ in range(15):
            client.sendall(b"x" * 400)
            time.sleep(0.1)  # the rate is what is tested
        assert seen(everything(client))["length"] == "6000"


def test_an_idle_connection_that_sends_empty_lines_is_closed(server: HttpServer) -> None:
    with server.connect() as client:
        client.settimeout(0.1)
        began, received = time.monotonic(), None
        while received is None and time.monotonic() - began < 60:
            try:
                client.sendall(b"\r\n")
                received = client.recv(100)
            except TimeoutError:
                continue
            except OSError:
                received = b""
        assert received == b""


def test_a_response_that_is_not_read_times_out(server: HttpServer, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"GET /endless?{note} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(note.exists, "the iterator is closed", 60)


def test_a_full_worker_closes_idle_connections_for_new_ones(tmp_path: Path) -> None:
    settings = ("--worker-connections", "8", "--keep-alive", "60")
    with serving(tmp_path / "log", settings=settings) as server:
        idle = [server.connect() for _ in range(8)]
        for client in idle:
            client.sendall(GET + b"\r\n")
            read_one(client)
        until(lambda: server.ask("/")[0] == 200, "another one is answered")
        until(lambda: bool(select.select(idle, [], [], 0)[0]), "one of them was ended")
        for client in idle:
            client.close()


def test_the_access_log_has_a_line_for_each_request(tmp_path: Path) -> None:
    settings = ("--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(B)s")
    with serving(tmp_path / "log", settings=settings) as server:
        server.ask("/nothing")
        server.ask("/stream")
        server.ask("/fail")
        server.send(b"nonsense\r\n\r\n")
        wanted = ("GET /nothing 204 0", "GET /stream 200 7", "GET /fail 500 0", "- - 400 0")
        until(lambda: all(line in server.log.read_text() for line in wanted), "all are told")


def test_the_access_log_is_off_by_default(server: HttpServer) -> None:
    server.ask("/untold")
    assert "/untold" not in server.log.read_text()
