"""Settings of a runtime, read once from the environment; a bad or missing value stops the start by its name."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from environs import FileAwareEnv, validate

from runtime.sandbox import confine

MEBIBYTE = 1 << 20


class UnusableSetting(Exception):
    """A setting has a good form and yet will not do. The message is one line that names its variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment may choose. Every one but the secret has a default that runs on one machine."""

    secret: str
    """What the controller shows in `X-Runtime-Secret`."""
    state: Path
    """Folder of compiled artifacts and of the workers' private folders; by default in the system's temporary one."""
    workers_max: int
    """Processes in the pool."""
    workers_per_script_max: int
    """Processes at work at once for one session: one tenant, script and set of options."""
    pool_memory_max_bytes: int
    """What idle workers may take together; those at work are bounded one by one.

    Memory that a fork shares with its server counts for each of them: to know better takes longer than a call.
    """
    reserve: int
    """Blank processes that are started ahead, beside the pool."""
    worker_idle_ttl: float
    """Seconds after which an idle worker is ended."""
    queue_timeout: int
    """Milliseconds a request waits for a worker."""
    queue_max: int
    """Requests that may wait for a worker at once."""
    prepare_timeout: int
    """Milliseconds a script may take to parse."""
    scripts_max_bytes: int
    """Memory for scripts and artifacts."""
    result_max_bytes: int
    """Bytes of the largest result."""
    output_max_bytes: int
    """What is kept of each of stdout and stderr of one run."""
    body_max_bytes: int
    """Bytes of the largest call from the controller."""
    node: str
    """The Node.js program."""
    rust_toolchain: Path | None
    """Folder of a prepared Rust toolchain; without one only what was compiled before runs."""
    compile_timeout: int
    """Milliseconds a compiler may take."""
    wasm_memory_max_bytes: int
    """What one call of a compiled script may use."""
    memory_max_bytes: int
    """What one worker may use beyond what it starts with."""
    files_max_bytes: int
    """What the files of one worker may take together."""
    threads_max: int
    """Threads of one worker, its language's own included."""
    cpu_max_seconds: int
    """CPU time of one worker's whole life."""
    network: bool
    """Whether scripts may open internet sockets."""
    packages: tuple[str, ...]
    """Folders of packages that scripts may import, beside the language's own library."""
    isolation_required: tuple[str, ...]
    """Layers of confinement without which the runtime does not start; by default those that this kernel has."""
    isolation_off: tuple[str, ...]
    """Layers that stay off."""
    log_level: str
    """Least level of our own log: `debug`, `info`, `warning` or `error`."""
    metrics_port: int
    """TCP port that serves the metrics; 0: none."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the process environment, where `<NAME>_FILE` may name a file that holds the value.

        Raises environs.EnvError, UnusableSetting: a variable is missing or has a bad value; the message names it.
        """
        env = FileAwareEnv(strip_whitespace=True)
        positive = validate.Range(min=1)
        toolchain = env.str("RUST_TOOLCHAIN", "")
        return cls(
            secret=env.str("RUNTIME_SECRET", validate=validate.Length(min=16)),
            state=env.path("STATE_DIR", Path(tempfile.gettempdir()) / "lambda-microservice").absolute(),
            workers_max=env.int("WORKERS_MAX", 16, validate=positive),
            workers_per_script_max=env.int("WORKERS_PER_SCRIPT_MAX", 8, validate=positive),
            pool_memory_max_bytes=env.int("POOL_MEMORY_MAX_BYTES", 512 * MEBIBYTE, validate=positive),
            reserve=env.int("WORKERS_RESERVE", 2, validate=validate.Range(min=0)),
            worker_idle_ttl=env.float("WORKER_IDLE_TTL", 600.0, validate=validate.Range(min=0.001)),
            queue_timeout=env.int("QUEUE_TIMEOUT", 5000, validate=validate.Range(min=0)),
            queue_max=env.int("QUEUE_MAX", 1000, validate=validate.Range(min=0)),
            prepare_timeout=env.int("PREPARE_TIMEOUT", 10_000, validate=positive),
            scripts_max_bytes=env.int("SCRIPTS_MAX_BYTES", 128 * MEBIBYTE, validate=positive),
            result_max_bytes=env.int("RESULT_MAX_BYTES", 6 * MEBIBYTE, validate=positive),
            output_max_bytes=env.int("OUTPUT_MAX_BYTES", 64 * 1024, validate=validate.Range(min=2)),
            body_max_bytes=env.int("RUNTIME_BODY_MAX_BYTES", 32 * MEBIBYTE, validate=positive),
            node=env.str("NODE", "node"),
            rust_toolchain=Path(toolchain).absolute() if toolchain else None,
            compile_timeout=env.int("COMPILE_TIMEOUT", 30_000, validate=positive),
            wasm_memory_max_bytes=env.int("WASM_MEMORY_MAX_BYTES", 256 * MEBIBYTE, validate=positive),
            memory_max_bytes=env.int("MEMORY_MAX_BYTES", 256 * MEBIBYTE, validate=positive),
            files_max_bytes=env.int("FILES_MAX_BYTES", 64 * MEBIBYTE, validate=positive),
            threads_max=env.int("THREADS_MAX", 64, validate=positive),
            cpu_max_seconds=env.int("CPU_MAX_SECONDS", 3600, validate=positive),
            network=env.bool("NETWORK", False),
            packages=_folders("PACKAGES", env.list("PACKAGES", [])),
            isolation_required=tuple(env.list("ISOLATION_REQUIRED", list(confine.required_layers()))),
            isolation_off=tuple(env.list("ISOLATION_OFF", [])),
            log_level=env.str(
                "LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])
            ),
            metrics_port=env.int("METRICS_PORT", 9090, validate=validate.Range(min=0, max=65535)),
        )


def _folders(variable: str, places: list[str]) -> tuple[str, ...]:
    for place in places:
        if not Path(place).is_dir():
            raise UnusableSetting(f"{variable}: there is no folder {place}")
    return tuple(str(Path(place).resolve()) for place in places)
