"""Which calls the Python client repeats, and how long it waits."""

import json
from typing import Any

import pytest

from lambda_ms import LambdaError, Retries, Unreachable, calls
from lambda_ms.call import Call
from lambda_ms.errors import error_of
from lambda_ms.retries import Course

RUN = calls.run("python-x")
KEYED = calls.run("python-x", key="k")
READ = calls.functions()
CHANGE = calls.put_function("python-x", {})


def refusal(status: int, code: str, after: str = "") -> LambdaError:
    body = json.dumps({"error": {"code": code, "message": "", "details": {}}}).encode()
    return error_of(status, {"Retry-After": after} if after else {}, body)


REFUSED = Unreachable("refused", sent=False)
LOST = Unreachable("lost", sent=True)
AWAY = refusal(503, "RUNTIME_UNAVAILABLE", "1")


@pytest.mark.parametrize(
    ("call", "error", "repeated"),
    [
        (RUN, REFUSED, True),
        (CHANGE, REFUSED, True),
        (READ, LOST, True),
        (KEYED, LOST, True),
        (RUN, LOST, False),
        (CHANGE, LOST, False),
        (READ, AWAY, True),
        (CHANGE, AWAY, True),
        (KEYED, AWAY, True),
        (RUN, AWAY, False),
        (RUN, refusal(429, "RATE_LIMITED", "1"), True),
        (READ, refusal(500, "INTERNAL_ERROR"), False),
        (KEYED, refusal(500, "RUNTIME_ERROR"), False),
        (READ, refusal(502, "no code of ours"), False),
    ],
)
def test_a_call_is_repeated_only_where_that_is_safe(
    call: "Call[Any]", error: LambdaError, repeated: bool
) -> None:
    course = Course(Retries(), call)

    if repeated:
        assert course.pause(error) > 0
    else:
        with pytest.raises(type(error)):
            course.pause(error)


def test_the_last_attempt_raises() -> None:
    course = Course(Retries(attempts=3), READ)

    pauses = [course.pause(LOST), course.pause(LOST)]

    assert pauses[1] > pauses[0]
    with pytest.raises(Unreachable):
        course.pause(LOST)


def test_a_wait_is_at_least_what_the_service_asks_for() -> None:
    assert Course(Retries(), READ).pause(refusal(503, "STORE_UNAVAILABLE", "9")) >= 9
    assert Course(Retries(), RUN).pause(refusal(429, "RATE_LIMITED", "30")) >= 30


def test_patience_with_a_limit_ends() -> None:
    course = Course(Retries(attempts=2, patience=60), RUN)
    limited = refusal(429, "RATE_LIMITED", "25")

    course.pause(limited)
    course.pause(limited)

    with pytest.raises(LambdaError):
        course.pause(limited)


def test_one_attempt_repeats_nothing() -> None:
    for error in (REFUSED, AWAY, refusal(429, "RATE_LIMITED", "1")):
        with pytest.raises(LambdaError):
            Course(Retries(attempts=1), READ).pause(error)
