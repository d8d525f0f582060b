"""json_object: what is JSON to every reader passes, what is not is refused with 400."""

import time
from typing import Any

import pytest

from controller.errors import InvalidRequest
from controller.web.body import json_object


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
