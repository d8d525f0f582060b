"""Settings of packages per script."""

from dataclasses import dataclass
from pathlib import Path

from configuration.errors import UnusableSetting
from configuration.parser import Parser, flag, http_address, number, path, secret_text, whole
from configuration.variable import Chosen, optional, variable


def _has_url(chosen: Chosen) -> bool:
    return chosen["url"] is not None


@dataclass(frozen=True, slots=True)
class PackageSettings:
    """How packages of scripts are installed, and where they are kept."""

    url: str | None = optional(
        "PACKAGES_URL",
        http_address(),
        doc="Address of the function `packages`. Unset: scripts cannot declare packages.",
    )
    secret: str | None = optional(
        "PACKAGES_SECRET",
        secret_text(16),
        applies=_has_url,
        doc="Secret that the controller sends to `packages` with every call. `PACKAGES_URL` needs it.",
    )
    per_script: bool = variable(
        "PACKAGES_PER_SCRIPT",
        flag(),
        "on",
        doc="Whether scripts may declare packages. `off` refuses all of them.",
    )
    wait: float = variable(
        "PACKAGES_WAIT",
        number(0, 300),
        30,
        unit="s",
        doc="Most seconds that a call waits until new packages are resolved, built and sent. Then it is answered "
        "503, and the work goes on.",
    )
    folder: Path | None = variable(
        "ENVIRONMENTS_DIR",
        Parser(lambda text: path()(text) if text else None, "a path"),
        "",
        doc="Folder of installed packages, shared by all processes of one machine. Empty: PostgreSQL keeps them.",
    )
    most_bytes: int = variable(
        "ENVIRONMENTS_MAX_BYTES",
        whole(0),
        5 << 30,
        unit="bytes",
        doc="Most bytes of installed packages in `ENVIRONMENTS_DIR` or PostgreSQL. Those used longest ago go first.",
    )

    @property
    def refusal(self) -> str:
        """Why scripts cannot declare packages. Empty: they can."""
        if not self.per_script:
            return "packages of scripts are switched off here: PACKAGES_PER_SCRIPT is off"
        return "" if self.url else "packages of scripts are not available here: PACKAGES_URL is not set"

    def __post_init__(self) -> None:
        """Check that the secret is set where it is needed. Raises UnusableSetting."""
        if self.url is not None and self.secret is None:
            raise UnusableSetting("PACKAGES_SECRET: not set; PACKAGES_URL needs it")
