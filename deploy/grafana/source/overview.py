"""System overview: is it well, and what is being asked of it."""

from typing import Any

from deploy.grafana.source.board import (
    ENDPOINT,
    HALF,
    LANGUAGE,
    NAMESPACE,
    THIRD,
    Panel,
    dashboard,
    series,
    stat,
    table,
)
from deploy.grafana.source.limits import CONTROLLER_SECONDS, ERROR_RATIO, RUN_SECONDS
from deploy.grafana.source.queries import Prom, chosen, quantile, rate, share

ANSWERS = "http_request_duration_seconds_count"
REQUESTS = "lambda_requests_total"
LOOKUPS = "lambda_cache_lookups_total"
CALLS = "gateway_function_invocation_total"
NOT_CLOSED = 'state=~"open|half-open"'
#: The gateway's series are in its own namespace; the function's one is part of the name.
FUNCTIONS = 'function_name=~".+[.]$namespace"'
JOBS = 'job=~"controller|runtime|packages|gateway"'


def overview() -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        "lambda-overview",
        "Lambda: system overview",
        "Whether the service is well, and what is asked of it. What is red here has an alert, and the alert a "
        "section in docs/operations.md.",
        (NAMESPACE, LANGUAGE, ENDPOINT),
        {
            "Now": [*_well_now(), *_asked_now()],
            "Requests": _requests(),
            "OpenFaaS gateway": _gateway(),
            "Inventory": _inventory(),
        },
    )


def _well_now() -> list[Panel]:
    return [
        stat(
            "Targets that answer Prometheus",
            Prom(f"avg(up{chosen(JOBS)})"),
            unit="percentunit",
            least=1,
            red="A pod or process is gone, or its metrics are out of reach: the dashboard of the infrastructure says "
            "which. docs/operations.md#first-look",
        ),
        stat(
            "Answers that are 5xx",
            Prom(share(ANSWERS, chosen("endpoint", 'status=~"5.."'), chosen("endpoint"))),
            unit="percentunit",
            limit=ERROR_RATIO,
            red="Look at the errors by code below: RUNTIME_ERROR and TIMEOUT are the scripts' own, the others ours. "
            "docs/operations.md#error-rate-is-high",
        ),
        stat(
            "Controller's own time, 95th percentile",
            Prom(quantile(0.95, "lambda_controller_seconds", chosen("endpoint"))),
            unit="s",
            limit=CONTROLLER_SECONDS,
            red="Without the runtimes' time. See whether Redis or PostgreSQL is slow, or the processor at its limit. "
            "docs/operations.md#controller-latency-is-high",
        ),
        stat(
            "Time of a run, 95th percentile",
            Prom(quantile(0.95, "lambda_runtime_execution_seconds", chosen("language"))),
            unit="s",
            limit=RUN_SECONDS,
            red="One function, or all of a language? The dashboard of one function says. "
            "docs/operations.md#runtime-latency-is-high",
        ),
    ]


def _asked_now() -> list[Panel]:
    return [
        stat(
            "Requests a second",
            Prom(rate(REQUESTS, chosen("language", "endpoint"))),
            unit="reqps",
            red="Has no limit. None at all: is the gateway's route in place? docs/operations.md#first-look",
        ),
        stat(
            "Executions answered without a run",
            Prom(share(LOOKUPS, chosen('result=~"hit|coalesced"'), chosen())),
            unit="percentunit",
            red="Has no limit. A sudden fall: Redis is away or was emptied. docs/operations.md#redis-is-away",
        ),
        stat(
            "Active sessions",
            Prom(f"max(lambda_sessions_active{chosen()})"),
            unit="short",
            red="Has no limit. It stands still while the clean-up of sessions does. "
            "docs/operations.md#session-clean-up-is-stalled",
        ),
        stat(
            "Open circuits",
            Prom(f"sum(lambda_circuits{chosen(NOT_CLOSED)}) or vector(0)"),
            unit="short",
            limit=1,
            red="An address of a runtime failed several times in a row and is left alone for a while. "
            "docs/operations.md#a-runtime-is-away",
        ),
    ]


def _requests() -> list[Panel]:
    requests = chosen("language", "endpoint")
    errors = chosen("language", "endpoint", 'code!="ok"')
    return [
        series(
            "Requests by endpoint",
            Prom(rate(REQUESTS, requests, by="endpoint"), "{{endpoint}}"),
            unit="reqps",
            red="Has no limit. What it shows at a user's limit is 429 in the errors beside it.",
        ),
        series(
            "Errors by code",
            Prom(rate(REQUESTS, errors, by="code"), "{{code}}"),
            unit="reqps",
            red="Has no limit of its own. Each code has its row in docs/operations.md#every-code",
        ),
        series(
            "Requests by language",
            Prom(rate(REQUESTS, requests, by="language"), "{{language}}"),
            unit="reqps",
            red="Has no limit. `none`: the request concerns no language, or failed before that was known.",
        ),
        series(
            "Sessions begun by language",
            Prom(rate("lambda_sessions_created_total", chosen("language"), by="language"), "{{language}}"),
            unit="reqps",
            red="Has no limit but each user's. As many as executions: clients begin one for every call, which costs "
            "them a trip to PostgreSQL.",
        ),
        series(
            "Executions by name, by what named the version",
            Prom(rate("lambda_references_total", "", by="kind, side"), "{{kind}} {{side}}"),
            unit="reqps",
            red="Has no limit. `canary`: the share of the calls that an alias sends to its second version.",
        ),
        series(
            "Answers by status",
            Prom(rate(ANSWERS, chosen("endpoint"), by="status"), "{{status}}"),
            unit="reqps",
            red="Has no limit of its own; 5xx have one above. docs/operations.md#error-rate-is-high",
        ),
    ]


def _gateway() -> list[Panel]:
    functions, failed = "{" + FUNCTIONS + "}", "{" + FUNCTIONS + ',code=~"5.."}'
    by = "function_name"
    return [
        series(
            "Gateway: calls by function",
            Prom(rate(CALLS, functions, by=by), "{{function_name}}"),
            unit="reqps",
            red="Has no limit. Empty where there is no OpenFaaS gateway, as on one machine.",
            span=THIRD,
        ),
        series(
            "Gateway: calls that failed, by function",
            Prom(share(CALLS, failed, functions, by=by), "{{function_name}}"),
            unit="percentunit",
            limit=ERROR_RATIO,
            red="502 and 504 with an empty body are the gateway's or of-watchdog's own: a limit of time is out of "
            "order. docs/operations.md#error-rate-is-high",
            span=THIRD,
        ),
        series(
            "Gateway: time of a call, 95th percentile",
            Prom(quantile(0.95, "gateway_functions_seconds", functions, by=by), "{{function_name}}"),
            unit="s",
            red="Has no limit. Slow here and quick in the controller: the gateway or of-watchdog waits. "
            "docs/operations.md#controller-latency-is-high",
            span=THIRD,
        ),
    ]


def _inventory() -> list[Panel]:
    alerts = f"sum by (alertname, alertstate, severity, language) (ALERTS{chosen()})"
    versions = f"count by (component, version, python) (lambda_build_info{chosen()})"
    return [
        table(
            "Alerts, pending and firing",
            Prom(alerts, now=True),
            unit="short",
            red="Each alert has a section in docs/operations.md#alerts",
            span=HALF,
        ),
        table(
            "Instances by version",
            Prom(versions, now=True),
            unit="short",
            red="Has no limit. Two versions at once: a release is on its way, or stuck.",
            span=HALF,
        ),
    ]
