"""What a user may choose for the service on one machine: ports, and what is handed on to the parts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environs import Env, validate

from local.registries import variables
from local.supervisor.ports import free_port, is_free

#: What the parts read beyond what they are told here; see .env.example.
CONTROLLER_VARIABLES = (
    "JWT_ALGORITHM",
    "JWT_PUBLIC_KEY",
    "JWT_JWKS_URL",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "JWT_LEEWAY",
    "ANONYMOUS",
    "CACHE_TTL",
    "NEAR_CACHE_BYTES",
    "REQUEST_TIMEOUT",
    "SESSION_TTL",
    "SCRIPT_TIMEOUT_MAX",
    "SCRIPT_MAX_BYTES",
    "BODY_MAX_BYTES",
    "SESSIONS_IN_MEMORY",
    "RATE_LIMIT_EXECUTE",
    "RATE_LIMIT_ANONYMOUS",
    "RATE_LIMIT_INITIALIZE",
    "RATE_LIMIT_FUNCTIONS",
    "RATE_LIMIT_MANAGE",
    "SESSIONS_PER_USER_MAX",
    "FUNCTIONS_PER_USER_MAX",
    "KEY_TTL_MAX",
    "PACKAGES_PER_SCRIPT",
    "PACKAGES_WAIT",
    "ENVIRONMENTS_DIR",
    "ENVIRONMENTS_MAX_BYTES",
    "CORS_ORIGINS",
    "LOG_QUEUE_SIZE",
    "LOG_RETENTION_DAYS",
    "SPOOL_MAX_BYTES",
    "MASK_KEYS",
    "POSTGRES_CONNECTIONS",
    "RUNTIME_MAPPINGS_FILE",
    "RUNTIME_DISCOVERY",
    "KUBERNETES_NAMESPACE",
    "RUNTIME_CONNECTIONS",
    "CIRCUIT_FAILURES",
    "CIRCUIT_PAUSE",
    "LOG_LEVEL",
    "ACCESS_LOG",
    "LOG_PAYLOAD_MAX_BYTES",
)
RUNTIME_VARIABLES = (
    "WORKERS_MAX",
    "WORKERS_PER_SCRIPT_MAX",
    "WORKERS_RESERVE",
    "POOL_MEMORY_MAX_BYTES",
    "WORKER_IDLE_TTL",
    "QUEUE_TIMEOUT",
    "QUEUE_MAX",
    "PREPARE_TIMEOUT",
    "SCRIPTS_MAX_BYTES",
    "ENVIRONMENTS_MAX_BYTES",
    "RUNTIME_BODY_MAX_BYTES",
    "RESULT_MAX_BYTES",
    "OUTPUT_MAX_BYTES",
    "MEMORY_MAX_BYTES",
    "FILES_MAX_BYTES",
    "THREADS_MAX",
    "CPU_MAX_SECONDS",
    "NETWORK",
    "PACKAGES",
    "ISOLATION_REQUIRED",
    "ISOLATION_OFF",
    "COMPILE_TIMEOUT",
    "WASM_MEMORY_MAX_BYTES",
    "LOG_LEVEL",
)
PACKAGES_VARIABLES = (
    "PACKAGES_INDEX_URL",
    "NPM_REGISTRY_URL",
    "WHEELS_DIR",
    "NPM_CACHE_DIR",
    "PACKAGES_MIN_AGE",
    "PACKAGES_MAX_BYTES",
    "PACKAGES_FILES_MAX",
    "PACKAGES_ALLOW",
    "PACKAGES_DENY",
    "PACKAGES_TIMEOUT",
    "PACKAGES_JOBS_MAX",
    "UV",
    "ISOLATION_REQUIRED",
    "ISOLATION_OFF",
    "LOG_LEVEL",
)
#: How OpenTelemetry's variables begin, which are handed on as they are.
TRACING = "OTEL_"
#: Milliseconds; the controller's default.
_SCRIPT_TIMEOUT_MAX = 300_000
#: Seconds of a call that are not its script's: waiting for a worker, the controller's own budget.
_AROUND_SCRIPT = 10
#: Variable, default, and who listens there.
PORTS = {
    "PORT": (8080, "the controller"),
    "NODEJS_PORT": (8081, "the Node.js runtime"),
    "PYTHON_PORT": (8082, "the Python runtime"),
    "RUST_PORT": (8083, "the Rust runtime"),
    "PACKAGES_PORT": (8084, "the packages"),
    "METRICS_PORT": (9090, "the controller's metrics"),
    "NODEJS_METRICS_PORT": (9091, "the Node.js runtime's metrics"),
    "PYTHON_METRICS_PORT": (9092, "the Python runtime's metrics"),
    "RUST_METRICS_PORT": (9093, "the Rust runtime's metrics"),
    "PACKAGES_METRICS_PORT": (9095, "the packages' metrics"),
    "POSTGRES_PORT": (15432, "PostgreSQL"),
    "REDIS_PORT": (16379, "Redis"),
}


class PortsInUse(Exception):
    """Somebody else listens where a part should. The message is one line for each port."""


@dataclass(frozen=True)
class Settings:
    """Ports by their variable, and the values for the parts by theirs."""

    ports: dict[str, int]
    controller: dict[str, str]
    runtime: dict[str, str]
    grace: int = _SCRIPT_TIMEOUT_MAX // 1000 + _AROUND_SCRIPT
    """Seconds that a call may take, and so those that an end waits for the calls that have begun."""
    packages: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, dotenv: Path) -> "Settings":
        """Read the environment, over the file of defaults. Raises environs.EnvError, which names the variable."""
        env = Env()
        if dotenv.is_file():
            env.read_env(dotenv, recurse=False)
        valid = validate.Range(min=0, max=65535)
        ports = {name: env.int(name, default, validate=valid) for name, (default, _) in PORTS.items()}
        longest = env.int("SCRIPT_TIMEOUT_MAX", _SCRIPT_TIMEOUT_MAX, validate=validate.Range(min=1))
        grace = longest // 1000 + _AROUND_SCRIPT
        tracing = {name: value for name, value in os.environ.items() if name.startswith(TRACING)}
        controller, runtime = (_chosen(env, names) for names in (CONTROLLER_VARIABLES, RUNTIME_VARIABLES))
        packages = variables() | _chosen(env, PACKAGES_VARIABLES)
        return cls(ports, controller | tracing, runtime | tracing, grace, packages)

    @classmethod
    def on_free_ports(
        cls,
        controller: Mapping[str, str] | None = None,
        runtime: Mapping[str, str] | None = None,
        packages: Mapping[str, str] | None = None,
        **ports: int,
    ) -> "Settings":
        """For a service beside others; without `ports`, given by variable, the controller serves no metrics alone."""
        free = {name: free_port() for name in PORTS} | {"METRICS_PORT": 0}
        chosen = variables() | dict(packages or {})
        return cls(free | ports, dict(controller or {}), dict(runtime or {}), packages=chosen)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['PORT']}"

    def check_ports(self) -> None:
        """Raises PortsInUse when one is taken, or two are the same."""
        lines = []
        for name, port in self.ports.items():
            if port == 0 and name.endswith("METRICS_PORT"):
                continue  # not served
            if port == 0:
                lines.append(f"{name}=0 is no port to find the service at")
            elif list(self.ports.values()).count(port) > 1:
                lines.append(
                    f"{name}={port} is given to another part too; choose another: make run {name}=..."
                )
            elif not is_free(port):
                lines.append(f"port {port} ({PORTS[name][1]}) is in use; choose another: make run {name}=...")
        if lines:
            raise PortsInUse("\n".join(lines))


def _chosen(env: Env, names: tuple[str, ...]) -> dict[str, str]:
    values = {name: env.str(name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}
