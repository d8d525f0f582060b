"""What Dockerfiles, Compose files and the files of images are checked with, where there is no Docker.

`python -m local.fetch.container_tools DIR` keeps them in DIR: `compose`, Docker's own reader of Compose files,
compiled from a Go module; skopeo, which asks registries for images, promtool and haproxy, of the distribution's
packages unless the machine has them. Ends with status 1 and one line for each program that cannot be had.
"""

import argparse
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from local.fetch.debian_packages import Packages, PackagesError
from local.fetch.go_programs import GoPrograms, UnavailableError

SOURCES = Path(__file__).parent
PACKAGES = ("haproxy", "prometheus", "skopeo")


@dataclass(frozen=True)
class Unpacked:
    """A program of a package that need not be installed, and the variables it needs to find its libraries."""

    program: Path
    environment: dict[str, str]


@dataclass(frozen=True)
class ContainerTools:
    """The folder with the programs. Each is fetched or built at the first question; each raises UnavailableError."""

    folder: Path

    def compose(self) -> Path:
        """Prints what a Compose file amounts to, or what is wrong with it."""
        return GoPrograms(self.folder).of_main("compose", SOURCES / "compose")

    def skopeo(self) -> Unpacked:
        """Asks registries for images."""
        return self._unpacked("usr/bin/skopeo")

    def promtool(self) -> Unpacked:
        """Checks Prometheus's files."""
        return self._unpacked("usr/bin/promtool")

    def haproxy(self) -> Unpacked:
        """Checks its own configuration."""
        return self._unpacked("usr/sbin/haproxy")

    def _unpacked(self, program: str) -> Unpacked:
        own = shutil.which(Path(program).name)
        if own is not None:
            return Unpacked(Path(own), {})
        packages = Packages(self.folder / "packages")
        if not (packages.root / program).is_file():
            _unpack(packages)
        folders = {str(library.parent) for library in packages.root.rglob("*.so*")}
        return Unpacked(packages.root / program, {"LD_LIBRARY_PATH": os.pathsep.join(sorted(folders))})


def _unpack(packages: Packages) -> None:
    """All at once, since the lists take longer than the packages; with the libraries that this machine lacks."""
    try:
        lacking = packages.missing_dependencies(PACKAGES)
        libraries = [name for name in lacking if re.match("lib(?!js)", name)]
        packages.unpack([*PACKAGES, *libraries])
    except PackagesError as error:
        raise UnavailableError(str(error)) from error
    finally:
        packages.close()


def main() -> int:
    """Has all of them fetched or built. Returns the exit status: 1 when one cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.container_tools", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tools = ContainerTools(folder)
    status = 0
    for provide in (tools.compose, tools.skopeo, tools.promtool, tools.haproxy):
        try:
            provide()
        except UnavailableError as reason:
            print(f"{provide.__name__}: {reason}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
