"""Settings of the controller, read once from the environment.

A bad or missing value stops the start with one line that names its variable.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from configuration.environment import SECRETS, Environment
from configuration.parser import Parser, http_address, one_of, path, secret_text, separated, text, whole
from configuration.variable import Chosen, Computed, group, optional, read, required, variable
from controller.auth.settings import TokenSettings
from controller.execution.package_settings import PackageSettings
from controller.limits.settings import Limits
from controller.observability.masking import DOCUMENT_MAX, MASK_KEYS
from framing.place import place_of

#: Addresses of the runtimes that `make run` starts.
_LOCAL_RUNTIMES = "nodejs=http://127.0.0.1:8081,python=http://127.0.0.1:8082,rust=http://127.0.0.1:8083"


def _runtimes_nearby(chosen: Chosen) -> str:
    return "" if chosen["runtime_discovery"] == "kubernetes" else _LOCAL_RUNTIMES


def _runtime(entry: str) -> tuple[str, str]:
    language, _, url = entry.partition("=")
    if not language:
        raise ValueError(entry)
    place_of(url)
    return language, http_address().convert(url)


_RUNTIMES = separated(Parser(_runtime, "<language>=<http address>"))


def _by_language(given: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for language, url in _RUNTIMES(given):
        found.setdefault(language, []).append(url)
    return found


def _origin(entry: str) -> str:
    if not re.fullmatch(r"\*|https?://[a-z0-9.\[\]:-]+", entry):
        raise ValueError(entry)
    return entry


def _key(entry: str) -> str:
    if not entry.strip("-_. "):
        raise ValueError(entry)
    return entry


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a deployment. Numbers are in the unit of their variable."""

    redis_url: str = variable(
        "REDIS_URL",
        text(),
        "redis://redis:6379",
        doc="Address of Redis, which holds cached results and live sessions.",
    )
    postgres_url: str = variable(
        "POSTGRES_URL",
        text(),
        "postgres://user:pass@postgres:5432/logs",
        doc="Address of PostgreSQL, which holds sessions, scripts, functions and logs.",
    )
    tokens: TokenSettings = group(TokenSettings)
    runtime_secret: str = required(
        "RUNTIME_SECRET",
        secret_text(16),
        doc="Secret that the controller sends to the runtimes with every call.",
    )
    runtime_discovery: str = variable(
        "RUNTIME_DISCOVERY",
        one_of("none", "kubernetes"),
        "none",
        doc="`kubernetes` adds the ready endpoints of labelled Services to `RUNTIME_URLS`.",
    )
    runtime_urls: dict[str, list[str]] = variable(
        "RUNTIME_URLS",
        Parser(_by_language, _RUNTIMES.accepts),
        Computed(
            _runtimes_nearby,
            f"`{_LOCAL_RUNTIMES.replace(',', ', ')}`; none with `RUNTIME_DISCOVERY=kubernetes`",
            example=_LOCAL_RUNTIMES,
        ),
        doc="Addresses of the runtimes by language; a language may have several. A language that is neither listed "
        "nor discovered is not served; `typescript` has the addresses of `nodejs` unless it has others. An address "
        "may end in `#frames=` and the runtime's `RUNTIME_FRAMES`: then calls go there as frames, and by HTTP while "
        "that cannot be reached.",
    )
    runtime_mappings_file: Path | None = optional(
        "RUNTIME_MAPPINGS_FILE",
        Parser(Path, "a path"),
        doc='JSON file with a list of `{"pattern", "runtime", "is_regex"}`. Changes apply while the process runs.',
    )
    kubernetes_namespace: str = variable(
        "KUBERNETES_NAMESPACE",
        text(),
        "",
        doc="Namespace of the discovered Services. Empty: the namespace of the service account.",
    )
    runtime_connections: int = variable(
        "RUNTIME_CONNECTIONS",
        whole(1),
        256,
        doc="Most calls of one process to one address of a runtime at the same time.",
    )
    circuit_failures: int = variable(
        "CIRCUIT_FAILURES",
        whole(1),
        5,
        doc="Consecutive failures after which an address of a runtime gets no more requests for a while.",
    )
    circuit_pause: int = variable(
        "CIRCUIT_PAUSE",
        whole(1),
        5,
        unit="s",
        doc="Seconds before one request tries a failed address again.",
    )
    cache_ttl: int = variable(
        "CACHE_TTL", whole(1), 3600, unit="s", doc="Lifetime of a cached result, in seconds."
    )
    near_cache_bytes: int = variable(
        "NEAR_CACHE_BYTES",
        whole(0),
        16 << 20,
        unit="bytes",
        doc="Most bytes of cached results that one process also keeps in memory. 0: none.",
    )
    request_timeout: int = variable(
        "REQUEST_TIMEOUT",
        whole(1),
        5000,
        unit="ms",
        doc="Most milliseconds that the controller spends on a request, without the script's run.",
    )
    session_ttl: int = variable(
        "SESSION_TTL", whole(1), 7200, unit="s", doc="Lifetime of a session from its creation, in seconds."
    )
    script_timeout_max: int = variable(
        "SCRIPT_TIMEOUT_MAX",
        whole(1),
        300_000,
        unit="ms",
        doc="Longest run of a script, in milliseconds. A larger `timeout_ms` is lowered to it.",
    )
    script_max_bytes: int = variable(
        "SCRIPT_MAX_BYTES", whole(1), 1 << 20, unit="bytes", doc="Largest script, in bytes of UTF-8."
    )
    body_max_bytes: int = variable(
        "BODY_MAX_BYTES", whole(1), 8 << 20, unit="bytes", doc="Largest request body, in bytes."
    )
    sessions_in_memory: int = variable(
        "SESSIONS_IN_MEMORY", whole(1), 10_000, doc="Most sessions that one process keeps in memory."
    )
    rate_limits: Limits = group(Limits)
    sessions_per_user_max: int = variable(
        "SESSIONS_PER_USER_MAX",
        whole(0),
        1000,
        doc="Most live sessions of one user; `initialize` answers 429 beyond it. 0: no limit.",
    )
    functions_per_user_max: int = variable(
        "FUNCTIONS_PER_USER_MAX",
        whole(0),
        1000,
        doc="Most registered functions of one user; `initialize` answers 429 beyond it. 0: no limit.",
    )
    packages: PackageSettings = group(PackageSettings)
    key_ttl_max: int = variable(
        "KEY_TTL_MAX",
        whole(1, 315_360_000),
        31_536_000,
        unit="s",
        doc="Longest life of an API key, in seconds. The default is 365 days.",
    )
    cors_origins: tuple[str, ...] = variable(
        "CORS_ORIGINS",
        separated(Parser(_origin, "https://<host>[:<port>] or *")),
        "",
        doc="Origins with pages that may call from a browser. `*`: all. Empty: none.",
    )
    log_queue_size: int = variable(
        "LOG_QUEUE_SIZE", whole(1), 100_000, doc="Most log records in memory that wait for PostgreSQL."
    )
    log_payload_max_bytes: int = variable(
        "LOG_PAYLOAD_MAX_BYTES",
        whole(0),
        DOCUMENT_MAX,
        unit="bytes",
        doc="Longest params and result in a row of the logs, in bytes. Of longer ones it has length and digest.",
    )
    log_retention_days: int = variable(
        "LOG_RETENTION_DAYS",
        whole(0),
        90,
        unit="days",
        doc="Fewest days that a row of the logs is kept. 0: forever.",
    )
    spool_dir: Path = variable(
        "SPOOL_DIR",
        path(),
        Computed(lambda _: tempfile.gettempdir(), "the system's temporary folder"),
        doc="Folder for log records while PostgreSQL is unavailable.",
    )
    spool_max_bytes: int = variable(
        "SPOOL_MAX_BYTES",
        whole(0),
        1 << 30,
        unit="bytes",
        doc="Most bytes in `SPOOL_DIR`. 0: log records wait in memory only.",
    )
    mask_keys: tuple[str, ...] = variable(
        "MASK_KEYS",
        separated(Parser(_key, "a name with a letter or a digit")),
        ",".join(MASK_KEYS),
        doc="Keys with values that are masked in the logs.",
    )
    postgres_connections: int = variable(
        "POSTGRES_CONNECTIONS", whole(1), 8, doc="Most connections of one process to PostgreSQL."
    )
    log_level: str = variable(
        "LOG_LEVEL",
        one_of("debug", "info", "warning", "error"),
        "info",
        doc="Lowest level of the messages on stderr.",
    )
    access_log: str = variable(
        "ACCESS_LOG",
        one_of("all", "errors"),
        "all",
        doc="Which requests have an access line: `all`, or those answered with an error (`errors`). Each has its row "
        "in `request_logs` either way.",
    )
    metrics_port: int = variable(
        "METRICS_PORT",
        whole(0, 65535),
        9090,
        doc="TCP port that serves only the metrics. 0: `/metrics` alone serves them.",
    )

    @classmethod
    def from_environment(cls, dotenv: Path | None = None, secrets: Path = SECRETS) -> "Settings":
        """Read the environment.

        Args:
            dotenv: a file of defaults, such as the checkout's `.env`; the environment wins.
            secrets: the platform's folder of secrets.

        Raises:
            UnusableSetting: a variable is missing or has a bad value; the message names it.
        """
        return read(cls, Environment(dotenv, secrets))
