"""Bodies: what is read, what is JSON to every reader, and what is refused."""

import json
import time
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import InvalidRequest
from controller.web.body import json_body
from controller.web.strict_json import DECODER, MAX_CONTAINERS, MAX_DEPTH, json_object


def read(body: bytes, **changes: Any) -> bytes:
    environ = {
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    return json_body(environ | changes, most=1000)


def test_a_body_is_read_to_its_length_or_to_the_end_that_its_server_sees() -> None:
    assert read(b'{"a": 1}next', CONTENT_LENGTH="8") == b'{"a": 1}'
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert read(b'{"a": 1}', **chunked) == b'{"a": 1}'
    assert read(b"x" * 1000, **chunked) == read(b"x" * 1000) == b"x" * 1000


@pytest.mark.parametrize("changes", [{}, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}])
def test_a_body_over_the_limit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(b"x" * 1001, **changes)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CONTENT_TYPE": ""}, "application/json"),
        ({"CONTENT_TYPE": "text/plain"}, "application/json"),
        ({"CONTENT_TYPE": "application/json; charset=latin-1"}, "UTF-8"),
        ({"CONTENT_TYPE": 'application/json; charset="utf-16"'}, "UTF-8"),
        ({"CONTENT_TYPE": "application/json; charset=utf-8-sig"}, "UTF-8"),
        ({"CONTENT_TYPE": "application/json; charset=utf88"}, "UTF-8"),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, "compressed"),
    ],
)
def test_a_body_of_another_kind_is_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        read(b"{}", **changes)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf8",
        "application/json; charset=UTF8",
        'application/json; Charset="utf8"',
        'application/json ; charset="utf-8"; profile=x',
        "application/json; profile=x;",
    ],
)
def test_json_in_utf_8_is_read(kind: str) -> None:
    assert read(b"{}", CONTENT_TYPE=kind, HTTP_CONTENT_ENCODING="identity") == b"{}"


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"{}", {}),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        (b'{"a": 1e308, "b": -0.0, "c": 1e-999}', {"a": 1e308, "b": -0.0, "c": 0.0}),
        (b'{"a": ' + b"9" * 300 + b"}", {"a": 10**300 - 1}),
        ('{"ラムダ": "\\ud83d\\ude00 \\u0000"}'.encode(), {"ラムダ": "\N{GRINNING FACE} \0"}),
    ],
)
def test_what_is_read(body: bytes, document: Any) -> None:
    assert json_object(body) == document


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"1", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": Infinity}', "Infinity is not JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "out of range"),
        (b'{"a": -1e999}', "out of range"),
        (b'{"a": ' + b"9" * 301 + b"}", "out of range"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "out of range"),
        (b'{"a": 1, "a": 1}', "same key twice"),
        (b'{"a": 1, "\\u0061": 2}', "same key twice"),
        (b'{"params": {"deep": [{"k": 1, "k": 2}]}}', "same key twice"),
        (b'{"a": "\xff"}', "byte 7 is wrong"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        json_object(body)
    assert refused.value.status == 400


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_depth_is_bounded() -> None:
    assert json_object(nested(100))
    with pytest.raises(InvalidRequest, match="deeper than 100"):
        json_object(nested(101))


@pytest.mark.parametrize("body", [nested(200_000), b"[" * 200_000, b'{"' + b"[" * 200_000])
def test_however_deep_it_is_it_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        json_object(body)


def test_brackets_in_strings_and_side_by_side_are_no_depth() -> None:
    text = "[{" * 1000 + '\\"\\\\'
    assert json_object(f'{{"a": "{text}", "b": [{",".join(["[]"] * 1000)}]}}'.encode())


def test_the_largest_body_is_looked_through_quickly() -> None:
    body = b'{"a": [' + b",".join([b'{"a":"{"}'] * 240_000) + b"]}"
    started = time.process_time()
    json_object(body)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("one", [b"{}", b"[]", b'{"[":[]}'])
def test_the_lists_and_objects_of_a_body_are_bounded(one: bytes) -> None:
    few = MAX_CONTAINERS // 2 - 2
    assert len(json_object(b'{"a": [' + b",".join([one] * few) + b"]}")["a"]) == few
    with pytest.raises(InvalidRequest, match="more than 250000 lists and objects"):
        json_object(b'{"a": [' + b",".join([one] * (MAX_CONTAINERS + 1)) + b"]}")


#: What makes two readers differ, or nearly.
PIECES = (
    *map(bytes, ([byte] for byte in b'{}[]",:\\ux0.-eE \n\t\0\xff')),
    *(
        b"\\u003a",
        b"\\u003A",
        b"\\\\u003a",
        b"\\ud800",
        b"\\udc00",
        b'\\"',
        b"\\/",
        b'"a":1',
        b'"\\u0061":1',
        b'"b:":":"',
    ),
    *(
        b"1" * 300,
        b"1" * 301,
        b"-" + b"2" * 310,
        b"." + b"3" * 320,
        b"1e308",
        b"1e309",
        b"1E-400",
        b"01",
        b"-0",
        b"1.",
    ),
    *(
        b"NaN",
        b"Infinity",
        b"true",
        b"null",
        b"\xef\xbb\xbf",
        "é\U0001f600".encode(),
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\x7f",
    ),
    *(b"[" * 60, b"]" * 60, b'{"a":' * 50, b"}" * 50),
)


def plain(body: bytes) -> Any:
    """What `json` alone says of a body: the reference."""
    document = DECODER.decode(body.decode())
    if not isinstance(document, dict) or depth(document) > MAX_DEPTH:
        raise ValueError
    return document


def depth(document: Any) -> int:
    inner = (
        document.values() if isinstance(document, dict) else document if isinstance(document, list) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_body_is_read_as_by_the_reference(data: st.DataObject) -> None:
    texts = st.text(max_size=4) | st.sampled_from(["a", "b", ":", "{", '"', "\\", "\ud800"])
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    scalars = texts | numbers | st.none() | st.booleans()
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    )
    document = data.draw(st.dictionaries(texts, values, max_size=4))
    ascii_only, indent = data.draw(st.booleans()), data.draw(st.sampled_from([None, 1]))
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    body = text.encode("utf-8", "surrogatepass")
    for place, piece in data.draw(
        st.lists(st.tuples(st.integers(0, len(body)), st.sampled_from(PIECES)), max_size=3)
    ):
        body = body[:place] + piece + body[place + data.draw(st.integers(0, 2)) :]
    try:
        expected = plain(body)
    except (ValueError, RecursionError):
        with pytest.raises(InvalidRequest):
            json_object(body)
    else:
        assert repr(json_object(body)) == repr(expected)
