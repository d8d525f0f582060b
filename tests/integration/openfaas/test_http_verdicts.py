"""Requests that are barely valid HTTP, or not valid, and how the template's server answers them.

After each the same connection gets a request for /canary: a server that is wrong about where a request ends does not
see it as it was sent.
"""

import hashlib
import json
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.integration.openfaas.http_server import TIMEOUT, answers, everything, serving

CANARY = b"GET /canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HOST = b"Host: localhost\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"

BAD = ["400"]


class Case(NamedTuple):
    """The bytes sent, and the outcome: an answered request as "METHOD path length", a refusal as a status."""

    sent: bytes
    told: list[str]


def answered(*requests: str) -> list[str]:
    """Return the outcomes, and then that of the canary."""
    return [*requests, "GET /canary 0"]


CASES = {
    # What is HTTP.
    "plain": Case(GET + b"\r\n", answered("GET / 0")),
    "two at once": Case((GET + b"\r\n") * 2, answered("GET / 0", "GET / 0")),
    "a HEAD before another": Case(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", answered("200")),
    "empty lines before it": Case(b"\r\n\r\n" + GET + b"\r\n", answered("GET / 0")),
    "no space after the colon": Case(b"GET / HTTP/1.1\r\nhost:localhost\r\n\r\n", answered("GET / 0")),
    "an empty value": Case(GET + b"X-A:\r\n\r\n", answered("GET / 0")),
    "bytes beyond ASCII in a value": Case(GET + b"X-A: \xff\xe9\r\n\r\n", answered("GET / 0")),
    "a length": Case(POST + b"Content-Length: 3\r\n\r\nabc", answered("POST / 3")),
    "a length of nothing": Case(POST + b"Content-Length: 0\r\n\r\n", answered("POST / 0")),
    "a length with noughts": Case(POST + b"Content-Length: 003\r\n\r\nabc", answered("POST / 3")),
    "a GET with a body": Case(GET + b"Content-Length: 3\r\n\r\nabc", answered("GET / 3")),
    "chunks": Case(CHUNKED + b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", answered("POST / 5")),
    "trailers": Case(CHUNKED + b"\r\n1\r\na\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", answered("POST / 1")),
    "a trailer named Content-Length": Case(CHUNKED + b"\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n", BAD),
    "a chunk's extension": Case(CHUNKED + b"\r\n1;a=b\r\na\r\n0\r\n\r\n", answered("POST / 1")),
    "an unknown expectation's cousin": Case(
        POST + b"Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na", answered("POST / 1")
    ),
    "an absolute target": Case(b"GET http://localhost/a HTTP/1.1\r\n" + HOST + b"\r\n", answered("GET /a 0")),
    "a star": Case(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", answered("OPTIONS  0")),
    "an encoded slash": Case(b"GET /a%2Fb HTTP/1.1\r\n" + HOST + b"\r\n", answered("GET /a/b 0")),
    "a way up": Case(b"GET /a/../b HTTP/1.1\r\n" + HOST + b"\r\n", answered("GET /a/../b 0")),
    "a name with an underscore": Case(GET + b"X_A: b\r\nX-A: c\r\n\r\n", answered("GET / 0")),
    "1.0 without Host": Case(b"GET / HTTP/1.0\r\n\r\n", ["GET / 0"]),
    "1.0 kept": Case(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", answered("GET / 0")),
    "closed": Case(GET + b"Connection: close\r\n\r\n", ["GET / 0"]),
    # Another protocol is asked for: what follows is ours no more.
    "an upgrade": Case(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", ["GET / 0"]),
    "an upgrade with a body": Case(
        POST + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc", ["POST / 3"]
    ),
    "an upgrade with chunks": Case(
        CHUNKED + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n1\r\na\r\n0\r\n\r\n", ["POST / 1"]
    ),
    "an upgrade with chunks and a trailer": Case(
        CHUNKED + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n1\r\na\r\n0\r\nX-T: 9\r\n\r\n", ["POST / 1"]
    ),
    "an upgrade with malformed chunks": Case(
        CHUNKED + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\nx\r\na\r\n0\r\n\r\n", BAD
    ),
    "an upgrade without the word in Connection": Case(
        CHUNKED + b"Upgrade: h2c\r\n\r\n1\r\na\r\n0\r\n\r\n", answered("POST / 1")
    ),
    "CONNECT": Case(b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    # The first line.
    "no HTTP": Case(b"hello\r\n\r\n", BAD),
    "TLS": Case(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", BAD),
    "HTTP/0.9": Case(b"GET /\r\n\r\n", ["505"]),
    "HTTP/1.2": Case(b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", BAD),
    "HTTP/2.0": Case(b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", ["505"]),
    "HTTP/2's preface": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
    "HTTP/1.01": Case(b"GET / HTTP/1.01\r\n" + HOST + b"\r\n", BAD),
    "another protocol": Case(b"GET / HTTQ/1.1\r\n" + HOST + b"\r\n", BAD),
    "protocol in small letters": Case(b"GET / http/1.1\r\n" + HOST + b"\r\n", BAD),
    "an unknown method": Case(b"FETCH / HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a method in small letters": Case(b"get / HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a space before the method": Case(b" GET / HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "two spaces": Case(b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", answered("GET / 0")),
    "a tab for a space": Case(b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a space in the target": Case(b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a control byte in the target": Case(b"GET /a\x01 HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a fragment": Case(b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a NUL in the path": Case(b"GET /a%00b HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a relative target": Case(b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "no target": Case(b"GET HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "another scheme": Case(b"GET ftp://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a star for GET": Case(b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    "a bare line feed": Case(b"GET / HTTP/1.1\n" + HOST + b"\r\n", BAD),
    "a bare carriage return": Case(b"GET / HTTP/1.1\r" + HOST + b"\r\n", BAD),
    # Headers.
    "no Host": Case(b"GET / HTTP/1.1\r\n\r\n", BAD),
    "two Hosts": Case(GET + HOST + b"\r\n", BAD),
    "a Host with a space": Case(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD),
    "a Host with a path": Case(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD),
    "two Hosts in one": Case(b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", BAD),
    "a space before the colon": Case(GET + b"X-A : b\r\n\r\n", BAD),
    "a space before a name": Case(b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", BAD),
    "a folded header": Case(GET + b"X-A: b\r\n c\r\n\r\n", BAD),
    "no colon": Case(GET + b"X-A\r\n\r\n", BAD),
    "no name": Case(GET + b": b\r\n\r\n", BAD),
    "a name beyond ASCII": Case(GET + b"X-\xe9: b\r\n\r\n", BAD),
    "a bracket in a name": Case(GET + b"X(A): b\r\n\r\n", BAD),
    "a NUL in a value": Case(GET + b"X-A: b\0c\r\n\r\n", BAD),
    "a bell in a value": Case(GET + b"X-A: b\x07c\r\n\r\n", BAD),
    "a bare line feed in a value": Case(GET + b"X-A: b\nX-B: c\r\n\r\n", BAD),
    "a bare carriage return in a value": Case(GET + b"X-A: b\rX-B: c\r\n\r\n", BAD),
    "a head that ends with line feeds": Case(b"GET / HTTP/1.1\nHost: localhost\n\n", BAD),
    "two tokens": Case(GET + b"Authorization: a\r\nAuthorization: b\r\n\r\n", BAD),
    "another expectation": Case(POST + b"Expect: luck\r\nContent-Length: 1\r\n\r\na", ["417"]),
    # Where a body ends.
    "two lengths": Case(POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", BAD),
    "the same length twice": Case(POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", BAD),
    "two lengths in one": Case(POST + b"Content-Length: 1, 1\r\n\r\na", BAD),
    "a length with a sign": Case(POST + b"Content-Length: +1\r\n\r\na", BAD),
    "a length below nothing": Case(POST + b"Content-Length: -1\r\n\r\na", BAD),
    "a length in hexadecimals": Case(POST + b"Content-Length: 0x1\r\n\r\na", BAD),
    "a length with an underscore": Case(POST + b"Content-Length: 1_0\r\n\r\n0123456789", BAD),
    "a length of letters": Case(POST + b"Content-Length: a\r\n\r\na", BAD),
    "a length that is empty": Case(POST + b"Content-Length: \r\n\r\n", BAD),
    "a length that overflows": Case(POST + b"Content-Length: 18446744073709551617\r\n\r\na", BAD),
    "a length with a space in it": Case(POST + b"Content-Length: 1 0\r\n\r\n0123456789", BAD),
    "length and chunks": Case(CHUNKED + b"Content-Length: 1\r\n\r\n0\r\n\r\n", BAD),
    "chunks and length": Case(
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD
    ),
    "chunks twice": Case(CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "chunks in 1.0": Case(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "gzip": Case(POST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", ["501"]),
    "gzip, chunked": Case(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", ["501"]),
    "chunked, gzip": Case(POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", BAD),
    "identity": Case(POST + b"Transfer-Encoding: identity\r\n\r\n", ["501"]),
    "xchunked": Case(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", ["501"]),
    "chunked with a vertical tab": Case(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", BAD),
    "a space before the coding's colon": Case(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", BAD),
    "a folded coding": Case(POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", BAD),
    "a chunk's size with a sign": Case(CHUNKED + b"\r\n+1\r\na\r\n0\r\n\r\n", BAD),
    "a chunk's size with 0x": Case(CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n", BAD),
    "a chunk's size that is empty": Case(CHUNKED + b"\r\n\r\na\r\n0\r\n\r\n", BAD),
    "a chunk's size that overflows": Case(CHUNKED + b"\r\n10000000000000001\r\na\r\n0\r\n\r\n", BAD),
    "a space after a chunk's size": Case(CHUNKED + b"\r\n1 \r\na\r\n0\r\n\r\n", BAD),
    "a chunk that is too long": Case(CHUNKED + b"\r\n1\r\nab\r\n0\r\n\r\n", BAD),
    "a chunk that is too short": Case(CHUNKED + b"\r\n5\r\nab\r\n0\r\n\r\n", BAD),
    "a line feed after a chunk's size": Case(CHUNKED + b"\r\n1\na\r\n0\r\n\r\n", BAD),
    "a line feed after a chunk": Case(CHUNKED + b"\r\n1\r\na\n0\r\n\r\n", BAD),
    "a line feed in an extension": Case(CHUNKED + b"\r\n1;a\nb\r\na\r\n0\r\n\r\n", BAD),
    "a malformed trailer": Case(CHUNKED + b"\r\n0\r\nX T: 1\r\n\r\n", BAD),
    "a line of a trailer without a colon": Case(CHUNKED + b"\r\n0\r\nGET / HTTP/1.1\r\n\r\n", BAD),
}


SIZES = {hashlib.sha256(body).hexdigest(): len(body) for body in (b"", b"a", b"abc", b"abcde")}


@pytest.fixture(scope="module")
def worker_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("server") / "log") as served:
        yield served.port


@pytest.mark.parametrize("case", CASES)
def test_the_worker(worker_port: int, case: str) -> None:
    assert _told(worker_port, CASES[case].sent) == CASES[case].told


def _told(port: int, sent: bytes) -> list[str]:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(sent + CANARY)
        client.shutdown(socket.SHUT_WR)
        received = everything(client)
    method = sent.split(b" ", 1)[0].decode("latin-1")
    return [_one(status, body) for status, body in answers(received, method)]


def _one(status: int, body: bytes) -> str:
    if status != 200 or not body:
        return str(status)
    document = json.loads(body)
    return f"{document['method']} {document['path']} {SIZES.get(document['digest'], '?')}"
