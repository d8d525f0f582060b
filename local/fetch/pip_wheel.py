"""pip for an environment whose Python cannot bring it, as Debian's without its package python3-venv.

Nothing of the machine is changed: pip is found as a wheel, or fetched as one in a distribution's package.
"""

import tempfile
from pathlib import Path

from local.fetch.command import UnavailableError, output
from local.fetch.debian_program import Packages

WHEELS = "usr/share/python-wheels"
PACKAGE = "python3-pip-whl"


def install(python: Path, base: str) -> None:
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
