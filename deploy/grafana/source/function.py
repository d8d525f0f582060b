"""One function, call by call, from the log of requests in PostgreSQL: metrics have neither titles nor users."""

from typing import Any

from deploy.grafana.source.board import THIRD, Panel, dashboard, series, stat, table, variable
from deploy.grafana.source.limits import ERROR_RATIO, RUN_SECONDS
from deploy.grafana.source.queries import REQUEST_LOG, Sql

TIMES = "$__timeFilter(created_at)"
LANGUAGE = variable(
    "language",
    "Language",
    f"SELECT DISTINCT language FROM request_logs WHERE {TIMES} AND title IS NOT NULL",
    REQUEST_LOG,
    all_value=None,
)
TITLE = variable(
    "title",
    "Function",
    f"SELECT DISTINCT title FROM request_logs WHERE {TIMES} AND language IN (${{language:sqlstring}})",
    REQUEST_LOG,
    all_value=None,
)
ENDPOINT = variable(
    "endpoint",
    "Endpoint",
    f"SELECT DISTINCT endpoint FROM request_logs WHERE {TIMES}",
    REQUEST_LOG,
    all_value=None,
)
CHOSEN = (
    f"{TIMES} AND language IN (${{language:sqlstring}}) AND title IN (${{title:sqlstring}}) "
    "AND endpoint IN (${endpoint:sqlstring})"
)
CALLS = f"FROM request_logs WHERE {CHOSEN}"
RUNS = (
    "FROM request_logs CROSS JOIN LATERAL analytics.figures(runtime_metrics) AS used "
    f"WHERE {CHOSEN} AND runtime_metrics IS NOT NULL"
)
MOMENT = "$__timeGroup(created_at, $__interval) AS time"
OVER_TIME = "GROUP BY 1 ORDER BY 1"


def function() -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        "lambda-function",
        "Lambda: one function",
        "One function, call by call, from the log of requests: choose its language and title above. "
        "LOG_RETENTION_DAYS says for how long calls are known.",
        (LANGUAGE, TITLE, ENDPOINT),
        {
            "Chosen time": [*_figures_of_calls(), *_figures_of_runs()],
            "Course": _course(),
            "Single calls": _calls(),
        },
    )


def _figures_of_calls() -> list[Panel]:
    return [
        stat(
            "Calls",
            Sql(f"SELECT count(*) AS calls {CALLS}"),
            unit="short",
            red="Has no limit. None: is the name right, and the time?",
            span=THIRD,
        ),
        stat(
            "Calls that ended with 5xx",
            Sql(f"SELECT avg((status_code >= 500)::integer) AS share {CALLS}"),
            unit="percentunit",
            limit=ERROR_RATIO,
            red="The table of errors below says why. RUNTIME_ERROR and TIMEOUT are the script's own. "
            "docs/operations.md#error-rate-is-high",
            span=THIRD,
        ),
        stat(
            "Users",
            Sql(f"SELECT count(DISTINCT user_id) AS users {CALLS}"),
            unit="short",
            red="Has no limit. How many are hurt when something else is red.",
            span=THIRD,
        ),
    ]


def _figures_of_runs() -> list[Panel]:
    return [
        stat(
            "Time of a run, 95th percentile",
            Sql(
                "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time_ms) AS ms "
                f"{CALLS} AND NOT cached AND execution_time_ms IS NOT NULL"
            ),
            unit="ms",
            limit=RUN_SECONDS * 1000,
            red="This function is slow: its author's to look at, unless all of its language are. "
            "docs/operations.md#runtime-latency-is-high",
            span=THIRD,
        ),
        stat(
            "Executions answered without a run",
            Sql(f"SELECT avg(cached::integer) AS share {CALLS} AND endpoint = 'execute'"),
            unit="percentunit",
            red="Has no limit. Low: params differ each time, or clients send X-Cache-Control: no-cache.",
            span=THIRD,
        ),
        stat(
            "Runs that had to load the script",
            Sql(f"SELECT avg(used.cold::integer) AS share {RUNS}"),
            unit="percentunit",
            red="Has no limit. Many: it is pushed out of the pool, or asks for isolation: execution. "
            "docs/operations.md#runtime-latency-is-high",
            span=THIRD,
        ),
    ]


def _course() -> list[Panel]:
    percentiles = ", ".join(
        f'percentile_cont({share}) WITHIN GROUP (ORDER BY {column}) AS "{name}"'
        for share, column, name in (
            (0.5, "duration_ms", "call, 50th"),
            (0.95, "duration_ms", "call, 95th"),
            (0.95, "execution_time_ms", "run, 95th"),
        )
    )
    return [
        series(
            "Calls by outcome",
            Sql(
                f"SELECT {MOMENT}, coalesce(lower(error_code), 'ok') AS metric, count(*) AS calls {CALLS} "
                "GROUP BY 1, 2 ORDER BY 1",
                series=True,
            ),
            unit="short",
            red="Has no limit of its own. Each code has its row in docs/operations.md#every-code",
        ),
        series(
            "Time of a call and of a run",
            Sql(f"SELECT {MOMENT}, {percentiles} {CALLS} {OVER_TIME}", series=True),
            unit="ms",
            limit=RUN_SECONDS * 1000,
            red="A call much longer than its run waited: for a worker, or for a store. "
            "docs/operations.md#controller-latency-is-high",
        ),
        series(
            "Memory of a run, mean and maximum",
            Sql(
                f"SELECT {MOMENT}, avg(used.memory_usage_bytes) AS mean, max(used.memory_usage_bytes) AS maximum "
                f"{RUNS} {OVER_TIME}",
                series=True,
            ),
            unit="bytes",
            red="Has no limit. At MEMORY_MAX_BYTES the worker is killed. docs/operations.md#workers-are-killed",
        ),
        series(
            "Processor time of a run, mean and maximum",
            Sql(
                f"SELECT {MOMENT}, avg(used.cpu_time_ms) AS mean, max(used.cpu_time_ms) AS maximum "
                f"{RUNS} {OVER_TIME}",
                series=True,
            ),
            unit="ms",
            red="Has no limit. Near the time of the run it computes; far below it waits.",
        ),
    ]


def _calls() -> list[Panel]:
    return [
        table(
            "Latest errors",
            Sql(
                "SELECT created_at, error_code, details ->> 'kind' AS kind, message, http_request_id "
                f"FROM error_logs WHERE {CHOSEN} ORDER BY created_at DESC LIMIT 50"
            ),
            unit="short",
            red="Has no limit. The id of the request is in every line of the log. docs/operations.md#first-look",
        ),
        table(
            "Slowest calls",
            Sql(
                "SELECT created_at, endpoint, status_code, cached, duration_ms, execution_time_ms, http_request_id "
                f"{CALLS} ORDER BY duration_ms DESC LIMIT 50"
            ),
            unit="ms",
            red="Has no limit. docs/operations.md#runtime-latency-is-high",
        ),
        table(
            "Scripts that ran under this name",
            Sql(
                "SELECT script_hash, min(created_at) AS first_call, max(created_at) AS last_call, count(*) AS calls "
                f"{CALLS} GROUP BY 1 ORDER BY 3 DESC"
            ),
            unit="short",
            red="Has no limit. Did it turn red with a new text?",
        ),
    ]
