"""Performance: where the time of a call goes, and what the cache and the warm workers save."""

from typing import Any

from deploy.grafana.source.board import ENDPOINT, LANGUAGE, NAMESPACE, Panel, dashboard, heatmap, series
from deploy.grafana.source.limits import CONTROLLER_SECONDS, QUEUE_SECONDS, RUN_SECONDS
from deploy.grafana.source.queries import Prom, chosen, mean, quantile, rate, share

ANSWERS = "http_request_duration_seconds"
OWN = "lambda_controller_seconds"
RUNS = "lambda_runtime_execution_seconds"
LOOKUPS = "lambda_cache_lookups_total"
PERCENTILES = {"50th": 0.5, "95th": 0.95, "99th": 0.99}


def performance() -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        "lambda-performance",
        "Lambda: performance",
        "Where the time of a call goes: the answer as a whole, the controller's own part, the run, the wait for a "
        "worker; and what the cache and warm workers save.",
        (NAMESPACE, LANGUAGE, ENDPOINT),
        {
            "Answers": _answers(),
            "Controller": _controller(),
            "Runs": _runs(),
            "Cache and compiler": _savings(),
        },
    )


def _answers() -> list[Panel]:
    endpoint = chosen("endpoint")
    return [
        series(
            "Time of an answer, percentiles",
            *(Prom(quantile(part, ANSWERS, endpoint), name) for name, part in PERCENTILES.items()),
            unit="s",
            red="Has no limit: scripts take as long as they may. Compare the controller's own time and the run's "
            "below.",
        ),
        series(
            "Time of an answer by endpoint, 95th percentile",
            Prom(quantile(0.95, ANSWERS, endpoint, by="endpoint"), "{{endpoint}}"),
            unit="s",
            red="Has no limit. Only `execute` and `initialize` wait for runtimes; if the others are slow, so is "
            "PostgreSQL. docs/operations.md#postgresql-latency-is-high",
        ),
        heatmap(
            "Times of answers",
            Prom(
                f"sum by (le) (increase({ANSWERS}_bucket{endpoint}[$__rate_interval]))",
                "{{le}}",
                buckets=True,
            ),
            unit="s",
            red="Has no limit. Two bands are the rule: answers from the cache, and runs.",
        ),
        series(
            "Mean time of an answer by endpoint",
            Prom(mean(ANSWERS, endpoint, by="endpoint"), "{{endpoint}}"),
            unit="s",
            red="Has no limit. Far above the median: a few calls are very slow; see the percentiles.",
        ),
    ]


def _controller() -> list[Panel]:
    endpoint = chosen("endpoint")
    return [
        series(
            "Controller's own time by endpoint, 95th percentile",
            Prom(quantile(0.95, OWN, endpoint, by="endpoint"), "{{endpoint}}"),
            unit="s",
            limit=CONTROLLER_SECONDS,
            red="Without the runtimes' time. See whether Redis or PostgreSQL is slow, or the processor at its limit. "
            "docs/operations.md#controller-latency-is-high",
        ),
        series(
            "Mean of the controller's own time by endpoint",
            Prom(mean(OWN, endpoint, by="endpoint"), "{{endpoint}}"),
            unit="s",
            red="Has no limit. It follows the load of the processor: docs/operations.md#capacity",
        ),
    ]


def _runs() -> list[Panel]:
    language = chosen("language")
    start = chosen("language", 'start="cold"')
    return [
        series(
            "Time of a run by language, 95th percentile",
            Prom(quantile(0.95, RUNS, language, by="language"), "{{language}}"),
            unit="s",
            limit=RUN_SECONDS,
            red="One function, or all of a language? The dashboard of one function says. "
            "docs/operations.md#runtime-latency-is-high",
        ),
        series(
            "Mean time of a run by language",
            Prom(mean(RUNS, language, by="language"), "{{language}}"),
            unit="s",
            red="Has no limit. docs/operations.md#runtime-latency-is-high",
        ),
        series(
            "Wait for a worker by language, 95th percentile",
            Prom(quantile(0.95, "lambda_runtime_queue_seconds", language, by="language"), "{{language}}"),
            unit="s",
            limit=QUEUE_SECONDS,
            red="Requests wait longer than runs take: more replicas, or WORKERS_MAX. "
            "docs/operations.md#runtime-latency-is-high",
        ),
        series(
            "Runs that had to load their script, by language",
            Prom(share("lambda_runtime_starts_total", start, language, by="language"), "{{language}}"),
            unit="percentunit",
            red="Has no limit. Many: scripts push each other out of the pool. "
            "docs/operations.md#runtime-latency-is-high",
        ),
    ]


def _savings() -> list[Panel]:
    language = chosen("language")
    return [
        series(
            "Executions by the source of their answer",
            Prom(rate(LOOKUPS, chosen(), by="result"), "{{result}}"),
            unit="reqps",
            red="Has no limit. `coalesced` waited for another execution's run, `refresh` asked for its own run.",
        ),
        series(
            "Executions answered without a run",
            Prom(share(LOOKUPS, chosen('result=~"hit|coalesced"'), chosen()), "hits and followers"),
            unit="percentunit",
            red="Has no limit. A sudden fall: Redis is away or was emptied. docs/operations.md#redis-is-away",
        ),
        series(
            "Copies of results in processes",
            Prom(rate("lambda_near_hits_total", chosen()), "hits"),
            Prom(rate("lambda_near_invalidations_total", chosen()), "changes"),
            Prom(rate("lambda_near_breaks_total", chosen()), "breaks"),
            unit="ops",
            red="Has no limit. Many breaks: the connection to Redis is unsteady, and hits make the trip again.",
        ),
        series(
            "Bytes of results in processes",
            Prom(f"sum(lambda_near_bytes{chosen()})", "bytes"),
            unit="bytes",
            red="Has no limit. At NEAR_CACHE_BYTES a process, results that were used longest ago make room.",
        ),
        series(
            "Initializations of compiled languages by the source of the artifact",
            Prom(rate("lambda_artifacts_total", language, by="language, source"), "{{language}}: {{source}}"),
            unit="reqps",
            red="Has no limit. `compiler` costs seconds of a processor, `cache` next to nothing.",
        ),
        series(
            "Time of a compilation, 95th percentile",
            Prom(quantile(0.95, "lambda_runtime_compile_seconds", language, by="language"), "{{language}}"),
            unit="s",
            red="Has no limit; at COMPILE_TIMEOUT it is given up. Slow: the runtime is short of processors.",
        ),
    ]
