"""The front's JSON codec, compared to the standard library's, which decides what is JSON."""

import random

import pytest

from runtime import frames
from runtime import json_codec as front_json

#: What readers of JSON disagree about.
VALUES = [
    *("0", "-0", "-0.0", "1.5", "1e5", "1E-400", "5e-324", "2.4703282292062328e-324", "9007199254740993"),
    *(
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1" * 40,
        "01",
        "1.",
        "+1",
    ),
    *(
        "NaN",
        "-Infinity",
        "nul",
        '"\\ud83d\\ude00"',
        '"\\ud800"',
        '"\\ude00\\ud83d"',
        '"\\ud800\\u0041"',
        '"ラ"',
    ),
    *('"\\x"', '"\\u 123"', '"\x1f"', '"\x7f"', '"\\u0000"', '"\\"', "[1,]", "{}", '{"a":1,"a":2}', "[[]] ]"),
]
_BYTES = b'[]{}",:0123456789eE+-. \t\n\r\x00\xff\xed\xa0\x80\xc3\xf0\\u'


def taken(module: object, body: bytes) -> str:
    """Return what a module decodes from a body."""
    try:
        return repr(module.decode(body))  # type: ignore[attr-defined]
    except frames.FrameError as error:
        return type(error).__name__


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return the body with one byte removed, added or changed."""
    result = bytearray(body)
    del result[chance.randrange(len(result))]
    result.insert(chance.randrange(len(result)), chance.choice(_BYTES))
    result[chance.randrange(len(result))] = chance.randrange(256)
    return bytes(result)


@pytest.mark.parametrize("value", VALUES)
def test_both_codecs_accept_the_same_texts(value: str) -> None:
    body = f'{{"a":{value}}}'.encode()
    assert taken(front_json, body) == taken(frames, body)


@pytest.mark.parametrize("seed", range(4))
def test_both_codecs_accept_the_same_damaged_texts(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2000):
        members = ",".join(f'"{name}":{chance.choice(VALUES)}' for name in "ab")
        body = damaged(f"{{{members}}}".encode(), chance)
        assert taken(front_json, body) in (taken(frames, body), "OutOfRange"), body


@pytest.mark.parametrize("digits", [4301, 5000, 100_000])
def test_an_integer_of_any_length_passes_digit_by_digit(digits: int) -> None:
    body = b'{"a":[%b]}' % (b"-" + b"7" * digits)
    assert front_json.encode(front_json.decode(body)) == body


def test_a_long_integer_beside_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(front_json.OutOfRange):
        front_json.decode(b'{"a":["\\ud800",%b]}' % (b"7" * 5000))


@pytest.mark.parametrize("value", ["1e999", "-1e999", "[1.8e308]"])
def test_a_number_that_reads_as_infinity_is_refused(value: str) -> None:
    with pytest.raises(front_json.OutOfRange):
        front_json.decode(f'{{"a":{value}}}'.encode())


@pytest.mark.parametrize("value", ["\ud800", "ラ", 1 << 80, -(1 << 63) - 1, 0.1, 5e-324, [], {"": None}])
def test_an_encoded_document_decodes_to_itself(value: object) -> None:
    assert front_json.decode(front_json.encode({"a": value})) == {"a": value}


def test_deep_nesting_is_refused() -> None:
    for depth in (frames.MAX_DEPTH + 1, 100_000):
        with pytest.raises(frames.TooDeep):
            front_json.decode(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
