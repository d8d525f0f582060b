"""Bodies: what is read, what is JSON to every reader, and what is refused."""

import time
from io import BytesIO
from typing import Any

import pytest

from controller.errors import InvalidRequest
from controller.web.body import json_body, json_object


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
    body = b'{"a": [' + b",".join([b"{}"] * 2_000_000) + b"]}"
    started = time.process_time()
    json_object(body)
    assert time.process_time() - started < 10
