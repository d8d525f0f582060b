"""Build faas-cli and of-watchdog in a folder: `python -m local.fetch.openfaas_tools DIR` makes DIR/bin/<program>.

Their versions stand in `local/fetch/faas_cli/go.mod` and `local/fetch/watchdog/go.mod`. The watchdog has a `main` of
ours: the stock program's metrics port is a literal, so that a second one on the same machine cannot start. Ends
with status 1 and one line for each program that cannot be had.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from local.fetch.command import UnavailableError
from local.fetch.go_programs import GoPrograms

SOURCES = Path(__file__).parent
FAAS_CLI = SOURCES / "faas_cli"
WATCHDOG = SOURCES / "watchdog"


@dataclass(frozen=True)
class Tools:
    """The folder with the programs."""

    folder: Path

    def faas_cli(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return GoPrograms(self.folder).of_package("faas-cli", FAAS_CLI, "github.com/openfaas/faas-cli")

    def watchdog(self) -> Path:
        """Returns the program that OF_WATCHDOG names, else ours, built if need be. Raises UnavailableError."""
        given = os.environ.get("OF_WATCHDOG")
        if given:
            return Path(given)
        return GoPrograms(self.folder).of_main("of-watchdog", WATCHDOG)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.openfaas_tools", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tools = Tools(folder)
    status = 0
    for name, provide in (("faas-cli", tools.faas_cli), ("of-watchdog", tools.watchdog)):
        try:
            print(provide())
        except UnavailableError as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
