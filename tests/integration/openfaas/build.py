"""Build folders as faas-cli lays them out, each installed in an environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEMPLATE = "python3-gevent"
COPIED = [
    "template",
    "function",
    "controller",
    "runtime",
    "telemetry",
    "sql",
    "pyproject.toml",
    "requirements.txt",
    "stack.yml",
]
UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")


class Build:
    """A copy of what of the checkout goes into images, and the build folders made of it.

    Args:
        wheels: what the functions install, so that no package is asked for again for each of them.
    """

    def __init__(self, folder: Path, faas_cli: Path, wheels: Path) -> None:
        self.folder = folder
        self._wheels = wheels
        self._faas_cli = faas_cli
        self._environments: dict[str, Path] = {}
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=UNWANTED)
            else:
                shutil.copy(source, folder / name)

    def faas(self, *arguments: str) -> str:
        """Runs faas-cli in the copy and returns what it printed."""
        return _run([str(self._faas_cli), *arguments], self.folder)

    def shrinkwrap(self, stack: str = "stack.yml") -> None:
        self.faas("build", "--shrinkwrap", "--yaml", stack)

    def context(self, function: str) -> Path:
        """What Docker would be given for the function."""
        return self.folder / "build" / function

    def installed(self, function: str, library: str = "") -> Path:
        """Returns the function's environment, which holds what its build folder brings and nothing else.

        Functions whose folders differ in nothing but their handlers share one, into which each is installed.
        """
        if function not in self._environments:
            environment = self.folder / "environment" / self._digest(function, library)
            if not environment.exists():
                _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
            self._install(function, library, environment)
            self._environments[function] = environment
        return self._environments[function]

    def _digest(self, function: str, library: str) -> str:
        """What decides about an environment: the build folder without the handler."""
        context = self.context(function)
        content = hashlib.sha256(library.encode())
        for path in sorted(path for path in context.rglob("*") if path.is_file()):
            if path != context / "function" / "handler.py":
                content.update(f"{path.relative_to(context)}\0".encode() + path.read_bytes())
        return content.hexdigest()[:16]

    def _install(self, function: str, library: str, environment: Path) -> None:
        # Our own pip, told where to install: making one in each environment takes longer than all the rest.
        # Its variables of switches mean what the switch sets: 0 is not to compile.
        pip = {"PIP_PYTHON": str(environment / "bin" / "python"), "PIP_NO_COMPILE": "0"}
        wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._wheels)}
        path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        _run(
            ["sh", "install.sh", library],
            self.context(function),
            clean_environment(environment) | pip | wheels | path,
        )

    def imports(self, function: str, module: str) -> bool:
        """Whether the function's environment, in its folder, can import the module."""
        environment = self._environments[function]
        asked = subprocess.run(
            [str(environment / "bin" / "python"), "-c", f"import {module}"],
            cwd=self.context(function),
            env=clean_environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0 or "ModuleNotFoundError" in asked.stderr, asked.stderr
        return asked.returncode == 0


def clean_environment(environment: Path) -> dict[str, str]:
    """Ours without what would let the checkout or our own packages be found, and the function's programs first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    return kept | {"PATH": f"{environment / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"}


def _run(command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Runs a command to its end, which must be a good one, and returns what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
