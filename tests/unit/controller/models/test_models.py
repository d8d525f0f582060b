"""Models and JSON text: names, hashes, times, and the round trip of what is kept."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from msgspec import Raw, Struct

from controller.errors import DeadlinePassed, NotFound, RateLimited, ScriptFailed, ServiceError
from controller.json_codec import Reader, dumps
from controller.models.outcome import Outcome, Run
from controller.models.registered import Script, Session, canonical, now, rfc3339
from controller.models.responses import ExecuteAnswer, InitializeAnswer
from tests.calls import new_session


def test_a_session_survives_being_kept() -> None:
    kept = new_session()
    assert Session.from_json(kept.to_json()) == kept


def test_a_session_expires_to_the_moment() -> None:
    assert not new_session().expired()
    assert new_session(expires_at=now() - timedelta(milliseconds=1)).expired()


def test_a_script_is_named_by_the_hash_of_its_bytes() -> None:
    assert Script.of("é").hash == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == canonical({"a": {"c": 3, "d": 2}, "b": 1})
    assert canonical({"a": [1, 2]}) != canonical({"a": [2, 1]})


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_900, timezone(timedelta(hours=9)))
    assert rfc3339(moment) == "2026-01-01T18:04:05.678Z"
    assert rfc3339(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"


def test_an_answer_names_its_output_only_when_there_is_some() -> None:
    silent = ExecuteAnswer("id", "python-hello", 1.5, cached=True, result=Raw(b'{"a": 1}'))
    begins = b'{"request_id":"id","language_title":"python-hello","execution_time":1.5,'
    assert dumps(silent) == begins + b'"cached":true,"result":{"a": 1}}'
    loud = msgspec.structs.replace(silent, stdout="é", stderr="err")
    assert dumps(loud) == begins + b'"cached":true,"result":{"a": 1},"stdout":"\xc3\xa9","stderr":"err"}'
    half = msgspec.structs.replace(silent, stdout="\udfff")
    assert dumps(half) == begins + b'"cached":true,"result":{"a":1},"stdout":"\\udfff"}'


def test_only_a_compiled_session_tells_of_its_compiler() -> None:
    interpreted = InitializeAnswer("id", "initialized", "2026-01-02T00:00:00.000Z")
    begins = b'{"request_id":"id","status":"initialized","expires_at":"2026-01-02T00:00:00.000Z"'
    assert dumps(interpreted) == begins + b"}"
    compiled = msgspec.structs.replace(interpreted, compile_status="compiled", artifact_cached=False)
    assert dumps(compiled) == begins + b',"compile_status":"compiled","artifact_cached":false}'


def test_a_shared_run_gives_back_all_that_is_answered() -> None:
    run = Run(Raw(b'{"big": 1180591620717411303424, "text": "x"}'), 1.5, "out", "err", {"cold": True})
    outcome = Outcome(run)
    assert outcome.shared() == Outcome(Run(run.result, 1.5, "out", "err"))
    assert (outcome.succeeded, outcome.executed) == (True, True)
    assert outcome.answer() is run


def test_half_of_a_surrogate_pair_is_shared_too() -> None:
    run = Outcome(Run(Raw(b'{"result": "\\ud800", "n": [1]}'), 1.5, "\udfff")).shared().answer()
    assert json.loads(bytes(run.result)) == {"result": "\ud800", "n": [1]}
    assert (run.execution_time, run.stdout, run.stderr) == (1.5, "\udfff", "")


def test_what_was_never_an_outcome_is_refused() -> None:
    for text in (b"{}", b"[]", b"no JSON", b'{"run": {"result": 1}}', b'{"error": {"code": "X"}}'):
        with pytest.raises(ValueError):
            Outcome.from_json(text)


@pytest.mark.parametrize(
    ("error", "executed"),
    [
        (ScriptFailed("it raised", details={"line": 3}), True),
        (DeadlinePassed("too slow"), True),
        (RateLimited("busy"), False),
        (NotFound("no runtime"), False),
        (ServiceError("an internal error"), False),
    ],
)
def test_a_shared_failure_is_raised_anew_for_each(error: ServiceError, executed: bool) -> None:
    outcome = Outcome(error)
    assert (outcome.succeeded, outcome.executed) == (False, executed)
    with pytest.raises(type(error)) as raised:
        outcome.shared().answer()
    assert raised.value is not error
    assert raised.value.document() == error.document()
    assert raised.value.headers() == error.headers()


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
