"""Settings, read once from the environment; a bad or missing value stops the start and names its variable."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import FileAwareEnv, ValidationError, validate

from controller.auth.settings import TokenSettings
from controller.limits.settings import Limits
from controller.observability.masking import MASK_KEYS

LOCAL_RUNTIMES = [
    "nodejs=http://127.0.0.1:8081",
    "python=http://127.0.0.1:8082",
    "rust=http://127.0.0.1:8083",
]


SECRETS = Path("/var/openfaas/secrets")
"""Where the platform mounts secrets: `jwt-secret` is JWT_SECRET."""


class Environment(FileAwareEnv):
    """The process environment; for what is not there the file that `<NAME>_FILE` names, or the platform's secret.

    Args:
        secrets: the platform's folder.
    """

    def __init__(self, secrets: Path = SECRETS) -> None:
        super().__init__(strip_whitespace=True)
        self._secrets = secrets

    def _get_value(self, env_key: str, default: Any) -> Any:
        secret = self._secrets / env_key.lower().replace("_", "-")
        if not {env_key, f"{env_key}_FILE"} & os.environ.keys() and secret.is_file():
            return secret.read_text().strip()
        return super()._get_value(env_key, default)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment may choose. Times are in the unit their comment names."""

    redis_url: str
    """Address of Redis: results and live sessions."""
    postgres_url: str
    """Address of PostgreSQL: sessions, scripts, functions and logs."""
    tokens: TokenSettings
    runtime_secret: str
    """What the runtimes know the controller by, at least 16 characters."""
    runtime_urls: dict[str, list[str]]
    """Language to addresses; a language that is not here, and is not discovered, is absent."""
    runtime_mappings_file: Path | None
    """JSON list of `{"pattern", "runtime", "is_regex"}`; followed while the process runs."""
    runtime_discovery: str
    """`kubernetes`: also the ready endpoints of labelled Services; `none`."""
    kubernetes_namespace: str
    """Where those Services are; empty: the service account's own namespace."""
    runtime_connections: int
    """How many connections one process may use at once to one address of a runtime."""
    circuit_failures: int
    """So many failures in a row, and an address is left alone."""
    circuit_pause: int
    """Seconds until one request may try it again."""
    cache_ttl: int
    """Seconds a result is kept."""
    request_timeout: int
    """Milliseconds of the controller's own budget, the script's run excluded."""
    session_ttl: int
    """Seconds from a session's creation to its end."""
    script_timeout_max: int
    """Milliseconds; a larger `timeout_ms` is clamped to it."""
    script_max_bytes: int
    """Bytes of the longest script, in UTF-8."""
    body_max_bytes: int
    """Bytes of the largest request body."""
    sessions_in_memory: int
    """How many sessions one process remembers."""
    rate_limits: Limits
    """Requests in any minute."""
    sessions_per_user_max: int
    """Live sessions of one user; 0: no limit. Beyond it initialize answers 429."""
    functions_per_user_max: int
    """Registered functions of one user; 0: no limit. Beyond it initialize answers 429."""
    cors_origins: list[str]
    """Origins, `https://host[:port]`, whose pages may call from a browser, or `*`; empty: none."""
    log_queue_size: int
    """How many log records may wait for PostgreSQL."""
    log_retention_days: int
    """Days a row of the logs is kept at least; 0: for ever."""
    spool_dir: Path
    """Folder on whose disk log records wait while PostgreSQL is away."""
    spool_max_bytes: int
    """What they may take there together; 0: none, they wait in memory alone."""
    mask_keys: list[str]
    """Names of keys whose values are not logged."""
    postgres_connections: int
    """Connections to PostgreSQL that one process may use at once."""
    log_level: str
    """Least level of our own log: `debug`, `info`, `warning` or `error`."""
    metrics_port: int
    """TCP port that serves the metrics alone; 0: only `/metrics` does."""

    @classmethod
    def from_environment(cls, dotenv: Path | None = None, secrets: Path = SECRETS) -> "Settings":
        """Reads the process environment, where `<NAME>_FILE` may name a file that holds the value.

        Args:
            dotenv: a file of defaults, such as the checkout's `.env`; the environment wins.
            secrets: the platform's folder of secrets.

        Raises:
            environs.EnvError: a variable is missing or has a bad value; its message names it.
        """
        env = Environment(secrets)
        if dotenv is not None and dotenv.is_file():
            env.read_env(dotenv, recurse=False)
        positive = validate.Range(min=1)
        discovery = env.str("RUNTIME_DISCOVERY", "none", validate=validate.OneOf(["none", "kubernetes"]))
        return cls(
            redis_url=env.str("REDIS_URL", "redis://redis:6379"),
            postgres_url=env.str("POSTGRES_URL", "postgres://user:pass@postgres:5432/logs"),
            tokens=TokenSettings.from_env(env),
            runtime_secret=env.str("RUNTIME_SECRET", validate=validate.Length(min=16)),
            runtime_urls=_by_language(
                env.list(
                    "RUNTIME_URLS", [] if discovery == "kubernetes" else LOCAL_RUNTIMES, validate=_addresses
                )
            ),
            runtime_mappings_file=env.path("RUNTIME_MAPPINGS_FILE", None),
            runtime_discovery=discovery,
            kubernetes_namespace=env.str("KUBERNETES_NAMESPACE", ""),
            runtime_connections=env.int("RUNTIME_CONNECTIONS", 256, validate=positive),
            circuit_failures=env.int("CIRCUIT_FAILURES", 5, validate=positive),
            circuit_pause=env.int("CIRCUIT_PAUSE", 5, validate=positive),
            cache_ttl=env.int("CACHE_TTL", 3600, validate=positive),
            request_timeout=env.int("REQUEST_TIMEOUT", 5000, validate=positive),
            session_ttl=env.int("SESSION_TTL", 7200, validate=positive),
            script_timeout_max=env.int("SCRIPT_TIMEOUT_MAX", 300_000, validate=positive),
            script_max_bytes=env.int("SCRIPT_MAX_BYTES", 1 << 20, validate=positive),
            body_max_bytes=env.int("BODY_MAX_BYTES", 8 << 20, validate=positive),
            sessions_in_memory=env.int("SESSIONS_IN_MEMORY", 10_000, validate=positive),
            rate_limits=Limits.from_env(env),
            sessions_per_user_max=env.int("SESSIONS_PER_USER_MAX", 1000, validate=validate.Range(min=0)),
            functions_per_user_max=env.int("FUNCTIONS_PER_USER_MAX", 1000, validate=validate.Range(min=0)),
            cors_origins=env.list("CORS_ORIGINS", [], validate=_origins),
            log_queue_size=env.int("LOG_QUEUE_SIZE", 100_000, validate=positive),
            log_retention_days=env.int("LOG_RETENTION_DAYS", 90, validate=validate.Range(min=0)),
            spool_dir=env.path("SPOOL_DIR", Path(tempfile.gettempdir())).absolute(),
            spool_max_bytes=env.int("SPOOL_MAX_BYTES", 1 << 30, validate=validate.Range(min=0)),
            mask_keys=env.list("MASK_KEYS", list(MASK_KEYS), validate=_names),
            postgres_connections=env.int("POSTGRES_CONNECTIONS", 8, validate=positive),
            log_level=env.str(
                "LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])
            ),
            metrics_port=env.int("METRICS_PORT", 9090, validate=validate.Range(min=0, max=65535)),
        )


def _by_language(entries: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        language, _, url = entry.partition("=")
        found.setdefault(language, []).append(url)
    return found


def _origins(origins: list[str]) -> None:
    for origin in origins:
        if not re.fullmatch(r"\*|https?://[a-z0-9.\[\]:-]+", origin):
            raise ValidationError(f"{origin!r} is neither https://<host>[:<port>] nor *")


def _addresses(entries: list[str]) -> None:
    for entry in entries:
        language, _, url = entry.partition("=")
        if not language or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValidationError(f"{entry!r} is not <language>=<http address>")


def _names(names: list[str]) -> None:
    for name in names:
        if not name.strip("-_. "):
            raise ValidationError(f"{name!r} is no name of a key")
