"""Whatever a client sends: no internal error, one shape of refusals, and no way around token, size and rate."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.web.deployed import EVERY, HEALTH, SESSIONS
from controller.web.route import Route
from controller.web.routes import ROUTES
from tests.unit.controller.heart import ALICE
from tests.unit.controller.web.wsgi import BODY_MAX, JSON, REFUSED, Functions, bearer

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)
TITLE = "python-hello"
#: Each route, with the name of a function that serves it.
PLACES = [(HEALTH.name if route.function is EVERY else route.function.name, route) for route in ROUTES]
METHODS = ["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS", "post", ""]
TOKEN = bearer()
BODY = b'{"params": {}}'
KEY_ID = "8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11"


@pytest.fixture(scope="module")
def functions() -> Functions:
    return Functions()


@pytest.fixture(scope="module")
def limited() -> Functions:
    """No user has a slot left in any window."""
    return Functions(spent=True)


@pytest.fixture(scope="module")
def session(functions: Functions) -> str:
    return functions.process.begin(ALICE).request_id


def paths(route: Route) -> list[str]:
    titles = dict.fromkeys(("function_ref", "language_title"), TITLE)
    ids = {
        "request_id": "a-session",
        "alias": "live",
        "key_id": KEY_ID,
        "digest": "0" * 64,
        "file": "docs.js",
        **titles,
    }
    return [path.format(**ids) for path in route.own_paths]


#: What a path may be followed by.
ENDS = [
    "", "/", "//", "/.", "/..", "/../", "%2f", "/%2e", "%5c", "%00", "%0a", "%0d%0a", "%ff", "%ed%a0%80", "\xe9", "%",
    "%2", "%zz", "%252f", "%20", "+", ";a=b", "?", "?request_id=%00", "?request_id=a%2fb/", "?language_title=x/",
    "?page=" + "9" * 5000, "?name[]=x", "?%ff=%ff&&=;",
]  # fmt: skip


def spellings(path: str) -> Iterator[str]:
    """The path in ways that some servers take for the same, and some do not."""
    yield from (path + end for end in ENDS)
    yield from (before + path for before in ("/", "/..", "/x/..", "/%2e%2e"))
    yield from (path.replace("/", between) for between in ("//", "/./", "%2F", "/%2F"))
    yield from (path.upper(), "", "*")
    yield "".join(letter if letter == "/" else f"%{ord(letter):02x}" for letter in path)


#: Functions, paths and methods: each path with every method, each other spelling of it with that of its route.
ASKED = dict.fromkeys(
    (function, spelling, tuple(METHODS) if spelling == path else (route.method,))
    for function, route in PLACES
    for path in paths(route)
    for spelling in spellings(path)
)


@pytest.mark.parametrize(("function", "target", "methods"), ASKED)
def test_any_path_and_method(
    functions: Functions, function: str, target: str, methods: tuple[str, ...]
) -> None:
    for method in methods:
        functions.ask(function, method, target, BODY, **JSON, HTTP_AUTHORIZATION=TOKEN).check(method)
        stranger = functions.ask(function, method, target, BODY, **JSON)
        stranger.check(method)
        if method != "OPTIONS" and function != HEALTH.name:
            assert stranger.status in REFUSED


@pytest.mark.parametrize(("function", "route"), PLACES, ids=lambda value: getattr(value, "name", value))
def test_no_method_and_no_slash_passes_a_limit(limited: Functions, function: str, route: Route) -> None:
    for target in (each + end for each in paths(route) for end in ("", "/", "//", "/x")):
        for method in METHODS:
            hasty = limited.ask(function, method, target, BODY, **JSON, HTTP_AUTHORIZATION=TOKEN)
            hasty.check(method)
            # Sessions have no window.
            assert hasty.status in REFUSED or method == "OPTIONS" or function in {HEALTH.name, SESSIONS.name}


def doors() -> list[Any]:
    """Each route that needs a token, with a path that leads to it."""
    return [
        pytest.param(route, paths(route)[0] + end, id=f"{route.name} {end}")
        for route in ROUTES
        if route.permission is not None
        for end in ("", "/")
        if paths(route)[0] != "/" or not end
    ]


@pytest.mark.parametrize(("route", "path"), doors())
def test_each_door_is_shut(functions: Functions, limited: Functions, route: Route, path: str) -> None:
    """The order of checks, with a slash at the end as without: size, type, token, rate."""
    name, method = route.function.name, route.method
    if route.body is not None:
        assert functions.ask(name, method, path, b"x" * (BODY_MAX + 1)).status == 413
        assert functions.ask(name, method, path, BODY).status == 415
    assert functions.ask(name, method, path, BODY, **JSON).status == 401
    if route.window is not None:
        spent = limited.ask(name, method, path, BODY, **JSON, HTTP_AUTHORIZATION=TOKEN)
        assert (spent.status, spent.headers["RateLimit-Remaining"]) == (429, "0")
    refused = functions.ask(name, "PATCH", path, BODY, **JSON)
    assert refused.status == 405
    assert method in refused.headers["Allow"]


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_session_is_found_in_any_spelling(
    functions: Functions, session: str, end: str, escaped: bool
) -> None:
    path = f"/{session}"
    if escaped:
        path = "/" + "".join(f"%{ord(letter):02X}" for letter in session)
    token: dict[str, Any] = {**JSON, "HTTP_AUTHORIZATION": TOKEN}
    assert functions.ask("execute", "POST", path + end, BODY, **token).status == 200
    assert functions.ask("sessions", "GET", path + end, **token).status == 200
    for place in (f"/?request_id={session}{end}", f"?request_id={session}{end}"):
        assert functions.ask("execute", "POST", place, BODY, **token).status == 200
        assert functions.ask("sessions", "GET", place, **token).status == 200


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("health", "/"),
        ("health", "/health"),
        ("health", "/openapi.json"),
        ("health", "/docs"),
        ("health", "/docs/docs.js"),
        ("execute", "/metrics"),
        ("functions", "/"),
        ("sessions", "/{session}"),
    ],
)
def test_head_is_get_without_a_body(functions: Functions, session: str, function: str, path: str) -> None:
    place = path.format(session=session)
    whole = functions.ask(function, "GET", place, HTTP_AUTHORIZATION=TOKEN)
    head = functions.ask(function, "HEAD", place, HTTP_AUTHORIZATION=TOKEN)
    assert (whole.status, head.status, head.body) == (200, 200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize(
    "accept",
    [
        "", "*/*", "text/html", "application/openmetrics-text; version=1.0.0", "text/plain;version=1.a",
        "application/openmetrics-text; version=zzz", "text/plain;version=\xb2", ",;=,", "\xff" * 1000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "?name[]=x", "?name[]=&name[]"])
def test_metrics_for_any_accept(functions: Functions, accept: str, query: str) -> None:
    answer = functions.ask("health", "GET", "/metrics" + query, HTTP_ACCEPT=accept)
    assert answer.status == 200
    assert b"lambda_requests_total" in answer.body


VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
WORDS = st.sampled_from(
    ["", " ", ",", ", ,", '"', "a" * 8000, "\xff", "gzip", "close, upgrade", "x/y", "../..", "https://a.example",
     "localhost:99999999", "a:b:c", "[::1", "[::1]:80", "." * 300, "a" * 70 + ".example", "9" * 5000, "-1", "*",
     "Mon, 99 Foo 0000", "bytes=0-", 'W/"x"', "application/json; charset=", "text/plain; charset*=x''%ff"]
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(
        ["CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_ORIGIN", "HTTP_ACCEPT",
         "HTTP_CONTENT_ENCODING", "HTTP_X_REQUEST_ID", "HTTP_X_CALL_ID", "HTTP_TRACEPARENT", "HTTP_TRACESTATE",
         "HTTP_LANGUAGE_TITLE", "HTTP_X_CACHE_CONTROL", "HTTP_IDEMPOTENCY_KEY", "HTTP_X_SESSION_ID", "HTTP_COOKIE",
         "HTTP_X_FUNCTION_TITLE", "HTTP_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_X_FORWARDED_FOR",
         "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"]
    ),
    VALUES | WORDS,
    max_size=6,
)  # fmt: skip


@QUICK
@given(place=st.sampled_from(PLACES), headers=HEADERS, held=st.booleans(), preflight=st.booleans())
def test_any_headers(
    functions: Functions,
    session: str,
    place: tuple[str, Route],
    headers: dict[str, str],
    held: bool,
    preflight: bool,
) -> None:
    function, route = place
    token = {"HTTP_AUTHORIZATION": TOKEN} if held else {}
    ids = {
        "function_ref": TITLE,
        "language_title": TITLE,
        "alias": "live",
        "key_id": KEY_ID,
        "digest": "0" * 64,
        "file": "docs.js",
    }
    path = route.own_paths[0].format(request_id=session if function == "execute" else "x", **ids)
    method = "OPTIONS" if preflight else route.method
    answer = functions.ask(function, method, path, BODY, **(JSON | token | headers))
    answer.check(method)
    if not held and not preflight and route.permission is not None:
        assert answer.status in REFUSED


def nested(levels: int) -> bytes:
    return b'{"params": {"a": ' + b"[" * levels + b"]" * levels + b"}}"


BODIES = [
    b"", b" ", b"null", b"[]", b"1", b'"x"', b"{", b"{}{}", b"{},", b'{"params": {}} \x00', b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"), "{}".encode("utf-16-be"), "{}".encode("utf-32"), b"\xff\xfe", b'{"params": {"a": "\xff"}}',
    nested(97), nested(98), nested(99), nested(1000), b"[" * BODY_MAX, b'{"a":' * 700,
    b'{"params": {}, "params": {}}', b'{"params": {"a": 1, "\\u0061": 2}}', b'{"\\u0070arams": {"a": 1}}',
    b'{"params": {"a": NaN}}', b'{"params": {"a": -Infinity}}', b'{"params": {"a": 1e999}}',
    b'{"params": {"a": -1e-999}}', b'{"params": {"a": ' + b"9" * 300 + b"}}",
    b'{"params": {"a": ' + b"9" * 301 + b"}}",
    b'{"params": {"a": 1.' + b"0" * 3000 + b"}}", b'{"params": {"a": 0123}}', b'{"params": {"a": -}}',
    b'{"params": {"a": "\\ud800"}}', b'{"params": {"\\udfff": 1}}', b'{"\\ud800": 1}',
    b'{"params": {"a": "\\u0000"}}',
    b'{"params": {"a": "\t"}}', b'{"params": {"a": "\\x"}}', b'{"params": {"a": \xe2\x80\xa8 1}}', b'{"params": {},}',
    b'{"context": {"\\ud800": "\\udfff"}}', b'{"context": {"a": "\\u0000"}}', b'{"context": {"timeout_ms": 1e300}}',
    b'{"context": {"timeout_ms": ' + b"9" * 300 + b"}}", b'{"context": {"timeout_ms": true}}',
    b'{"context": {"compile_options": {"features": ["\\ud800"]}}}', b'{"context": {"user_id": "\\ud800"}}',
    b'{"script_content": "\\ud800"}', b'{"script_content": "result = 1", "context": {"isolation": ["session"]}}',
    b'{"context": {"environment": {}}, "script_content": []}',
]  # fmt: skip
FRAMINGS = [
    {}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": None}, {"CONTENT_LENGTH": "0"}, {"CONTENT_LENGTH": "1"},
    {"CONTENT_LENGTH": "3999"}, {"CONTENT_LENGTH": "9" * 5000}, {"CONTENT_LENGTH": "-1"}, {"CONTENT_LENGTH": "\xb2"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "framing"),
    [
        *((body, {}) for body in BODIES),
        *((body, framing) for body in BODIES[::12] for framing in FRAMINGS[1:]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_any_body(functions: Functions, session: str, body: bytes, framing: dict[str, Any]) -> None:
    common = {**JSON, "HTTP_AUTHORIZATION": TOKEN, "HTTP_LANGUAGE_TITLE": TITLE} | framing
    for function, path in (("execute", f"/{session}"), ("initialize", "/")):
        answer = functions.ask(function, "POST", path, body, **common)
        answer.check("POST")
        assert answer.status in {200, 400, 404, 413}


@QUICK
@given(body=st.binary(max_size=60) | st.text('{}[]":,\\u0d8params0129eE+-. ', max_size=60).map(str.encode))
@example(b'{"params":{"a":"\\uD83D\\uDE00"}}')
def test_any_bytes(functions: Functions, session: str, body: bytes) -> None:
    for function, path in (("execute", f"/{session}"), ("initialize", "/")):
        common = {"HTTP_AUTHORIZATION": TOKEN, "HTTP_LANGUAGE_TITLE": TITLE}
        functions.ask(function, "POST", path, body, **JSON, **common).check("POST")
        assert functions.ask(function, "POST", path, body, **JSON).status == 401
