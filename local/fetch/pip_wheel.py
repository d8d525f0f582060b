"""pip for an environment whose Python cannot bring it, as Debian's without its package python3-venv.

Nothing of the machine is changed: pip is found as a wheel, or fetched as one in a distribution's package.
"""

import subprocess
import tempfile
from pathlib import Path

from local.fetch.debian_packages import Packages, PackagesError

WHEELS = "usr/share/python-wheels"
PACKAGE = "python3-pip-whl"


class PipError(Exception):
    """pip cannot be had. The message is part of one line."""


def install(python: Path, base: str) -> None:
    """Put pip into the environment of `python`, with the pip of `base` or of a wheel. Raises PipError."""
    if _succeeds([base, "-m", "pip", "--python", str(python), "install", "--quiet", "pip"]):
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(Path("/")) or _wheel(_fetched(Path(folder)))
        if wheel is None or not _succeeds(
            [str(python), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]
        ):
            raise PipError("no pip wheel on this machine or in its packages")


def _wheel(root: Path) -> Path | None:
    return max((root / WHEELS).glob("pip-*.whl"), default=None)


def _fetched(folder: Path) -> Path:
    packages = Packages(folder)
    try:
        packages.unpack([PACKAGE])
    except PackagesError as error:
        raise PipError(str(error)) from error
    return packages.root


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
