"""What the functions of one machine have in common: where things lie, and what starts them."""

from dataclasses import dataclass
from pathlib import Path

from local.supervisor.account import Account

#: Where the platform mounts secrets, and what the variables of functions say of it.
MOUNTED = "/var/openfaas/secrets/"
#: As images call the watchdog.
WATCHDOG = "fwatchdog"


@dataclass(frozen=True)
class Machine:
    """One machine.

    Args:
        run: a folder for what only running functions need.
        account: who they run as.
        watchdog: the of-watchdog; None: functions are started without one.
        defaults: variables of this machine; what a deployment says goes before, what an image says does not.
        overrides: variables that a function cannot choose, since it shares the machine with others.
    """

    run: Path
    account: Account
    watchdog: Path | None
    defaults: dict[str, str]
    overrides: dict[str, str]

    def command(self, image: tuple[str, ...], process: str) -> list[str]:
        """What to start: the image's command with our watchdog, or else the function's process.

        Like the watchdog it knows single spaces and no quotes in that.
        """
        if self.watchdog is None:
            return process.split(" ")
        return [str(self.watchdog) if word == WATCHDOG else word for word in image or (WATCHDOG,)]
