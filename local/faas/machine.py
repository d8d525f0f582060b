"""What the functions of one machine have in common: where things lie, and what starts them."""

from dataclasses import dataclass
from pathlib import Path

from local.account import Account
from local.faas.ports import Ports

#: Where the platform mounts secrets, and what the variables of functions say of it.
MOUNTED = "/var/openfaas/secrets/"


@dataclass(frozen=True)
class Machine:
    """One machine.

    Args:
        run: a folder for what only running functions need.
        account: who they run as.
        watchdog: the of-watchdog; None: functions are started without one.
        defaults: variables of this machine; what an image or a deployment says goes before.
        overrides: variables that a function cannot choose, since it shares the machine with others.
    """

    run: Path
    account: Account
    ports: Ports
    watchdog: Path | None
    defaults: dict[str, str]
    overrides: dict[str, str]

    def command(self, process: str) -> list[str]:
        """What to start for a function's process. Like the watchdog it knows single spaces and no quotes."""
        return [str(self.watchdog)] if self.watchdog else process.split(" ")
