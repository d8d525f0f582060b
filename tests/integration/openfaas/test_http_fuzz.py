"""Generated streams of requests: valid ones with their content, and damaged ones."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from http_limits import Limits
from http_message import Refused, Request
from http_request import RequestReader
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.openfaas.http_server import HttpServer, answers, everything, serving
from tests.integration.openfaas.test_http_verdicts import CANARY

_TOKEN = st.text("abcXYZ019-", min_size=1, max_size=8)
_VALUE = st.text("abc ,;=\"'()019\xe9", max_size=20).map(str.strip)
_BODY = st.binary(max_size=40) | st.sampled_from(
    [b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n"]
)
#: Fragments that parsers often handle wrongly.
_BYTES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b":", b"0", b"f", b"0\r\n\r\n", b"Content-Length: 3\r\n",
     b"Transfer-Encoding: chunked\r\n", b"Connection: Upgrade\r\nUpgrade: x\r\n", b"GET / HTTP/1.1\r\n", b"\xff"]
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request: its content, and its bytes."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """Return a valid request, with any framing."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]))
    target = "/" + draw(st.text("abc/?=&.-_~", max_size=12))
    names = draw(st.lists(_TOKEN, max_size=4, unique_by=str.lower))
    fields = tuple((f"X-{name}", draw(_VALUE)) for name in names)
    body = draw(_BODY)
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields
    )
    framing, framed = draw(_framed(body))
    return Sent(method, target, fields, body, head.encode("latin-1") + framing + b"\r\n" + framed)


@st.composite
def _framed(draw: st.DrawFn, body: bytes) -> tuple[bytes, bytes]:
    """Return the header that says where the body ends, and the bytes of the body."""
    if not body and draw(st.booleans()):
        return b"", b""
    if draw(st.booleans()):
        return b"Content-Length: %d\r\n" % len(body), body
    sent, left = b"", body
    while left:
        size = draw(st.integers(1, len(left)))
        sent += b"%x%b\r\n%b\r\n" % (size, draw(st.sampled_from([b"", b";a", b";a=b"])), left[:size])
        left = left[size:]
    trailers = draw(st.sampled_from([b"", b"X-T: 1\r\n", b"X-T: 1\r\nX-U: 2\r\n"]))
    return b"Transfer-Encoding: chunked\r\n", sent + b"0\r\n" + trailers + b"\r\n"


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Return a stream of requests with a few changes."""
    stream = b"".join(one.raw for one in draw(st.lists(requests(), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(stream)))
        stream = stream[:at] + draw(_BYTES) + stream[at + draw(st.integers(0, 3)) :]
    return stream


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Return the stream in fragments."""
    marks = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(marks)]


PLACES = st.lists(st.integers(0, 1 << 12), max_size=12)
QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)
SERVED = settings(QUICK, max_examples=40)


class Read(NamedTuple):
    """What a reader parses from a stream: requests, and the status with which it refuses the rest."""

    requests: list[tuple[dict[str, Any], bytes, bool]]
    refused: int | None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    with serving(tmp_path_factory.mktemp("server") / "log") as served:
        yield served


@QUICK
@given(st.lists(requests(), min_size=1, max_size=5), PLACES)
def test_valid_requests_arrive_unchanged(sent: list[Sent], places: list[int]) -> None:
    read = _read(cut(b"".join(one.raw for one in sent), places))
    assert read.refused is None
    assert [_meant(environ, body) for environ, body, _ in read.requests] == [_as_meant(one) for one in sent]


@QUICK
@given(changed(), PLACES)
def test_fragments_change_nothing(stream: bytes, places: list[int]) -> None:
    assert _read(cut(stream, places)) == _read([stream])


@QUICK
@given(changed(), PLACES)
def test_nothing_follows_a_refusal(stream: bytes, places: list[int]) -> None:
    reader = RequestReader({}, Limits())
    try:
        for fragment in cut(stream, places):
            reader.feed(fragment)
    except Refused:
        before = len(reader.requests)
        reader.feed(CANARY)
        assert len(reader.requests) == before


@SERVED
@given(st.lists(requests(), min_size=1, max_size=5), PLACES)
def test_answers_come_in_order(server: HttpServer, sent: list[Sent], places: list[int]) -> None:
    received = _answered(server, b"".join(one.raw for one in sent) + CANARY, places)
    found = answers(received, *(one.method for one in sent))
    assert [answer.status for answer in found] == [200] * (len(sent) + 1)
    paths = [json.loads(answer.body)["path"] for answer in found if answer.body]
    assert paths == [_path(one.target) for one in sent if one.method != "HEAD"] + ["/canary"]


@SERVED
@given(changed(), PLACES)
def test_what_comes_back_is_http(server: HttpServer, stream: bytes, places: list[int]) -> None:
    read = _read([stream + CANARY])
    methods = [environ["REQUEST_METHOD"] for environ, _, _ in read.requests]
    found = answers(_answered(server, stream + CANARY, places), *methods)
    statuses = [answer.status for answer in found]
    # A request whose client wants the connection closed is the last one that is answered.
    last = next((place for place, one in enumerate(read.requests) if not one[2]), None)
    if last is not None:
        assert statuses == [200] * (last + 1)
    else:
        assert statuses == [200] * len(methods) + ([] if read.refused is None else [read.refused])


def _read(fragments: list[bytes]) -> Read:
    reader = RequestReader({}, Limits())
    refused = None
    try:
        for fragment in fragments:
            reader.feed(fragment)
    except Refused as error:
        refused = error.status
    return Read([_whole(request) for request in reader.requests], refused)


def _whole(request: Request) -> tuple[dict[str, Any], bytes, bool]:
    body = request.environ.pop("wsgi.input").read()
    return request.environ, body, request.keep_alive


def _meant(environ: dict[str, Any], body: bytes) -> tuple[str, str, dict[str, str], bytes]:
    fields = {name: value for name, value in environ.items() if name.startswith("HTTP_X_")}
    return environ["REQUEST_METHOD"], environ["RAW_URI"], fields, body


def _as_meant(sent: Sent) -> tuple[str, str, dict[str, str], bytes]:
    fields = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in sent.fields}
    return sent.method, sent.target, fields, sent.body


def _path(target: str) -> str:
    return target.partition("?")[0]


def _answered(server: HttpServer, stream: bytes, places: list[int]) -> bytes:
    with server.connect() as client:
        for fragment in cut(stream, places):
            try:
                client.sendall(fragment)
            except (BrokenPipeError, ConnectionResetError):
                break  # refused
        client.shutdown(socket.SHUT_WR)
        return everything(client)
