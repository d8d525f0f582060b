"""Settings of a runtime, read once from the environment.

A bad or missing value stops the start with one line that names its variable.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from configuration.environment import Environment
from configuration.parser import Parser, flag, number, one_of, path, secret_text, separated, text, whole
from configuration.variable import Computed, read, required, variable
from framing.place import Place
from runtime.sandbox import confine

MEBIBYTE = 1 << 20


def _toolchain(given: str) -> Path | None:
    return Path(given).absolute() if given else None


def _place(given: str) -> Place | None:
    return Place.parse(given) if given else None


def _existing_folder(entry: str) -> str:
    if not Path(entry).is_dir():
        raise ValueError(entry)
    return str(Path(entry).resolve())


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a runtime. Every variable but the secret has a default that works on one machine."""

    secret: str = required(
        "RUNTIME_SECRET",
        secret_text(16),
        doc="Secret that a call must carry in the header `X-Runtime-Secret`.",
    )
    state: Path = variable(
        "STATE_DIR",
        path(),
        Computed(
            lambda _: str(Path(tempfile.gettempdir()) / "lambda-microservice"),
            "`lambda-microservice` in the system's temporary folder",
        ),
        doc="Folder for compiled artifacts, packages of scripts, and the workers' private folders.",
    )
    workers_max: int = variable("WORKERS_MAX", whole(1), 16, doc="Most worker processes in the pool.")
    workers_per_script_max: int = variable(
        "WORKERS_PER_SCRIPT_MAX",
        whole(1),
        8,
        doc="Most busy worker processes for one combination of tenant, script and options.",
    )
    # A page shared with the fork server counts for each worker: finding the shared pages takes longer than a call.
    pool_memory_max_bytes: int = variable(
        "POOL_MEMORY_MAX_BYTES",
        whole(1),
        512 * MEBIBYTE,
        unit="bytes",
        doc="Most memory of all idle workers, in bytes. Memory that a worker shares with its fork server counts in "
        "full for each worker. Busy workers are limited one by one.",
    )
    reserve: int = variable(
        "WORKERS_RESERVE",
        whole(0),
        4,
        doc="Most blank worker processes started ahead, in addition to the pool. There are as many as were taken in "
        "the last ten seconds, one until `WORKER_IDLE_TTL` after the last, and none before the first.",
    )
    worker_idle_ttl: float = variable(
        "WORKER_IDLE_TTL",
        number(0.001),
        600,
        unit="s",
        doc="Seconds after which an idle worker process is ended.",
    )
    queue_timeout: int = variable(
        "QUEUE_TIMEOUT",
        whole(0),
        5000,
        unit="ms",
        doc="Most milliseconds that a request waits for a worker.",
    )
    queue_max: int = variable("QUEUE_MAX", whole(0), 1000, doc="Most requests that wait for a worker.")
    prepare_timeout: int = variable(
        "PREPARE_TIMEOUT", whole(1), 10_000, unit="ms", doc="Most milliseconds for parsing a script."
    )
    scripts_max_bytes: int = variable(
        "SCRIPTS_MAX_BYTES",
        whole(1),
        128 * MEBIBYTE,
        unit="bytes",
        doc="Most memory for scripts and artifacts, in bytes.",
    )
    environments_max_bytes: int = variable(
        "ENVIRONMENTS_MAX_BYTES",
        whole(1),
        2048 * MEBIBYTE,
        unit="bytes",
        doc="Most disk space for the packages of scripts that this runtime keeps in `STATE_DIR`, in bytes.",
    )
    result_max_bytes: int = variable(
        "RESULT_MAX_BYTES", whole(1), 6 * MEBIBYTE, unit="bytes", doc="Largest result, in bytes."
    )
    output_max_bytes: int = variable(
        "OUTPUT_MAX_BYTES",
        whole(2),
        64 * 1024,
        unit="bytes",
        doc="Most bytes kept of stdout, and of stderr, for one run.",
    )
    body_max_bytes: int = variable(
        "RUNTIME_BODY_MAX_BYTES",
        whole(1),
        32 * MEBIBYTE,
        unit="bytes",
        doc="Largest call from the controller, in bytes.",
    )
    node: str = variable(
        "NODE", text(), "node", doc="Node.js program, version 24 or newer: a path, or a name on `PATH`."
    )
    rust_toolchain: Path | None = variable(
        "RUST_TOOLCHAIN",
        Parser(_toolchain, "a path"),
        "",
        doc="Folder of a prepared Rust toolchain. Empty: only scripts that are compiled already run.",
    )
    compile_timeout: int = variable(
        "COMPILE_TIMEOUT", whole(1), 30_000, unit="ms", doc="Most milliseconds for compiling a script."
    )
    wasm_memory_max_bytes: int = variable(
        "WASM_MEMORY_MAX_BYTES",
        whole(1),
        256 * MEBIBYTE,
        unit="bytes",
        doc="Most memory of one call of a compiled script, in bytes.",
    )
    memory_max_bytes: int = variable(
        "MEMORY_MAX_BYTES",
        whole(1),
        256 * MEBIBYTE,
        unit="bytes",
        doc="Most memory of one worker beyond what it starts with, in bytes.",
    )
    files_max_bytes: int = variable(
        "FILES_MAX_BYTES",
        whole(1),
        64 * MEBIBYTE,
        unit="bytes",
        doc="Most bytes in the files of one worker's private folder.",
    )
    threads_max: int = variable(
        "THREADS_MAX", whole(1), 64, doc="Most threads of one worker, including those of its language."
    )
    cpu_max_seconds: int = variable(
        "CPU_MAX_SECONDS", whole(1), 3600, unit="s", doc="Most CPU seconds in the life of one worker."
    )
    network: bool = variable("NETWORK", flag(), "false", doc="Whether scripts may open internet sockets.")
    packages: tuple[str, ...] = variable(
        "PACKAGES",
        separated(Parser(_existing_folder, "an existing folder")),
        "",
        doc="Folders of packages that scripts may import in addition to their language's library.",
    )
    isolation_required: tuple[str, ...] = variable(
        "ISOLATION_REQUIRED",
        separated(text()),
        Computed(
            lambda _: ",".join(confine.required_layers()),
            f"`{', '.join(confine.REQUIRED)}`, and the other Landlock layers of this kernel",
            example=",".join(confine.REQUIRED),
        ),
        doc="Layers of confinement without which the runtime does not start.",
    )
    isolation_off: tuple[str, ...] = variable(
        "ISOLATION_OFF", separated(text()), "", doc="Layers of confinement that are not applied."
    )
    frames: Place | None = variable(
        "RUNTIME_FRAMES",
        Parser(_place, "a TCP port, or unix: and the absolute path of a socket"),
        "",
        doc="TCP port, or `unix:/path/of/socket`, where the runtime takes calls as frames, in addition to HTTP. "
        "Controllers use it if the runtime's address names it, see `RUNTIME_URLS`. Empty: none.",
    )
    log_level: str = variable(
        "LOG_LEVEL",
        one_of("debug", "info", "warning", "error"),
        "info",
        doc="Lowest level of the messages on stderr.",
    )
    metrics_port: int = variable(
        "METRICS_PORT", whole(0, 65535), 9090, doc="TCP port that serves the metrics. 0: none."
    )

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment.

        Raises:
            UnusableSetting: A variable is missing or invalid; the message names it.
        """
        return read(cls, Environment())
