"""The stages of a request, and which function works for which of them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from types import FrameType

#: How the line begins that a worker writes of its stages.
MARK = "stages "
#: What no function below works for.
OTHER = "other"
#: A stage, and its functions as patterns of `module:qualified name`. The first pattern that matches counts.
STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Both sides.
    ("HTTP: parse", ("http_request:*", "http_message:*", "http_environ:*", "http_limits:*")),
    ("HTTP: read, send", ("http_*:*",)),
    ("loop of greenlets", ("gevent*hub:*", "gevent.events:*")),
    # The controller.
    ("token", ("controller.auth:*", "controller.keys:*", "jwt.*:*")),
    (
        "headers, body",
        ("controller.request:*", "controller.body:*", "controller.strict_json:*", "controller.params:*"),
    ),
    ("rate window", ("controller.ratelimit:*", "controller.cache.windows:*")),
    ("names", ("controller.cache.names:*",)),
    ("Redis: ask, wait", ("controller.cache.*:*", "controller.store_clock:*", "redis.*:*")),
    ("single flight", ("controller.flight:*",)),
    ("runtime: ask, wait", ("controller.runtime*:*", "controller.transport.*:*", "controller.selector:*")),
    ("metrics", ("controller.metrics:*", "runtime.metrics:*", "prometheus_client.*:*")),
    (
        "log row",
        (
            "controller.database.records:*",
            "controller.database.logger:DatabaseLogger.log",
            "controller.database.logger:DatabaseLogger.record",
            "controller.database.logger:_Queue.put",
            "controller.masking:*",
            "controller.call_log:*",
        ),
    ),
    ("log batch", ("controller.database.*:*", "aiosql.*:*")),
    (
        "access line",
        ("controller.exchange:Exchange.end", "controller.exchange:Exchange._*", "controller.logs:*"),
    ),
    ("trace, span", ("controller.tracing:*", "controller.open_telemetry:*", "runtime.tracing:*")),
    ("workflow, session", ("controller.workflow:*", "controller.session:*")),
    (
        "dispatch, answer",
        (
            "controller.execute_route:*",
            "controller.exchange:*",
            "controller.addressing:*",
            "controller.cors:*",
            "controller.web:*",
            "function.service:*",
        ),
    ),
    # A runtime's front.
    ("request, answer", ("runtime.run_route:*", "runtime.schemas:*", "runtime.answers:*", "runtime.app:*")),
    (
        "pool",
        (
            "runtime.executor:*",
            "runtime.pool:*",
            "runtime.idle:*",
            "runtime.line:*",
            "runtime.compiled_scripts:*",
            "runtime.scripts:*",
            "runtime.reserve:*",
        ),
    ),
    ("worker: ask, wait", ("runtime.worker:*", "runtime.frames:*", "runtime.process:*", "runtime.verdict:*")),
    ("watch over workers", ("runtime.overseer:*",)),
)
NAMES = (*(name for name, _ in STAGES), OTHER)


def stage(frame: FrameType | None) -> str:
    """What the innermost function works for that works for a stage: library code works for whoever called it."""
    while frame is not None:
        found = of_function(f"{frame.f_globals.get('__name__', '')}:{frame.f_code.co_qualname}")
        if found is not None:
            return found
        frame = frame.f_back
    return OTHER


@cache
def of_function(function: str) -> str | None:
    """The stage of a function, by its module and qualified name."""
    return next((name for name, patterns in STAGES if _matches(function, patterns)), None)


def _matches(function: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(function, pattern) for pattern in patterns)
