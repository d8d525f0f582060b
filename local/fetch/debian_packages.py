"""The distribution's packages, unpacked into a folder of ours by an ordinary user: nothing is installed.

apt works on lists and caches of its own below the folder; only the system's sources, keys and list of installed
packages are read.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

#: What apt may take in all for one command, in seconds: the lists and compilers are some 150 MB.
TIMEOUT = 600

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


class PackagesError(Exception):
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
        self._run(["apt-get", "download", "-q", *names], cwd=archives)
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
        inherited = [line for line in self._system_configuration() if _INHERITED.match(line)]
        configuration = _CONFIGURATION.format(apt=self._apt) + "\n".join(inherited) + "\n"
        (self._apt / "apt.conf").write_text(configuration)
        # One broken source of several, which need not concern us, also ends it with an error: what counts is
        # whether the packages are known afterwards.
        self._run(["apt-get", "update", "-q"], check=False)
        self._refreshed = True

    def _system_configuration(self) -> list[str]:
        """Proxies above all. The rest, such as what is run after an update, is not for us."""
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
        return dump.stdout.splitlines()

    def _unpack_archive(self, archive: Path) -> None:
        self._run(["dpkg-deb", "-x", str(archive), str(self.root)])

    def _run(self, command: list[str], *, cwd: Path | None = None, check: bool = True) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._apt / "apt.conf"), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command,
                env=environment,
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PackagesError(str(error)) from error
        if check and done.returncode != 0:
            raise PackagesError(f"{' '.join(command[:2])}: {_first_error(done.stderr)}")
        return done.stdout


def _first_error(stderr: str) -> str:
    errors = [line[2:].strip() for line in stderr.splitlines() if line.startswith("E:")]
    return (errors or stderr.splitlines() or ["failed without a word"])[0]
