"""Infrastructure: the stores, the log's way into PostgreSQL, circuits, maintenance, and what Prometheus reaches."""

from typing import Any

from deploy.grafana.source.board import HALF, NAMESPACE, THIRD, Panel, dashboard, series, table
from deploy.grafana.source.limits import CHORE_SECONDS, POSTGRES_SECONDS, REDIS_SECONDS
from deploy.grafana.source.queries import Prom, Sql, chosen, quantile, rate

JOBS = 'job=~"controller|runtime|packages|gateway"'
TABLES = """\
SELECT inhparent::regclass::text AS log, sum(pg_total_relation_size(inhrelid))::bigint AS bytes
FROM pg_inherits WHERE inhparent = 'request_logs'::regclass GROUP BY 1
UNION ALL
SELECT 'error_logs', pg_total_relation_size('error_logs')
ORDER BY 1"""


def infrastructure() -> dict[str, Any]:
    """The dashboard."""
    redis = _store(
        "Redis",
        "lambda_redis",
        REDIS_SECONDS,
        "A trip is slow: Redis itself, or the network to it. docs/operations.md#redis-latency-is-high",
        "Everything goes on, slower. docs/operations.md#redis-is-away",
    )
    postgres = _store(
        "PostgreSQL",
        "lambda_postgres",
        POSTGRES_SECONDS,
        "A statement is slow: it waits for a lock, or for the disk. "
        "docs/operations.md#postgresql-latency-is-high",
        "Known sessions go on, and the log waits. docs/operations.md#postgresql-is-away",
    )
    return dashboard(
        "lambda-infrastructure",
        "Lambda: infrastructure",
        "Redis and PostgreSQL as the controller sees them, the log's way into PostgreSQL, the circuits of the "
        "runtimes' addresses, the maintenance, and what Prometheus reaches.",
        (NAMESPACE,),
        {
            "Redis": redis,
            "PostgreSQL": postgres,
            "Log": _log(),
            "Packages of scripts": _packages() + _environments(),
            "Circuits, maintenance, targets": _health(),
        },
    )


def _store(name: str, metric: str, limit: float, slow: str, failing: str) -> list[Panel]:
    everything = chosen()
    return [
        series(
            f"{name}: operations",
            Prom(rate(f"{metric}_seconds_count", everything, by="operation"), "{{operation}}"),
            unit="ops",
            red="Has no limit. Which operation grows tells what is asked of the service.",
            span=THIRD,
        ),
        series(
            f"{name}: time of an operation, 95th percentile",
            Prom(quantile(0.95, f"{metric}_seconds", everything, by="operation"), "{{operation}}"),
            unit="s",
            limit=limit,
            red=slow,
            span=THIRD,
        ),
        series(
            f"{name}: failed operations",
            Prom(rate(f"{metric}_failures_total", everything, by="operation"), "{{operation}}"),
            unit="ops",
            limit=0.1,
            red=failing,
            span=THIRD,
        ),
    ]


def _log() -> list[Panel]:
    everything = chosen()
    lost = f"sum(increase(lambda_log_records_lost_total{everything}[$__rate_interval]))"
    growing = "docs/operations.md#the-spool-is-growing"
    return [
        series(
            "Log records that wait in memory",
            Prom(f"sum(lambda_log_queue_records{everything})", "records"),
            unit="short",
            red="Has no limit: a longer queue means larger batches. At LOG_QUEUE_SIZE records are lost. "
            "docs/operations.md#postgresql-latency-is-high",
        ),
        series(
            "Log records that wait on disk",
            Prom(f"sum(lambda_log_spool_bytes{everything})", "bytes"),
            unit="bytes",
            limit=1,
            red=f"PostgreSQL does not take log records. Do not delete pods meanwhile. {growing}",
        ),
        series(
            "Log records lost",
            Prom(lost, "records"),
            unit="short",
            limit=1,
            red=f"They are gone: no room was left for them, or PostgreSQL refused them. {growing}",
        ),
        table(
            "Size of the log",
            Sql(TABLES),
            unit="bytes",
            red="Has no limit. LOG_RETENTION_DAYS says how long rows of request_logs are kept.",
            span=HALF,
        ),
    ]


def _packages() -> list[Panel]:
    everything = chosen()
    builds = "lambda_environment_builds_total"
    return [
        series(
            "Declarations of packages by what they found",
            Prom(
                rate("lambda_environments_asked_total", everything, by="language, result"),
                "{{language}}: {{result}}",
            ),
            unit="ops",
            red="Has no limit. `new`: resolved and built; `known`: built again, since it had made room.",
        ),
        series(
            "Builds of environments by outcome",
            Prom(rate(builds, everything, by="language, code"), "{{language}}: {{code}}"),
            unit="ops",
            red="Has no limit. `runtime_unavailable`: `packages` or its registry is away. Scripts without "
            "new packages go on.",
        ),
        series(
            "Time of a build, 95th percentile",
            Prom(
                quantile(0.95, "lambda_environment_build_seconds", everything, by="language"), "{{language}}"
            ),
            unit="s",
            red="Has no limit. Beyond PACKAGES_WAIT callers are told to ask again.",
            span=HALF,
        ),
        series(
            "Calls of `packages`, 95th percentile",
            Prom(
                quantile(0.95, "lambda_packages_seconds", everything, by="call, language"),
                "{{call}}: {{language}}",
            ),
            unit="s",
            red="Has no limit. PACKAGES_TIMEOUT ends one job of uv or npm.",
            span=HALF,
        ),
    ]


def _environments() -> list[Panel]:
    everything = chosen()
    return [
        series(
            "Bytes of environments",
            Prom(f"max(lambda_environments_bytes{everything})", "bytes"),
            unit="bytes",
            red="Has no limit. At ENVIRONMENTS_MAX_BYTES those that were used longest ago make room.",
            span=HALF,
        ),
        series(
            "Environments that made room",
            Prom(rate("lambda_environments_evicted_total", everything), "environments"),
            unit="ops",
            red="Has no limit. Many: ENVIRONMENTS_MAX_BYTES is too small, and environments are built again.",
            span=HALF,
        ),
    ]


def _health() -> list[Panel]:
    everything = chosen()
    done = "lambda_maintenance_success_timestamp_seconds"
    return [
        series(
            "Circuits by state",
            Prom(f"sum by (state) (lambda_circuits{everything})", "{{state}}"),
            unit="short",
            red="Has no limit of its own. `open`: an address of a runtime is left alone for a while. "
            "docs/operations.md#a-runtime-is-away",
        ),
        series(
            "Time since a chore was last done",
            Prom(f"time() - max by (task) ({done}{everything})", "{{task}}"),
            unit="s",
            limit=CHORE_SECONDS,
            red="Chores come every 30 s. The controller's log says why one failed. "
            "docs/operations.md#session-clean-up-is-stalled",
        ),
        series(
            "Targets that answer Prometheus, by job",
            Prom(f"sum by (job) (up{chosen(JOBS)})", "{{job}}"),
            unit="short",
            red="Has no limit of its own. One less: a pod or process is gone. docs/operations.md#first-look",
        ),
        series(
            "Time of a scrape by job",
            Prom(f"max by (job) (scrape_duration_seconds{chosen(JOBS)})", "{{job}}"),
            unit="s",
            red="Has no limit. Slow: the process has no time to answer. docs/operations.md#capacity",
        ),
    ]
