"""What clients send over a socket: no internal error, and one shape of refusals."""

import json
import socket
from http.client import HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest

from controller.errors import ErrorAnswer
from controller.web.deployed import HEALTH
from tests.acceptance.client import Client
from tests.integration.controller.pair import SCRIPT, Pair

TITLE = "python-streamed"
#: Seconds for an answer, on a machine that may be busy.
PATIENCE = 60
BODY = b'{"params": {"mark": "streamed"}}'
CHUNKS = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:])
LENGTH = f"Content-Length: {len(BODY)}"
JSON = "Content-Type: application/json"
CLOSE = "Connection: close"
ENDS = ["/", "//", "/.", "/..", "/%2e%2e", "%2f", "%00", "%0d%0aX: y", "%ff", "%", "%zz", "%252f", "?a=%00", ";a=b",
        "?request_id=%2f%00&language_title=%ff", "?page=99999999999999999999", "?" + "a" * 3000, "#a", "/" * 1000,
        ]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY",
           "post", "BREW", "PRI"]  # fmt: skip


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def check(self, method: str = "") -> None:
        """It is no internal error, and a refusal has the shape of the contract."""
        assert self.status < 500 or self.status in {501, 505}, self
        if self.status == 405:
            assert self.headers["allow"]
        if self.status == 401:
            assert self.headers["www-authenticate"].startswith("Bearer")
        if self.status >= 400 and method != "HEAD":
            assert msgspec.json.decode(self.body, type=ErrorAnswer).error.code


class Wire:
    """Raw connections to one controller."""

    def __init__(self, client: Client) -> None:
        parts = urlsplit(client.url)
        assert parts.hostname and parts.port
        self._address = parts.hostname, parts.port
        self.token = f"Authorization: Bearer {client.token}"

    def send(self, head: list[str], *bodies: bytes, method: str = "GET") -> Answer:
        """Send a head, then the parts of a body, after `100 Continue` if the head expects it."""
        with socket.create_connection(self._address, PATIENCE) as client:
            client.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
            if "Expect: 100-continue" in head:
                assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            for body in bodies:
                client.sendall(body)
            answer = HTTPResponse(client, method=method)
            answer.begin()
            return Answer(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            )


@pytest.fixture(scope="module")
def client(pair: Pair) -> Client:
    one, _ = pair.clients()
    return one


@pytest.fixture(scope="module")
def wire(client: Client) -> Wire:
    return Wire(client)


@pytest.fixture(scope="module")
def session(client: Client) -> str:
    return client.begin(TITLE, SCRIPT)


@pytest.mark.parametrize(
    ("method", "end"), [*((method, "") for method in METHODS), *(("POST", end) for end in ENDS)]
)
def test_any_spelling_and_method(wire: Wire, method: str, end: str) -> None:
    """On one path: tests/unit/controller/web/test_any_request.py has them on all."""
    head = [f"{method} /api/v1/execute/no-session{end} HTTP/1.1", "Host: localhost", JSON, LENGTH, CLOSE]
    answer = wire.send(head, BODY, method=method)
    answer.check(method)
    assert method == "OPTIONS" or answer.status in {400, 401, 404, 405, 414}
    wire.send([*head, wire.token], BODY, method=method).check(method)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "[::1]:8080", "[::1", "a" * 70 + ".example", "a..b", ":", "", "xn--a", "a:b"],
)  # fmt: skip
@pytest.mark.parametrize(
    "target", ["/health", "http://[::1]/health", "http://a..b:1/health", "https://x/health"]
)
def test_any_host(wire: Wire, host: str, target: str) -> None:
    answer = wire.send([f"GET {target} HTTP/1.1", f"Host: {host}", CLOSE])
    answer.check()
    assert answer.status in {200, 400}


@pytest.mark.parametrize(
    "lines",
    [
        [JSON, JSON],
        ["Content-Length: 1", LENGTH],
        ["Content-Length: " + "9" * 30],
        ["Content-Length: -1"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked", LENGTH],
        ["Authorization: Bearer a", "Authorization: Bearer b"],
        ["Language-Title: a", "Language-Title: b"],
        ["Idempotency-Key: a", "Idempotency-Key: b", LENGTH, JSON],
        ["X-Cache-Control: max-age=1", "X-Cache-Control: max-age=x", LENGTH, JSON],
        ["X-Request-ID:", "X-Call-Id: \xff", "traceparent: 00-", "Origin: \xe9", LENGTH, JSON],
        ["X-Long: " + "a" * 9000],
        [f"X-Many-{number}: a" for number in range(150)],
        ["Expect: the-unexpected"],
    ],
    ids=lambda lines: lines[0][:40],
)
def test_odd_headers(wire: Wire, session: str, lines: list[str]) -> None:
    path = f"/api/v1/execute/{session}"
    answer = wire.send([f"POST {path} HTTP/1.1", "Host: x", CLOSE, *lines], BODY)
    answer.check()
    assert answer.status >= 400


OFFER = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("version", "lines", "bodies"),
    [
        ("1.1", [LENGTH, JSON], [BODY]),
        ("1.1", [CHUNKED, JSON], [CHUNKS]),
        ("1.0", [LENGTH, JSON], [BODY]),
        ("1.0", [LENGTH, JSON, "Connection: keep-alive"], [BODY]),
        ("1.1", [LENGTH, JSON, *OFFER], [BODY[:9], BODY[9:]]),
        ("1.1", [CHUNKED, JSON, *OFFER], [CHUNKS[:9], CHUNKS[9:]]),
        ("1.1", [CHUNKED, JSON, *OFFER, "Expect: 100-continue"], [CHUNKS]),
        ("1.1", [CHUNKED, JSON, "Expect: 100-continue"], [CHUNKS]),
        ("1.1", [LENGTH, JSON, "eXPECT: 100-Continue"], [BODY]),
        ("1.1", [LENGTH.upper(), "CONTENT-TYPE: Application/JSON; Charset=UTF8"], [BODY]),
        ("1.1", [LENGTH, 'content-type: application/json; charset="utf-8"'], [BODY]),
        ("1.1", [LENGTH, JSON, "Accept: */*", "Accept-Encoding: gzip, br", "TE: trailers"], [BODY]),
        ("1.1", [LENGTH, JSON, "Accept: text/html", "Cookie: a=b; c", "Range: bytes=0-"], [BODY]),
    ],
)
def test_an_execution_as_clients_speak_it(
    wire: Wire, session: str, version: str, lines: list[str], bodies: list[bytes]
) -> None:
    for path in (f"/api/v1/execute/{session}", f"/execute/{session}/", f"/execute?request_id={session}"):
        head = [
            f"POST {path} HTTP/{version}",
            "Host: x",
            wire.token.replace(" Bearer ", " bearer   "),
            *lines,
        ]
        answer = wire.send(head, *bodies)
        assert answer.status == 200, answer
        assert json.loads(answer.body)["request_id"] == session


def test_an_id_in_escapes(wire: Wire, session: str) -> None:
    for form in ("%{:02x}", "%{:02X}"):
        path = "/api/v1/execute/" + "".join(form.format(ord(letter)) for letter in session)
        head = [f"POST {path} HTTP/1.1", "Host: x", wire.token, LENGTH, JSON, CLOSE]
        assert wire.send(head, BODY).status == 200


def test_the_service_is_well_afterwards(client: Client) -> None:
    assert client.request("GET", f"/{HEALTH.name}").json()["status"] in {"ok", "degraded"}
