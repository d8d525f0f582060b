"""ResultKeys: which executions share a result, and which a flight."""

from dataclasses import replace
from typing import Any

import pytest

from controller.cache.keys import SESSIONS, ResultKeys
from controller.models.registered import LanguageTitle, Session
from tests.calls import new_session

SESSION = new_session("user", compile_options={"a": 1, "b": 2}, context={"environment": {"x": 1}})
HUGE = 1 << 70


def result(params: dict[str, Any], session: Session = SESSION) -> str:
    return ResultKeys().of(session, params).result


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"a": HUGE, "b": "é"}, {"b": "é", "a": HUGE}),
        ({"a": "\ud800", "b": 1}, {"b": 1, "a": "\ud800"}),
    ],
)
def test_the_order_of_keys_does_not_matter(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert result(one) == result(other)


def test_different_params_have_different_results() -> None:
    several: list[dict[str, Any]] = [
        {},
        {"a": None},
        {"a": 1},
        {"a": 1.0},
        {"a": "1"},
        {"a": True},
        {"a": [1]},
        {"a": [[1]]},
        {"a": {"b": 1}},
        {"a": HUGE},
        {"a": -HUGE},
        {"a": HUGE + 1},
        {"a": float(HUGE)},
        {"a": str(HUGE)},
        {"a": "\ud800"},
        {"a": "\\ud800"},
        {"a": "é"},
        {"a": "\\u00e9"},
        {"b": 1},
    ]
    assert len({result(params) for params in several}) == len(several)


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "other"},
        {"name": LanguageTitle("nodejs", "echo")},
        {"script_hash": "other"},
        {"compile_options": {"a": 1}},
        {"context": {}},
    ],
)
def test_a_results_key_covers_all_that_a_result_depends_on(change: dict[str, Any]) -> None:
    assert result({"a": 1}, replace(SESSION, **change)) != result({"a": 1})


@pytest.mark.parametrize("change", [{"timeout_ms": 2000}, {"isolation": "none"}])
def test_a_flight_has_one_deadline_and_one_isolation(change: dict[str, Any]) -> None:
    result_keys = ResultKeys()
    one, other = (result_keys.of(session, {}) for session in (SESSION, replace(SESSION, **change)))
    assert one.result == other.result
    assert one.flight != other.flight


def test_sessions_of_one_script_and_owner_share_results() -> None:
    result_keys = ResultKeys()
    one, other = (result_keys.of(replace(SESSION, request_id=each), {"a": 1}) for each in ("one", "two"))
    assert one._replace(session="") == other._replace(session="")
    assert (one.session, other.session) == ("v2:session:one", "v2:session:two")


def test_what_is_remembered_of_a_session_changes_no_name() -> None:
    result_keys = ResultKeys()
    first = result_keys.of(SESSION, {"a": 1})
    assert result_keys.of(SESSION, {"a": 2}).result == result({"a": 2})
    for number in range(SESSIONS + 1):
        result_keys.of(replace(SESSION, request_id=str(number)), {})
    assert result_keys.of(SESSION, {"a": 1}) == first
    changed = replace(SESSION, context={"environment": {"x": 2}})
    assert result_keys.of(changed, {"a": 1}).result != first.result


def test_a_result_has_the_digest_that_it_had_before_keys_had_a_version() -> None:
    # Computed by the code of that version: a change here loses the results of all processes at an upgrade.
    session = replace(
        SESSION,
        user_id="alice",
        name=LanguageTitle("python", "hello"),
        script_hash="0" * 64,
        compile_options={"a": 1},
        context={"b": "c"},
    )
    digest = "0d6a570c3fbad96312b7a9fd6609d7dfa6e6d1da68d2caab9dd73db23a3a2b3c"
    assert result({"n": 1}, session) == f"v2:result:{digest}"
