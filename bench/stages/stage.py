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
    ("HTTP: parse", ("http_request:*", "http_message:*", "http_limits:*")),
    ("HTTP: read, send", ("http_*:*",)),
    ("frames", ("framing.*:*",)),
    ("loop of greenlets", ("gevent*hub:*", "gevent.events:*")),
    (
        "metrics, lines, spans",
        ("controller.observability.*:*", "telemetry.*:*", "runtime.metrics:*", "prometheus_client.*:*"),
    ),
    # The controller, by its rooms.
    ("token", ("controller.auth.*:*", "jwt.*:*")),
    ("web", ("controller.web.*:*", "function.service:*")),
    ("rate window", ("controller.limits.*:*",)),
    ("Redis: ask, wait", ("controller.cache.*:*", "redis.*:*")),
    ("execution", ("controller.execution.*:*",)),
    ("registry", ("controller.registry.*:*",)),
    ("runtime: ask, wait", ("controller.runtimes.*:*",)),
    ("request log", ("controller.request_log.*:*", "controller.database.*:*", "aiosql.*:*")),
    ("call record", ("controller.call:*",)),
    # A runtime's front, by its rooms.
    ("request, answer", ("runtime.front.*:*",)),
    ("pool", ("runtime.executor:*", "runtime.pool.*:*", "runtime.scripts.*:*")),
    ("worker: ask, wait", ("runtime.process.*:*", "runtime.frames:*")),
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
