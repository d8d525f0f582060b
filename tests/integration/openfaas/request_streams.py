"""Generated streams of requests: valid ones with their content, and damaged ones."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

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
