"""JSON text on the way of a request."""

import json

import pytest
from msgspec import Raw, Struct

from controller.json_codec import Reader, dumps


@pytest.mark.parametrize(
    "value", [{"n": 10**30, "f": 0.1, "t": "ä\n"}, [None, True], "\ud800", {"\udfff": ["x"]}]
)
def test_what_is_written_reads_the_same(value: object) -> None:
    assert json.loads(dumps(value)) == value


def test_raw_text_is_embedded_as_it_is() -> None:
    assert dumps({"result": Raw(b'{"b": 1, "a": 1e400}')}) == b'{"result":{"b": 1, "a": 1e400}}'


def test_raw_text_beside_a_lone_surrogate() -> None:
    assert json.loads(dumps({"result": Raw(b"[1]"), "stdout": "\ud800"})) == {
        "result": [1],
        "stdout": "\ud800",
    }


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError):
        dumps({"\ud800": {1, 2}, "x": object()})


class Answer(Struct):
    n: int
    result: Raw = Raw(b"0")


READER = Reader(Answer, raw=["result"])


@pytest.mark.parametrize("result", ["[1]", '"\\ud800"', '{"result": ["\\udfff", 100000000000000000000]}'])
def test_raw_text_is_kept(result: str) -> None:
    answer = READER.read(f'{{"n": 1, "result": {result}, "more": null}}'.encode())
    assert answer.n == 1
    assert json.loads(bytes(answer.result)) == json.loads(result)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"n": "1"}', '{"n": 1, "result": NaN}', '{"n": "\\ud800"}', "\xff"]
)
def test_what_is_not_such_a_struct_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        READER.read(text.encode("latin-1"))
