"""For each alert: series that it fires for, and series like them for which it stays silent."""

from dataclasses import dataclass

#: Values minute by minute, over half an hour, in promtool's notation.
Series = dict[str, str]
NONE, FEW, MANY = "0+0x30", "0+1x30", "0+60x30"


@dataclass(frozen=True)
class Case:
    """What one alert is for.

    Args:
        sick: series that make it fire, and no other alert.
        well: series for which none fires.
        after: minutes in which it fires at the latest; a minute before its `for` has passed it does not.
        held: minutes of `for`, and so those in which it has to be silent at first.
    """

    sick: Series
    well: Series
    held: int = 5


def times(metric: str, labels: str, quick: str, slow: str, limit: str, beyond: str) -> Series:
    """A histogram: so many observations up to `limit`, and so many above it, up to `beyond`."""
    total = "0+61x30" if {quick, slow} == {FEW, MANY} else MANY
    return {
        f'{metric}_bucket{{{labels},le="{limit}"}}': quick,
        f'{metric}_bucket{{{labels},le="{beyond}"}}': total,
        f'{metric}_bucket{{{labels},le="+Inf"}}': total,
    }


def latency(metric: str, labels: str, limit: str, beyond: str) -> Case:
    """Most observations are above the limit, or most below: one in sixty is no reason."""
    sick = times(metric, labels, FEW, MANY, limit, beyond)
    return Case(sick, times(metric, labels, MANY, FEW, limit, beyond))


def part(metric: str, bad: str, good: str) -> tuple[Series, Series]:
    """One in sixty is bad, or none."""
    well = {f"{metric}{{{bad}}}": NONE, f"{metric}{{{good}}}": MANY}
    return well | {f"{metric}{{{bad}}}": FEW}, well


def failures(store: str) -> Case:
    """One in six operations fails, or one in sixty."""
    counted = {f'lambda_{store}_seconds_count{{operation="ping"}}': MANY}
    failed = f'lambda_{store}_failures_total{{operation="ping"}}'
    return Case(counted | {failed: "0+10x30"}, counted | {failed: FEW}, held=2)


ANSWERS = "http_request_duration_seconds_count"
STARTS = 'lambda_runtime_starts_total{language="python",start="warm"}'
KILLED = 'lambda_runtime_kills_total{language="python",verdict="%s"}'
CLEANED = 'lambda_maintenance_success_timestamp_seconds{task="sessions"}'
CONTROLLER = 'lambda_build_info{component="controller"}'

CASES = {
    "LambdaErrorRateHigh": Case(
        *part(ANSWERS, 'endpoint="execute",status="500"', 'endpoint="execute",status="200"')
    ),
    "LambdaFaultRateHigh": Case(
        *part("lambda_requests_total", 'code="internal_error"', 'code="runtime_error"'),
    ),
    "LambdaControllerLatencyHigh": latency("lambda_controller_seconds", 'endpoint="execute"', "0.05", "0.1"),
    "LambdaRuntimeLatencyHigh": latency(
        "lambda_runtime_execution_seconds", 'language="python"', "1.0", "2.5"
    ),
    "LambdaRuntimeQueueLong": latency("lambda_runtime_queue_seconds", 'language="python"', "0.5", "1.0"),
    "LambdaRedisLatencyHigh": latency("lambda_redis_seconds", 'operation="begin"', "0.01", "0.025"),
    "LambdaRedisFailing": failures("redis"),
    "LambdaPostgresLatencyHigh": latency("lambda_postgres_seconds", 'operation="session"', "0.1", "0.25"),
    "LambdaPostgresFailing": failures("postgres"),
    "LambdaSpoolGrowing": Case(
        {"lambda_log_spool_bytes": "0+1000x30"}, {"lambda_log_spool_bytes": "90000-1000x30"}, held=5
    ),
    "LambdaLogRecordsLost": Case(
        {"lambda_log_records_lost_total": "0+0x25 3+0x4"}, {"lambda_log_records_lost_total": "7+0x30"}, held=0
    ),
    "LambdaWorkersKilled": Case(
        {STARTS: MANY, KILLED % "timeout": "0+6x30"},
        {STARTS: MANY, KILLED % "timeout": FEW, KILLED % "client_gone": "0+30x30"},
        held=10,
    ),
    "LambdaCircuitOpen": Case(
        {'lambda_circuits{state="open"}': "1+0x30"},
        {'lambda_circuits{state="open"}': NONE, 'lambda_circuits{state="closed"}': "3+0x30"},
        held=1,
    ),
    "LambdaSessionCleanUpStalled": Case(
        # promtool's time begins with 0: what was done then is 300 s old after five minutes.
        {CLEANED: NONE},
        {CLEANED: "0+60x30", CONTROLLER: "1+0x30"},
        held=10,
    ),
    "LambdaTargetDown": Case({'up{job="runtime"}': NONE}, {'up{job="runtime"}': "1+0x30"}, held=2),
}
