"""A program of the distribution that need not be installed: `python -m local.fetch.debian_program NAME DIR`.

It is the one that a variable names (WRK for `wrk`), else this machine's own, else its package's, unpacked into DIR.
Ends with status 1 and one line where it cannot be had.
"""

import argparse
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.fetch.command import UnavailableError, output

#: apt works on lists and caches below the folder; of the system it reads sources, keys and what is installed.
_CONFIGURATION = """\
Dir::Etc::Parts "/dev/null";
Dir::Etc::Main "/dev/null";
Dir::State "{apt}";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{apt}/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""

_INHERITED = re.compile(r"(Acquire::(http|https|ForceIPv\d|Retries)|APT::Architecture)\b")


class PackagesError(UnavailableError):
    """apt is not there, or cannot give the packages. The message is one line."""


class Packages:
    """Unpacks packages into `root`, the lists being fetched once."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._apt = folder / "apt"
        self._refreshed = False

    def unpack(self, names: Iterable[str]) -> None:
        """Download the packages and unpack them. Raises PackagesError."""
        self._refresh()
        archives = self._apt / "archives"
        shutil.rmtree(archives, ignore_errors=True)
        archives.mkdir()
        self._run(["apt-get", "download", "-q", *names], archives)
        self.root.mkdir(exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(self._unpack_archive, archives.glob("*.deb")))
        shutil.rmtree(archives)

    def close(self) -> None:
        """Give back the space that lists and caches take."""
        shutil.rmtree(self._apt, ignore_errors=True)

    def dependencies(self, *names: str, kind: str = "Depends") -> list[str]:
        """The packages that `names` name in one field of theirs, as the lists have them."""
        self._refresh()
        output = self._run(["apt-cache", "depends", *names])
        return re.findall(rf"^ *\|?{kind}: ([a-z0-9][a-z0-9.+-]+)$", output, re.MULTILINE)

    def known(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the lists have."""
        self._refresh()
        return [name for name in names if self._run(["apt-cache", "pkgnames", name]).splitlines().count(name)]

    def missing_dependencies(self, names: Iterable[str]) -> list[str]:
        """What this machine lacks to have the packages, themselves included."""
        self._refresh()
        output = self._run(["apt-get", "-s", "install", *names])
        return re.findall(r"^Inst (\S+) \(", output, re.MULTILINE)

    def _refresh(self) -> None:
        if self._refreshed:
            return
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise PackagesError("this machine has no apt-get")
        for folder in ("lists/partial", "cache/archives/partial"):
            (self._apt / folder).mkdir(parents=True, exist_ok=True)
        # Proxies above all. The rest, such as what runs after an update, does not concern us.
        inherited = [line for line in _run(["apt-config", "dump"]).splitlines() if _INHERITED.match(line)]
        configuration = _CONFIGURATION.format(apt=self._apt) + "\n".join(inherited) + "\n"
        (self._apt / "apt.conf").write_text(configuration)
        # One broken source of several, which need not concern us, also ends it with an error: what counts is
        # whether the packages are known afterwards.
        with contextlib.suppress(PackagesError):
            self._run(["apt-get", "update", "-q"])
        self._refreshed = True

    def _unpack_archive(self, archive: Path) -> None:
        self._run(["dpkg-deb", "-x", str(archive), str(self.root)])

    def _run(self, command: list[str], folder: Path | None = None) -> str:
        return _run(command, folder, APT_CONFIG=str(self._apt / "apt.conf"))


def _run(command: list[str], folder: Path | None = None, **variables: str) -> str:
    try:
        return output(command, folder=folder, environment={**os.environ, "LC_ALL": "C", **variables})
    except UnavailableError as error:
        raise PackagesError(str(error)) from error


#: Of what a package asks for, a program needs the libraries it is linked with; those of JavaScript are for its pages.
LIBRARY = re.compile(r"lib(?!js)")
#: Where packages keep their programs. What /usr/bin has of Chromium is a script that names an installed one.
PLACES = ("usr/lib/chromium", "usr/bin", "usr/sbin")


@dataclass(frozen=True)
class DebianProgram:
    """A program, and the variables it needs to find its libraries."""

    path: Path
    environment: dict[str, str]


def debian_program(name: str, package: str, folder: Path, beside: Sequence[str] = ()) -> DebianProgram:
    """The program of that name, unpacked into `folder` unless it is there.

    Args:
        name: of the program.
        package: has it.
        folder: for it and the libraries that this machine lacks.
        beside: further packages that it needs.

    Raises:
        PackagesError: it cannot be had.
    """
    own = os.environ.get(name.upper()) or shutil.which(name)
    if own is not None:
        return DebianProgram(Path(own), {})
    packages = Packages(folder)
    if not (paths := _found(packages.root, name)):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lacking = packages.missing_dependencies([package])
            packages.unpack([package, *beside, *filter(LIBRARY.match, lacking)])
        finally:
            packages.close()
        paths = _found(packages.root, name)
    libraries = {str(library.parent) for library in packages.root.rglob("*.so*")}
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))} if libraries else {}
    return DebianProgram(paths[0], environment)


def _found(root: Path, name: str) -> list[Path]:
    return [path for place in PLACES if (path := root / place / name).is_file()]


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.debian_program", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="of the program and of its package")
    parser.add_argument("folder", type=Path, metavar="DIR")
    asked = parser.parse_args()
    try:
        print(debian_program(asked.name, asked.name, asked.folder.resolve()).path)
    except PackagesError as error:
        print(f"{asked.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
