"""Installs functions from their build folders, as their images would be built."""

import contextlib
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gevent import subprocess
from gevent.lock import BoundedSemaphore

from tools.faas_local.build_folder import INSTALLER, BuildFolder, Image

#: A file in an environment that was installed to its end.
COMPLETE = "complete"
#: An environment that was not used for so long is removed.
KEPT_SECONDS = 7 * 24 * 3600
#: Installations that run at once.
AT_ONCE = 2


class InstallError(Exception):
    """A function cannot be installed. The message is the last line of the installer."""


@dataclass(frozen=True)
class Installation:
    """A function that can be started: the folder it runs in, its environment's programs, and its image's settings."""

    app: Path
    programs: Path
    image: Image


class Environments:
    """The virtual environments below a folder.

    One is used again while nothing has changed that goes into it. So functions whose build folders differ in nothing
    but the handler's own modules share one, and each has a folder of its own to run in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = BoundedSemaphore(AT_ONCE)
        self._busy: dict[str, BoundedSemaphore] = {}

    def prune(self) -> None:
        """Remove those that have long not been used. Nothing may run yet."""
        for place in self._folder.glob("*"):
            mark = place / COMPLETE
            if not mark.exists() or time.time() - mark.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(place)

    def install(self, build: BuildFolder, say: Callable[[str], None]) -> Installation:
        """What is there, or made now; `say` is told what the installer says. Raises InstallError."""
        shared = self._folder / f"{platform.python_version()}-{build.digest(modules=False)}"
        with self._busy.setdefault(shared.name, BoundedSemaphore(1)):
            if not _is_complete(shared):
                with self._places:
                    self._make(shared, build, say)
        (shared / COMPLETE).touch()
        app = shared / "apps" / build.digest(modules=True)
        if not app.is_dir():
            _lay_out(app, shared / "app", build)
        return Installation(app, shared / "venv" / "bin", build.image())

    def _make(self, place: Path, build: BuildFolder, say: Callable[[str], None]) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        build.copy(place / "app")
        python = place / "venv" / "bin" / "python"
        _run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], place, {}, say)
        # Our own pip, told where to install: making one in each environment takes longer than most packages.
        pip = {"PIP_PYTHON": str(python), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
        _run(["sh", INSTALLER, build.arguments().get("LIBRARY", "")], place / "app", pip, say)
        (place / COMPLETE).write_text(str(place))


def _is_complete(place: Path) -> bool:
    """Whether it was installed to its end, and has not lost its place or its Python since."""
    mark = place / COMPLETE
    return mark.is_file() and mark.read_text() == str(place) and (place / "venv/bin/python").exists()


def _lay_out(app: Path, installed: Path, build: BuildFolder) -> None:
    """The folder as the installer has left it, with this handler's modules."""
    fresh = app.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(installed, fresh)
    for module in fresh.glob("function/*.py"):
        module.unlink()
    for module in build.modules():
        shutil.copy(build.path / module, fresh / module)
    fresh.rename(app)


def _run(command: list[str], folder: Path, more: dict[str, str], say: Callable[[str], None]) -> None:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_surroundings() | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    last = command[0]
    try:
        for line in process.stdout or ():
            last = line.rstrip() or last
            say(line.rstrip())
        if process.wait() != 0:
            raise InstallError(last)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it is gone unless we are told to end
            os.killpg(process.pid, signal.SIGKILL)


def _surroundings() -> dict[str, str]:
    """Ours, without what would let our own packages be found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"}
