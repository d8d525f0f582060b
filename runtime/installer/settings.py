"""Settings of the function `packages`, read once from the environment."""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from configuration.parser import (
    Parser,
    http_address,
    number,
    one_of,
    path,
    secret_text,
    separated,
    text,
    whole,
)
from configuration.variable import Computed, optional, read, required, variable
from runtime.sandbox import confine
from runtime.settings import MEBIBYTE


def _folder(given: str) -> Path | None:
    if given and not Path(given).is_dir():
        raise ValueError(given)
    return Path(given).resolve() if given else None


_NO_SECRET_SHOWN = Parser(http_address().convert, http_address().accepts, secret=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings. Every variable but the secret has a default that works on one machine."""

    secret: str = required(
        "PACKAGES_SECRET",
        secret_text(16),
        doc="Secret that a call must carry in the header `X-Packages-Secret`.",
    )
    state: Path = variable(
        "STATE_DIR",
        path(),
        Computed(
            lambda _: str(Path(tempfile.gettempdir()) / "lambda-microservice"),
            "`lambda-microservice` in the system's temporary folder",
        ),
        doc="Folder for the private folders of jobs.",
    )
    index_url: str | None = optional(
        "PACKAGES_INDEX_URL",
        _NO_SECRET_SHOWN,
        doc="The only index of Python packages; it may contain credentials. Unset: what `UV_*`, `PIP_*` or PyPI say.",
    )
    npm_registry_url: str | None = optional(
        "NPM_REGISTRY_URL",
        _NO_SECRET_SHOWN,
        doc="The only registry of npm packages; it may contain credentials. Unset: what `NPM_CONFIG_*` or npm say.",
    )
    wheels: Path | None = variable(
        "WHEELS_DIR",
        Parser(_folder, "an existing folder"),
        "",
        doc="Folder of wheels, the only source for Python; `PACKAGES_MIN_AGE` does not apply. Empty: an index.",
    )
    npm_cache: Path | None = variable(
        "NPM_CACHE_DIR",
        Parser(_folder, "an existing folder"),
        "",
        doc="Folder of a filled npm cache, the only source of npm packages. Empty: a registry.",
    )
    min_age: float = variable(
        "PACKAGES_MIN_AGE",
        number(0),
        7,
        unit="days",
        doc="Days that a version must have been public. An index that tells no times of upload needs 0.",
    )
    max_bytes: int = variable(
        "PACKAGES_MAX_BYTES",
        whole(1),
        250 * MEBIBYTE,
        unit="bytes",
        doc="Largest environment, in bytes, bytecode included.",
    )
    max_files: int = variable("PACKAGES_FILES_MAX", whole(1), 20_000, doc="Most files of an environment.")
    allow: tuple[str, ...] = variable(
        "PACKAGES_ALLOW",
        separated(text()),
        "",
        doc="Names of the packages that may be installed, those that others need included. `*` stands for any text. "
        "Empty: all.",
    )
    deny: tuple[str, ...] = variable(
        "PACKAGES_DENY",
        separated(text()),
        "",
        doc="Names of packages that may not be installed. `*` stands for any text.",
    )
    timeout: float = variable(
        "PACKAGES_TIMEOUT", number(0.1), 60, unit="s", doc="Most seconds of one job of uv or npm."
    )
    jobs: int = variable(
        "PACKAGES_JOBS_MAX",
        whole(1),
        Computed(lambda _: str(os.cpu_count() or 1), "the number of CPUs", example="2"),
        doc="Most calls that are worked on at the same time.",
    )
    uv: str = variable("UV", text(), "uv", doc="uv: a path, or a name on `PATH` or beside this Python.")
    node: str = variable(
        "NODE",
        text(),
        "node",
        doc="Node.js with its npm: a path, or a name on `PATH`. Missing: Python packages only.",
    )
    isolation_required: tuple[str, ...] = variable(
        "ISOLATION_REQUIRED",
        separated(text()),
        Computed(
            lambda _: ",".join(confine.REQUIRED),
            f"`{', '.join(confine.REQUIRED)}`",
            example=",".join(confine.REQUIRED),
        ),
        doc="Layers of confinement without which the function does not start.",
    )
    isolation_off: tuple[str, ...] = variable(
        "ISOLATION_OFF", separated(text()), "", doc="Layers of confinement that are not applied."
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

    def uv_program(self) -> str:
        """Return the path of uv.

        Raises:
            UnusableSetting: It is missing.
        """
        beside = str(Path(sys.prefix) / "bin")
        found = shutil.which(self.uv) or shutil.which(self.uv, path=beside)
        if found is None:
            raise UnusableSetting(f"UV: there is no program {self.uv!r}")
        return str(Path(found).resolve())

    def node_and_npm(self) -> tuple[str, str] | None:
        """Return the paths of Node.js and of the folder of its npm; None where one of them is missing."""
        found = shutil.which(self.node)
        if found is None:
            return None
        node = Path(found).resolve()
        npm = node.parents[1] / "lib" / "node_modules" / "npm"
        return (str(node), str(npm)) if (npm / "bin" / "npm-cli.js").is_file() else None
