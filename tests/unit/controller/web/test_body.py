"""json_body: what is read, and what is refused."""

from io import BytesIO
from typing import Any

import pytest

from controller.errors import InvalidRequest
from controller.web.body import json_body


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
