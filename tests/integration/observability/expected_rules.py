"""What rules have to record, and alerts to look at, over the measured round."""

from collections.abc import Mapping

from tests.integration.observability.expected_panels import LANGUAGES, SOME, one, part_failed
from tests.integration.observability.load import LONG
from tests.integration.observability.observation import CALLS
from tests.integration.observability.seen import Check, Seen, about, between, exactly, longest, shares

FAULTS = {"internal_error", "runtime_unavailable", "store_unavailable"}
ENDPOINTS = {("execute",), ("initialize",)}


def part_faulty(seen: Seen) -> float:
    requests = seen.ledger.requests
    return sum(number for key, number in requests.items() if key[2] in FAULTS) / requests.total()


def part_killed(seen: Seen) -> Mapping[tuple[str, ...], float]:
    """Of each language's runs."""
    return {
        (language,): sum(
            number
            for (killed, verdict), number in seen.ledger.kills.items()
            if killed == language and verdict != "client_gone"
        )
        / sum(number for (ran, _), number in seen.starts.items() if ran == language)
        for (language,) in LANGUAGES
    }


def targets(expression: str, seen: Seen) -> None:
    """One of the six is down, a runtime."""
    found = seen.now(expression)
    assert sorted(found.values()) == [0, 1, 1, 1, 1, 1]
    assert {job for (_, job), value in found.items() if not value} == {"runtime"}


RECORDED: dict[str, Check] = {
    "namespace:http_requests_5xx:ratio_rate5m": about(part_failed),
    "namespace:lambda_requests_faults:ratio_rate5m": about(part_faulty),
    "namespace_endpoint:lambda_controller_seconds:p95_rate5m": between(
        SOME, longest(0.95, "execute", "initialize"), ENDPOINTS
    ),
    "namespace_language:lambda_runtime_execution_seconds:p95_rate5m": between(SOME, LONG * 2, LANGUAGES),
    "namespace_operation:lambda_redis_seconds:p95_rate5m": between(SOME / 10, longest(1)),
    "namespace_operation:lambda_postgres_seconds:p95_rate5m": between(SOME / 10, longest(1)),
    # While one was away each call failed once or a few times, and there were more operations than requests.
    "namespace:lambda_redis_failures:ratio_rate5m": between(
        lambda seen: CALLS / seen.ledger.requests.total() / 10, 0.5
    ),
    "namespace:lambda_postgres_failures:ratio_rate5m": between(
        lambda seen: CALLS / seen.ledger.requests.total() / 10, 0.5
    ),
    "namespace_language:lambda_runtime_queue_seconds:p95_rate5m": between(0, LONG * 2, LANGUAGES),
    "namespace_language:lambda_runtime_kills:ratio_rate10m": shares(part_killed),
    "namespace:lambda_sessions_clean_up:timestamp_seconds": between(
        lambda seen: seen.start - 120, lambda seen: seen.end
    ),
}
#: What alerts compare with their limits without a recorded rule between.
LOOKED_AT: dict[str, Check] = {
    "LambdaSpoolGrowing": between(-(1 << 20), 1 << 20),
    "LambdaLogRecordsLost": exactly(lambda _: one(0)),
    "LambdaCircuitOpen": exactly(lambda _: one(1)),
    "LambdaSessionCleanUpStalled": between(0, 120),
    "LambdaTargetDown": targets,
}
#: The load gives reason for these, and none for those.
ACTIVE = {
    "LambdaErrorRateHigh",
    "LambdaFaultRateHigh",
    "LambdaWorkersKilled",
    "LambdaCircuitOpen",
    "LambdaTargetDown",
}
SILENT = {"LambdaLogRecordsLost", "LambdaSessionCleanUpStalled"}
