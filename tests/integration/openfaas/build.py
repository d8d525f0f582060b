"""Build folders made by faas-cli, and the images that the Dockerfile makes from them."""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tests.integration.openfaas.image import Image, Layout, Machine, copy
from tests.shared import alone

ROOT = Path(__file__).parents[3]
TEMPLATE = "python3-gevent"
COPIED = [
    "template",
    "function",
    "controller",
    "runtime",
    "telemetry",
    "configuration",
    "framing",
    "sql",
    "pyproject.toml",
    "requirements.txt",
    "stack.yml",
]
UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")


@dataclass(frozen=True)
class BuiltFunction:
    """A function's image, and the folder in place of its /home/app."""

    image: Image
    app: Path

    def imports(self, module: str) -> bool:
        """Return whether a process of the function can import a module."""
        asked = subprocess.run(
            ["python", "-c", f"import {module}"],
            cwd=self.app,
            env=self.image.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0 or "ModuleNotFoundError" in asked.stderr, asked.stderr
        return asked.returncode == 0


class Build:
    """A copy of the files that images are built from, and the images. Several processes may share the folder.

    Args:
        machine: Takes the place of the images' base.
    """

    def __init__(self, folder: Path, faas_cli: Path, machine: Machine) -> None:
        self.folder = folder
        self.machine = machine
        self._faas_cli = faas_cli
        stack = yaml.safe_load((ROOT / "stack.yml").read_text())
        self._arguments = {name: one["build_args"] for name, one in stack["functions"].items()}
        self._made: dict[str, BuiltFunction] = {}
        self._notes = folder / "made"
        self._unfinished = folder / "unfinished"

    def begun(self) -> None:
        """Say that functions can be made from the folder."""
        self._notes.mkdir()

    def usable(self) -> bool:
        """Return whether no one was killed while making the folder or an image."""
        return self._notes.is_dir() and not self._unfinished.exists()

    def copy_sources(self) -> None:
        """Copy the files that images are built from. Once for all who share the folder."""
        self.folder.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=UNWANTED)
            else:
                shutil.copy(source, self.folder / name)

    def faas(self, *arguments: str) -> str:
        """Run faas-cli in the copy and return its output."""
        done = subprocess.run(
            [str(self._faas_cli), *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def shrinkwrap(self, stack: str = "stack.yml") -> None:
        self.faas("build", "--shrinkwrap", "--yaml", stack)

    def context(self, function: str) -> Path:
        """Return the build folder of a function."""
        return self.folder / "build" / function

    def made(self, function: str) -> BuiltFunction:
        """Return the function's image, built with the arguments of stack.yml.

        Functions with build folders that differ only in the handler share a layout, so that each library is installed
        once. Each has a separate /home/app.
        """
        if function not in self._made:
            note = self._notes / function
            with alone(self._notes):
                if not note.exists():
                    self._unfinished.touch()
                    note.write_bytes(pickle.dumps(self._make(function)))
                    self._unfinished.unlink()
            made: BuiltFunction = pickle.loads(note.read_bytes())
            # Who built it may have had other variables.
            self._made[function] = replace(made, image=replace(made.image, machine=self.machine))
        return self._made[function]

    def _make(self, function: str) -> BuiltFunction:
        arguments = self._arguments.get(function, {})
        context = self.context(function)
        place = self.folder / "images" / self._digest(context, arguments.get("LIBRARY", ""))
        with Layout.kept(context, place, arguments, self.machine) as layout:
            image = layout.shipped(arguments.get("TOOLCHAIN", "none"))
        app = self.folder / "apps" / function
        copy(image.folder / "home" / "app", app)
        for module in (context / "function").glob("*.py"):
            copy(module, app / "function" / module.name)
        return BuiltFunction(image, app)

    @staticmethod
    def _digest(context: Path, library: str) -> str:
        """Return a digest of what an installation depends on: the build folder without the handler."""
        content = hashlib.sha256(library.encode())
        for path in sorted(path for path in context.rglob("*") if path.is_file()):
            if path != context / "function" / "handler.py":
                content.update(f"{path.relative_to(context)}\0".encode() + path.read_bytes())
        return content.hexdigest()[:16]


def sources_digest(machine: Machine, *others: Path) -> str:
    """Return a digest of all that images are made of: sources, the wheels of this machine, and `others`."""
    here = Path(__file__)
    names = ("conftest.py", "image.py", "dockerfile.py", "test_dockerfile.py")
    builders = [here, *(here.with_name(name) for name in names)]
    roots = [*(ROOT / name for name in COPIED), *builders, ROOT / ".local" / "wheels" / "collected"]
    found = [path for root in [*roots, *others] for path in ([root] if root.is_file() else root.rglob("*"))]
    content = hashlib.sha256(repr((sys.version, sorted(machine.paths.items()))).encode())
    for path in sorted(path for path in found if path.is_file() and path.suffix != ".pyc"):
        content.update(f"{path}\0".encode() + path.read_bytes())
    return content.hexdigest()[:16]


def surroundings() -> dict[str, str]:
    """Return this process's variables, without those that lead to the checkout or its packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    return kept
