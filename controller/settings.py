"""Settings, read once from the environment; a bad or missing value stops the start and names its variable."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from environs import FileAwareEnv, ValidationError, validate

LOCAL_RUNTIMES = [
    "nodejs=http://127.0.0.1:8081",
    "python=http://127.0.0.1:8082",
    "rust=http://127.0.0.1:8083",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests in any minute; 0: no limit."""

    execute: int
    """Of one user."""
    anonymous: int
    """Executions of one address without a token."""
    initialize: int
    functions: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment may choose. Times are in the unit their comment names."""

    redis_url: str
    postgres_url: str
    jwt_secret: str
    runtime_secret: str
    runtime_urls: dict[str, str]
    """Language to address; a language that is not here is absent."""
    cache_ttl: int
    """Seconds a result is kept."""
    request_timeout: int
    """Milliseconds of the controller's own budget, the script's run excluded."""
    session_ttl: int
    """Seconds from a session's creation to its end."""
    script_timeout_max: int
    """Milliseconds; a larger `timeout_ms` is clamped to it."""
    script_max_bytes: int
    body_max_bytes: int
    sessions_in_memory: int
    """How many sessions one process remembers."""
    rate_limits: Limits
    """Requests in any minute."""
    log_queue_size: int
    """How many log records may wait for PostgreSQL."""
    postgres_connections: int
    log_level: str
    metrics_port: int

    @classmethod
    def from_environment(cls, dotenv: Path | None = None) -> "Settings":
        """Reads the process environment, where `<NAME>_FILE` may name a file that holds the value.

        Args:
            dotenv: a file of defaults, such as the checkout's `.env`; the environment wins.

        Raises:
            environs.EnvError: a variable is missing or has a bad value; its message names it.
        """
        env = FileAwareEnv(strip_whitespace=True)
        if dotenv is not None and dotenv.is_file():
            env.read_env(dotenv, recurse=False)
        positive = validate.Range(min=1)
        number_or_off = validate.Regexp(r"(?:off|[0-9]{1,6})\Z")
        return cls(
            redis_url=env.str("REDIS_URL", "redis://redis:6379"),
            postgres_url=env.str("POSTGRES_URL", "postgres://user:pass@postgres:5432/logs"),
            jwt_secret=env.str("JWT_SECRET", validate=validate.Length(min=32)),
            runtime_secret=env.str("RUNTIME_SECRET", validate=validate.Length(min=16)),
            runtime_urls=dict(
                entry.split("=", 1) for entry in env.list("RUNTIME_URLS", LOCAL_RUNTIMES, validate=_addresses)
            ),
            cache_ttl=env.int("CACHE_TTL", 3600, validate=positive),
            request_timeout=env.int("REQUEST_TIMEOUT", 5000, validate=positive),
            session_ttl=env.int("SESSION_TTL", 7200, validate=positive),
            script_timeout_max=env.int("SCRIPT_TIMEOUT_MAX", 300_000, validate=positive),
            script_max_bytes=env.int("SCRIPT_MAX_BYTES", 1 << 20, validate=positive),
            body_max_bytes=env.int("BODY_MAX_BYTES", 8 << 20, validate=positive),
            sessions_in_memory=env.int("SESSIONS_IN_MEMORY", 10_000, validate=positive),
            rate_limits=Limits(
                execute=_limit(env.str("RATE_LIMIT_EXECUTE", "100", validate=number_or_off)),
                anonymous=_limit(env.str("RATE_LIMIT_ANONYMOUS", "10", validate=number_or_off)),
                initialize=_limit(env.str("RATE_LIMIT_INITIALIZE", "100", validate=number_or_off)),
                functions=_limit(env.str("RATE_LIMIT_FUNCTIONS", "60", validate=number_or_off)),
            ),
            log_queue_size=env.int("LOG_QUEUE_SIZE", 100_000, validate=positive),
            postgres_connections=env.int("POSTGRES_CONNECTIONS", 8, validate=positive),
            log_level=env.str(
                "LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])
            ),
            metrics_port=env.int("METRICS_PORT", 9090, validate=validate.Range(min=0, max=65535)),
        )


def _limit(text: str) -> int:
    return 0 if text == "off" else int(text)


def _addresses(entries: list[str]) -> None:
    for entry in entries:
        language, _, url = entry.partition("=")
        if not language or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValidationError(f"{entry!r} is not <language>=<http address>")
