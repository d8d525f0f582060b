"""What each panel has to show after the load: by dashboard and title."""

from collections import Counter
from collections.abc import Mapping

from tests.integration.observability.load import (
    CROWD,
    LONG,
    MISSES,
    PACKAGES,
    REFRESHES,
    SHARED,
    SLOW,
    WAITERS,
)
from tests.integration.observability.observation import (
    CALLS,
    GATEWAY_CALLS,
    GATEWAY_FUNCTION,
    GATEWAY_SECONDS,
)
from tests.integration.observability.seen import (
    STRETCH,
    Check,
    Seen,
    about,
    between,
    counts,
    exactly,
    longest,
    of_language,
    peaks,
)

LANGUAGES: set[tuple[str, ...]] = {("nodejs",), ("python",), ("rust",)}
#: Of a figure that may be anything but nothing: a tenth of a millisecond.
SOME = 1e-4
WAITING = CROWD - 8


def one(value: float) -> Mapping[tuple[str, ...], float]:
    return {(): value}


def keyed(pairs: Mapping[str, float]) -> Mapping[tuple[str, ...], float]:
    return {(key,): value for key, value in pairs.items()}


def failed(seen: Seen) -> int:
    return sum(number for (_, status), number in seen.ledger.answers.items() if status[0] == "5")


def part_failed(seen: Seen) -> float:
    return failed(seen) / seen.ledger.answers.total()


def without_run(seen: Seen) -> float:
    lookups = seen.ledger.lookups
    return (lookups["hit"] + lookups["coalesced"]) / lookups.total()


def by_status(seen: Seen) -> Mapping[tuple[str, ...], float]:
    counted: Counter[tuple[str, ...]] = Counter()
    for (_, status), number in seen.ledger.answers.items():
        counted[status,] += number
    return counted


def errors(seen: Seen) -> Mapping[tuple[str, ...], float]:
    return {key: number for key, number in seen.ledger.by(2).items() if key != ("ok",)}


def part_killed(seen: Seen) -> float:
    kills = seen.ledger.kills
    return (kills.total() - kills["python", "client_gone"]) / seen.starts.total()


def runtime_calls(seen: Seen) -> Mapping[tuple[str, ...], float]:
    """By call and code."""
    asked = seen.ledger.by(0, 2)
    outcomes: dict[tuple[str, ...], float] = {
        ("run", "ok"): seen.ledger.runs,
        ("prepare", "ok"): seen.ledger.sessions.total() - seen.ledger.artifacts["rust", "cache"],
        ("prepare", "initialization_error"): asked["initialize", "initialization_error"],
        # The runtime lacks the manifest of a new environment, then its one other part.
        ("prepare", "environment_needed"): 2,
        ("environment", "ok"): 2,
    }
    return outcomes | {("run", code): asked["execute", code] for code in ("runtime_error", "timeout")}


def mean_nap(seen: Seen) -> float:
    """What Python's successful runs slept on average."""
    runs = seen.ledger.requests["execute", "python", "ok"] - seen.ledger.lookups["hit"] - WAITERS
    return (SLOW * (MISSES + REFRESHES) + SHARED + LONG * CROWD) / runs


def flown(seen: Seen) -> int:
    """Executions that asked Redis for a result, or would have."""
    executions = {key: n for key, n in seen.ledger.requests.items() if key[0] == "execute"}
    return sum(
        n for (_, language, code), n in executions.items() if language != "none" and code != "forbidden"
    )


def near_hits(seen: Seen) -> float:
    """Executions that made no trip to Redis to begin."""
    (rate,) = seen.now("sum(rate(lambda_near_hits_total[$__rate_interval]))").values()
    return rate * seen.window


def includes_alerts(expression: str, seen: Seen) -> None:
    """Those that the load gives reason for, each with its state, its severity and perhaps its language."""
    told = {key[0] for key in seen.now(expression)}
    assert {"LambdaErrorRateHigh", "LambdaFaultRateHigh", "LambdaTargetDown", "LambdaCircuitOpen"} <= told
    assert not {"LambdaLogRecordsLost", "LambdaSessionCleanUpStalled"} & told


def instances(expression: str, seen: Seen) -> None:
    """One of each, but for the one that is down."""
    found = {component: number for (component, _, _), number in seen.now(expression).items()}
    assert found == {"controller": 1, "runtime-python": 1, "runtime-rust": 1}


def answers_by_bucket(expression: str, seen: Seen) -> None:
    """More from bucket to bucket, and in the last one all of them."""
    found = {float(bound): number for (bound,), number in seen.now(expression).items()}
    numbers = [found[bound] for bound in sorted(found)]
    total = seen.ledger.answers.total()
    assert numbers == sorted(numbers)
    assert total * 0.99 <= numbers[-1] <= total * STRETCH


OVERVIEW: dict[str, Check] = {
    # Node.js is down by now: two runtimes, the controller, `packages` and the gateway are there.
    "Targets that answer Prometheus": exactly(lambda _: one(5 / 6)),
    "Answers that are 5xx": about(part_failed),
    "Controller's own time, 95th percentile": between(SOME, longest(0.95, "execute", "initialize")),
    "Time of a run, 95th percentile": between(LONG / 2, LONG * 2),
    "Requests a second": counts(lambda seen: one(seen.ledger.requests.total())),
    "Executions answered without a run": about(without_run),
    "Active sessions": between(1, lambda seen: seen.total.sessions.total()),
    "Open circuits": exactly(lambda _: one(1)),
    "Requests by endpoint": counts(lambda seen: seen.ledger.by(0)),
    "Errors by code": counts(errors),
    "Requests by language": counts(lambda seen: seen.ledger.by(1)),
    "Sessions begun by language": counts(lambda seen: keyed(seen.ledger.sessions)),
    "Executions by name, by what named the version": counts(lambda seen: seen.ledger.references),
    "Answers by status": counts(by_status),
    "Gateway: calls by function": counts(lambda _: {(GATEWAY_FUNCTION,): sum(GATEWAY_CALLS.values())}),
    "Gateway: calls that failed, by function": about(
        lambda _: GATEWAY_CALLS["502"] / sum(GATEWAY_CALLS.values())
    ),
    "Alerts, pending and firing": includes_alerts,
    "Instances by version": instances,
    "Gateway: time of a call, 95th percentile": between(
        GATEWAY_SECONDS / 2, GATEWAY_SECONDS * 2, {(GATEWAY_FUNCTION,)}
    ),
}
PERFORMANCE: dict[str, Check] = {
    "Time of an answer, percentiles": between(SOME, longest(0.99)),
    "Time of an answer by endpoint, 95th percentile": between(
        SOME, longest(1), {(name,) for name in ("execute", "functions", "health", "initialize", "sessions")}
    ),
    "Times of answers": answers_by_bucket,
    "Mean time of an answer by endpoint": between(SOME, longest(0.95)),
    "Controller's own time by endpoint, 95th percentile": between(
        SOME, longest(0.95, "execute", "initialize"), {("execute",), ("initialize",)}
    ),
    "Mean of the controller's own time by endpoint": between(SOME, longest(0.95, "execute", "initialize")),
    "Time of a run by language, 95th percentile": between(SOME, LONG * 2, LANGUAGES),
    "Mean time of a run by language": of_language(
        "python", between(mean_nap, lambda seen: 1.3 * mean_nap(seen), {("python",)})
    ),
    "Wait for a worker by language, 95th percentile": between(0, LONG * 2, LANGUAGES),
    "Runs that had to load their script, by language": between(0, 1, LANGUAGES),
    "Executions by the source of their answer": counts(lambda seen: keyed(seen.ledger.lookups)),
    "Copies of results in processes": peaks({(): (1e-6, 1e6)}),
    "Bytes of results in processes": peaks({(): (1, 1 << 24)}),
    "Executions answered without a run": about(without_run),
    "Initializations of compiled languages by the source of the artifact": counts(
        lambda seen: seen.ledger.artifacts
    ),
    "Time of a compilation, 95th percentile": between(0.1, longest(1, "initialize"), {("rust",)}),
}
RUNTIMES: dict[str, Check] = {
    "Runtimes that answer Prometheus": exactly(lambda _: one(2)),
    "Runs a second": counts(lambda seen: one(seen.starts.total())),
    "Calls that wait for a worker": peaks({(): (1, WAITING)}),
    "Runs that cost their worker": about(part_killed),
    "Calls by outcome": counts(runtime_calls),
    "Wait for a worker by language, 95th percentile": between(0, LONG * 2, LANGUAGES),
    "Time of a run in its process by language, 95th percentile": between(SOME, longest(1), LANGUAGES),
    "Connections that carry calls as frames, by language": peaks({("python",): (0, 9), ("rust",): (0, 9)}),
    "Connections for frames that were refused, by reason": counts(lambda _: {}),
    "Calls that wait for a worker, by language": peaks({("python",): (1, WAITING), ("rust",): (0, 0)}),
    "Workers by state": peaks({("python", "busy"): (8, 8), ("rust", "idle"): (1, 16)}),
    "Runs by language and start": counts(lambda seen: seen.starts),
    "Workers killed, by verdict": counts(lambda seen: seen.ledger.kills),
    "Compilations": counts(lambda seen: {("rust",): seen.ledger.artifacts["rust", "compiler"]}),
    "Mean time of a compilation": between(0.1, longest(1, "initialize"), {("rust",)}),
    "Environments that are kept, by language": exactly(lambda _: keyed({"python": len(PACKAGES), "rust": 0})),
    "Disk space of environments, by language": peaks({("python",): (1000, 1 << 20), ("rust",): (0, 0)}),
    "Calls with an environment, by whether it was there": counts(
        lambda _: {("kept", "python"): 2, ("needed", "python"): 2}
    ),
    "Environments that made room for others, by language": exactly(lambda _: dict.fromkeys(LANGUAGES, 0)),
}
CHORES = {
    (name,)
    for name in (
        "connections",
        "environments",
        "functions",
        "keys",
        "partitions",
        "retention",
        "sessions",
        "statistics",
    )
}
INFRASTRUCTURE: dict[str, Check] = {
    "Redis: operations": counts(lambda seen: {("begin",): flown(seen) - near_hits(seen)}, others=True),
    "Redis: time of an operation, 95th percentile": between(1e-5, longest(1)),
    "Redis: failed operations": counts(lambda _: {("begin",): CALLS}, others=True),
    "PostgreSQL: operations": counts(
        lambda seen: {("begin_session",): seen.ledger.by(0, 2)["initialize", "ok"]}, others=True
    ),
    "PostgreSQL: time of an operation, 95th percentile": between(1e-5, longest(1)),
    "PostgreSQL: failed operations": counts(lambda _: {("functions",): CALLS}, others=True),
    "Log records that wait in memory": peaks({(): (0, 1000)}),
    "Log records that wait on disk": peaks({(): (1000, 1 << 20)}, last=0),
    "Log records lost": exactly(lambda _: one(0)),
    "Declarations of packages by what they found": counts(
        lambda _: {("python", "new"): 1, ("python", "hit"): 1}
    ),
    "Builds of environments by outcome": counts(lambda _: {("ok", "python"): 1}),
    "Time of a build, 95th percentile": between(SOME, longest(1, "initialize"), {("python",)}),
    "Calls of `packages`, 95th percentile": between(
        SOME, longest(1, "initialize"), {("build", "python"), ("resolve", "python")}
    ),
    "Bytes of environments": peaks({(): (100, 1 << 30)}),
    "Environments that made room": counts(lambda _: {}),
    "Circuits by state": exactly(lambda _: keyed({"closed": 2, "open": 1, "half-open": 0})),
    "Time since a chore was last done": between(0, 120, CHORES),
    "Targets that answer Prometheus, by job": exactly(
        lambda _: keyed({"controller": 1, "runtime": 2, "packages": 1, "gateway": 1})
    ),
    "Time of a scrape by job": between(SOME, 1, {("controller",), ("gateway",), ("packages",), ("runtime",)}),
}
PANELS = {
    "lambda-overview": OVERVIEW,
    "lambda-performance": PERFORMANCE,
    "lambda-runtimes": RUNTIMES,
    "lambda-infrastructure": INFRASTRUCTURE,
}
