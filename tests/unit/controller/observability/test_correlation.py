"""The ids by which a request is found in every log."""

import pytest

from controller.observability.correlation import CorrelationIds


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_request_id_is_kept(given: str) -> None:
    assert CorrelationIds.of({"HTTP_X_REQUEST_ID": given}).http_request_id == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "é"])
def test_an_unusable_request_id_is_replaced(given: str) -> None:
    first, second = (CorrelationIds.of({"HTTP_X_REQUEST_ID": given}).http_request_id for _ in range(2))
    assert given not in (first, second)
    assert first != second


def test_other_marks_are_passed_on_where_they_are_well_formed() -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    ids = CorrelationIds.of({"HTTP_X_CALL_ID": "7c9e-1", "HTTP_TRACEPARENT": traceparent})
    assert (ids.call_id, ids.traceparent) == ("7c9e-1", traceparent)


@pytest.mark.parametrize("given", ["", "x" * 200, "a b", "\xe9", "00-" + "G" * 32 + "-" + "b" * 16 + "-01\t"])
def test_other_marks_that_are_malformed_are_left_out(given: str) -> None:
    ids = CorrelationIds.of({"HTTP_X_CALL_ID": given, "HTTP_TRACEPARENT": given})
    assert (ids.call_id, ids.traceparent) == (None, None)
