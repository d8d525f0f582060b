"""Build faas-cli and of-watchdog in a folder: `python -m local.openfaas_tools DIR` makes DIR/bin/<program>.

Both come as Go modules; their versions stand in `local/faas_cli/go.mod` and `local/watchdog/go.mod`. The watchdog has
a `main` of ours: the stock program's metrics port is a literal, so that a second one on the same machine cannot
start. Everything is kept in the folder; what is there and current is not built again. Ends with status 1 and one line
for each program that cannot be had.
"""

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.go_toolchain import SOURCE_NAMES, Go, UnavailableError, built

SOURCES = Path(__file__).parent
FAAS_CLI = SOURCES / "faas_cli"
WATCHDOG = SOURCES / "watchdog"


@dataclass(frozen=True)
class Tools:
    """The folder with the programs. What Go keeps lies beside it, in `go`."""

    folder: Path

    def faas_cli(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return built(self.folder / "bin" / "faas-cli", FAAS_CLI, self._build_faas_cli)

    def watchdog(self) -> Path:
        """Returns the program that OF_WATCHDOG names, else ours, built if need be. Raises UnavailableError."""
        given = os.environ.get("OF_WATCHDOG")
        if given:
            return Path(given)
        return built(self.folder / "bin" / "of-watchdog", WATCHDOG, self._build_watchdog)

    @property
    def _go(self) -> Go:
        return Go(self.folder.parent / "go")

    def _build_faas_cli(self, program: Path) -> None:
        self._go.run(FAAS_CLI, "build", "-mod=readonly", "-o", str(program), "github.com/openfaas/faas-cli")

    def _build_watchdog(self, program: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            module = Path(scratch)
            for name in SOURCE_NAMES & {source.name for source in WATCHDOG.iterdir()}:
                shutil.copy(WATCHDOG / name, module)
            # In a copy, because Go writes the commit that the tag stands for into go.mod.
            self._go.run(module, "build", "-mod=mod", "-o", str(program), ".")


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.openfaas_tools", description=__doc__)
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
