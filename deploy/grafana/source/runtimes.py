"""Runtimes: what their workers do, how long calls wait for one, and what ends them."""

from typing import Any

from deploy.grafana.source.board import LANGUAGE, NAMESPACE, Panel, dashboard, series, stat
from deploy.grafana.source.limits import KILL_RATIO, QUEUE_SECONDS, RUN_SECONDS
from deploy.grafana.source.queries import Prom, chosen, mean, quantile, rate

STARTS = "lambda_runtime_starts_total"
KILLS = "lambda_runtime_kills_total"
COMPILATIONS = "lambda_runtime_compile_seconds"
JOB = 'job="runtime"'
#: A client that hangs up is no fault of the script.
VERDICT = 'verdict!="client_gone"'


def runtimes() -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        "lambda-runtimes",
        "Lambda: runtimes",
        "The runtimes of all languages: their workers, the calls that wait for one, cold and warm starts, kills, "
        "compilations, and packages of scripts.",
        (NAMESPACE, LANGUAGE),
        {
            "Now": _now(),
            "Calls": _calls(),
            "Workers": _workers(),
            "Kills and compilations": _ends(),
            "Packages of scripts": _environments(),
        },
    )


def _now() -> list[Panel]:
    language = chosen("language")
    runs = rate(STARTS, language)
    return [
        stat(
            "Runtimes that answer Prometheus",
            Prom(f"sum(up{chosen(JOB)})"),
            unit="short",
            least=1,
            red="No runtime is there: nothing runs. docs/operations.md#a-runtime-is-away",
        ),
        stat(
            "Runs a second",
            Prom(runs),
            unit="ops",
            red="Has no limit. None while requests come: the cache has them all, or the runtimes are away.",
        ),
        stat(
            "Calls that wait for a worker",
            Prom(f"sum(lambda_runtime_waiting_requests{language})"),
            unit="short",
            red="Has no limit. For long: more replicas, or WORKERS_MAX. "
            "docs/operations.md#runtime-latency-is-high",
        ),
        stat(
            "Runs that cost their worker",
            Prom(f"({rate(KILLS, chosen('language', VERDICT))} or vector(0)) / {runs}"),
            unit="percentunit",
            limit=KILL_RATIO,
            red="See below by which verdict. docs/operations.md#workers-are-killed",
        ),
    ]


def _calls() -> list[Panel]:
    language = chosen("language")
    return [
        series(
            "Calls by outcome",
            Prom(rate("lambda_runtime_requests_total", language, by="call, code"), "{{call}}: {{code}}"),
            unit="reqps",
            red="Has no limit. `script_needed` is a runtime that was started anew; `unauthorized` one with another "
            "secret than the controller's. docs/operations.md#secrets",
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
            "Time of a run in its process by language, 95th percentile",
            Prom(quantile(0.95, "lambda_runtime_run_seconds", language, by="language"), "{{language}}"),
            unit="s",
            limit=RUN_SECONDS,
            red="Failed runs count here, unlike in the dashboard of the performance. "
            "docs/operations.md#runtime-latency-is-high",
        ),
        series(
            "Calls that wait for a worker, by language",
            Prom(f"sum by (language) (lambda_runtime_waiting_requests{language})", "{{language}}"),
            unit="short",
            red="Has no limit. At QUEUE_MAX further calls are refused. "
            "docs/operations.md#runtime-latency-is-high",
        ),
        series(
            "Connections that carry calls as frames, by language",
            Prom(f"sum by (language) (lambda_runtime_frame_connections{language})", "{{language}}"),
            unit="short",
            red="Has no limit. None: the addresses of runtimes name no frames, and calls go by HTTP.",
        ),
        series(
            "Connections for frames that were refused, by reason",
            Prom(
                rate("lambda_runtime_frame_connections_refused_total", language, by="language, reason"),
                "{{language}}: {{reason}}",
            ),
            unit="ops",
            red="Has no limit. `secret`: RUNTIME_SECRET differs between controller and runtime.",
        ),
    ]


def _workers() -> list[Panel]:
    language = chosen("language")
    return [
        series(
            "Workers by state",
            Prom(f"sum by (language, state) (lambda_runtime_workers{language})", "{{language}}: {{state}}"),
            unit="short",
            red="Has no limit. Busy ones at WORKERS_MAX: calls wait. No blank ones for long: workers do not start; "
            "see the runtime's log.",
        ),
        series(
            "Runs by language and start",
            Prom(rate(STARTS, language, by="language, start"), "{{language}}: {{start}}"),
            unit="ops",
            red="Has no limit. Many cold ones: scripts push each other out of the pool. "
            "docs/operations.md#runtime-latency-is-high",
        ),
    ]


def _ends() -> list[Panel]:
    language = chosen("language")
    return [
        series(
            "Workers killed, by verdict",
            Prom(rate(KILLS, language, by="language, verdict"), "{{language}}: {{verdict}}"),
            unit="ops",
            red="Has no limit of its own. Each verdict has its row in docs/operations.md#workers-are-killed",
        ),
        series(
            "Compilations",
            Prom(rate(f"{COMPILATIONS}_count", language, by="language"), "{{language}}"),
            unit="ops",
            red="Has no limit. Each costs seconds of a processor; artifacts are kept by the controller.",
        ),
        series(
            "Mean time of a compilation",
            Prom(mean(COMPILATIONS, language, by="language"), "{{language}}"),
            unit="s",
            red="Has no limit; at COMPILE_TIMEOUT it is given up. Slow: the runtime is short of processors.",
        ),
    ]


def _environments() -> list[Panel]:
    language = chosen("language")
    return [
        series(
            "Environments that are kept, by language",
            Prom(f"sum by (language) (lambda_runtime_environments{language})", "{{language}}"),
            unit="short",
            red="Has no limit: ENVIRONMENTS_MAX_BYTES bounds their bytes.",
        ),
        series(
            "Disk space of environments, by language",
            Prom(f"sum by (language) (lambda_runtime_environment_bytes{language})", "{{language}}"),
            unit="bytes",
            red="Has no limit. At ENVIRONMENTS_MAX_BYTES in each runtime, those used least recently make room.",
        ),
        series(
            "Calls with an environment, by whether it was there",
            Prom(
                rate("lambda_runtime_environments_asked_total", language, by="language, found"),
                "{{language}}: {{found}}",
            ),
            unit="reqps",
            red="Has no limit. Many that are `needed`: ENVIRONMENTS_MAX_BYTES is too small, or runtimes often start.",
        ),
        series(
            "Environments that made room for others, by language",
            Prom(rate("lambda_runtime_environments_evicted_total", language, by="language"), "{{language}}"),
            unit="ops",
            red="Has no limit. Often: raise ENVIRONMENTS_MAX_BYTES, or the same ones are sent again and again.",
        ),
    ]
